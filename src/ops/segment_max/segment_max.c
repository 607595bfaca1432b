/* segment_max: y[s,c] = max_r x[offsets[s] + r, c] over the rows r = 0 .. n - 1 of sample s
 * x [R,C] act on ragged rows   offsets [Smax+1] int   like [S,..] on samples, not read   y [S,C] act
 * saved: row [S,C] int, which r it was: the first of equal ones, of NaN the first; -1 where there is none.
 *
 * dx[offsets[s] + r, c] = dy[s,c] where r = row[s,c], else 0. The row is saved rather than found again, for x
 * is larger and need not be kept. */
#include "ops/segment_max/segment_max.h"

static at_status check(at_ctx *ctx, const char *name, const at_meta *rows, const at_meta *offsets,
                       const at_meta *samples)
{
    AT_REQUIRE(ctx, rows->rank == 2 && rows->extent, AT_E_SHAPE, "%s: x must be [R,C] on an extent", name);
    AT_REQUIRE(ctx, samples->extent, AT_E_SHAPE, "%s: samples must be on an extent", name);
    AT_REQUIRE(ctx, at_is_vector(offsets, samples->dim[0] + 1), AT_E_SHAPE, "%s: offsets must be [%lld]",
               name, (long long)samples->dim[0] + 1);
    return AT_OK;
}

static at_status infer(at_ctx *ctx, const void *param, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)param;
    AT_TRY(check(ctx, "segment_max", &in[0], &in[1], &in[2]));
    out[0] = in[0];
    out[0].extent = in[2].extent;
    out[0].dim[0] = in[2].dim[0];
    saved[0] = out[0];
    saved[0].type = AT_INT;
    return AT_OK;
}

static void grad(at_graph *g, const at_node *n, at_value *const *dy, at_value **dx)
{
    if (dx[0]) dx[0] = at_op1(g, &at_op_segment_max_dx, NULL, n->saved[0], dy[0], n->in[1], n->in[0]);
}

static at_status ref_fwd(const at_call *c)
{
    for (int64_t s = 0; s < c->out[0].rows; s++) {
        const int32_t *at = at_int_row(c, 1, 0) + s;
        for (int64_t i = 0; i < c->out[0].cols; i++) {
            double best = 0.0;
            int32_t row = -1;
            for (int32_t r = 0; r < at[1] - at[0]; r++) {
                const double v = (double)at_row(c, 0, at[0] + r)[i];
                if (row >= 0 && (v <= best || best != best)) continue; /* NaN stays */
                best = v;
                row = r;
            }
            if (c->out[0].data) at_put(c, 0, &at_out_row(c, 0, s)[i], best);
            if (c->out[1].data) ((int32_t *)c->out[1].data + s * c->out[1].pitch)[i] = row;
        }
    }
    return AT_OK;
}

#define LENGTHS_4 .lengths = (const int[]){2, 1, 5, 3}, .n_lengths = 4      /* 11 rows */
#define LENGTHS_5 .lengths = (const int[]){0, 3, 70, 0, 27}, .n_lengths = 5 /* 100 rows */

static const at_op_case cases[] = {
    {.name = "small", LENGTHS_4, .in = {{2, {11, 8}}, {1, {5}}, {1, {4}}}, .int_below = 9},
    {.name = "odd", LENGTHS_5, .in = {{2, {100, 3}}, {1, {6}}, {2, {5, 2}}}, .int_below = 9},
    {.name = "ties", LENGTHS_5, .in = {{2, {100, 4}}, {1, {6}}, {1, {5}}}, .int_below = 9},
    {.name = "empty",
     .lengths = (const int[]){0},
     .n_lengths = 1,
     .in = {{2, {0, 8}}, {1, {2}}, {1, {1}}},
     .int_below = 9},
    {.name = "large", LENGTHS_5, .in = {{2, {100, 390}}, {1, {6}}, {1, {5}}}, .int_below = 9, .large = true},
    {0},
};

static const at_op_case refused[] = {
    {.name = "offsets must be [5]", LENGTHS_4, .in = {{2, {11, 8}}, {1, {4}}, {1, {4}}}},
    {.name = "x must be [R,C]", LENGTHS_4, .in = {{3, {11, 2, 8}}, {1, {5}}, {1, {4}}}},
    {0},
};

const at_op at_op_segment_max = {.name = "segment_max",
                                 .doc = "the largest of each sample's rows, by columns",
                                 .n_in = 3,
                                 .n_out = 1,
                                 .n_saved = 1,
                                 .extent_in = 4,
                                 .rows_in = 1,
                                 .offsets_in = 2,
                                 .int_in = 6,
                                 .infer = infer,
                                 .grad = grad,
                                 .ref = ref_fwd,
                                 .cases = cases,
                                 .refused = refused};

/* ---- gradient: in row, dy, offsets, x (its shape; not read) ---- */

static at_status dx_infer(at_ctx *ctx, const void *param, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)param, (void)saved;
    AT_TRY(check(ctx, "segment_max_dx", &in[3], &in[2], &in[1]));
    AT_REQUIRE(ctx, in[1].rank == 2 && in[1].dim[1] == in[3].dim[1], AT_E_SHAPE,
               "segment_max_dx: dy and x differ in columns");
    AT_REQUIRE(ctx, at_same_shape(&in[0], &in[1]), AT_E_SHAPE, "segment_max_dx: row and dy must be [S,C]");
    out[0] = in[3];
    return AT_OK;
}

static at_status ref_dx(const at_call *c)
{
    for (int64_t s = 0; s < c->in[1].rows; s++) {
        const int32_t *at = at_int_row(c, 2, 0) + s;
        for (int32_t r = 0; r < at[1] - at[0]; r++)
            for (int64_t i = 0; i < c->out[0].cols; i++)
                at_put(c, 0, &at_out_row(c, 0, at[0] + r)[i],
                       at_int_row(c, 0, s)[i] == r ? (double)at_row(c, 1, s)[i] : 0.0);
    }
    return AT_OK;
}

static const at_op_case dx_cases[] = {
    {.name = "odd", LENGTHS_5, .in = {{2, {5, 37}}, {2, {5, 37}}, {1, {6}}, {2, {100, 37}}}, .int_below = 30},
    {0},
};

static const at_op_case dx_refused[] = {
    {.name = "differ in columns", LENGTHS_4, .in = {{2, {4, 8}}, {2, {4, 8}}, {1, {5}}, {2, {11, 7}}}},
    {.name = "must be [S,C]", LENGTHS_4, .in = {{2, {4, 7}}, {2, {4, 8}}, {1, {5}}, {2, {11, 8}}}},
    {0},
};

const at_op at_op_segment_max_dx = {.name = "segment_max_dx",
                                    .doc = "gradient of segment_max",
                                    .n_in = 4,
                                    .n_out = 1,
                                    .extent_in = 3,
                                    .rows_in = 8,
                                    .offsets_in = 4,
                                    .int_in = 5,
                                    .infer = dx_infer,
                                    .no_grad_reason = "a gradient itself",
                                    .ref = ref_dx,
                                    .cases = dx_cases,
                                    .refused = dx_refused};

at_value *at_segment_max(at_graph *g, at_value *x, at_value *offsets, at_value *like)
{
    return at_op1(g, &at_op_segment_max, NULL, x, offsets, like);
}
