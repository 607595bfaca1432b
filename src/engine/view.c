/* view.c: reshape and column slices (views: the same memory under another shape), append, copy. Each is an op
 * like any other, so that gradients, plans and tests treat them alike.
 *
 * reshape   regroups leading dimensions or splits the last one          d x = reshape(dy)
 * columns   x[:, first : first+count]                                   d x = 0 but for those columns
 * append    state[at : at+rows, :] = x, for later nodes of the step     no gradient: decode mode only
 * copy      y = x; with accumulate, y += x: how sums of gradients meet  d x = dy */
#include "engine/view.h"
#include "engine/graph.h"
#include "engine/state.h"

/* ---- reshape ---- */

static at_status reshape_infer(at_ctx *ctx, const void *param, const at_meta *in, at_meta *out,
                               at_meta *saved)
{
    (void)saved;
    const at_shape *to = param;
    *out = at_meta_of(in->type, to->rank, to->dim);
    out->extent = in->extent;
    int64_t from_count, rest;
    char a[AT_SHAPE_TEXT], b[AT_SHAPE_TEXT];
    AT_REQUIRE(ctx, at_shape_count(&from_count, in->rank, in->dim), AT_E_SHAPE, "reshape: too many elements");
    if (in->extent) { /* dim[0] is what the extent leaves */
        const bool ok = at_shape_count(&rest, to->rank - 1, to->dim + 1) && rest > 0 &&
                        from_count % rest == 0 && (from_count / rest) % in->extent->max == 0;
        AT_REQUIRE(ctx, ok && (to->dim[0] == 0 || to->dim[0] == from_count / rest), AT_E_SHAPE,
                   "reshape: %s does not regroup to %s on extent %s", at_shape_text(a, in->rank, in->dim),
                   at_shape_text(b, to->rank, to->dim), in->extent->name);
        out->dim[0] = from_count / rest;
    } else {
        AT_REQUIRE(ctx, at_shape_count(&rest, to->rank, to->dim) && rest == from_count, AT_E_SHAPE,
                   "reshape: %s and %s differ in size", at_shape_text(a, in->rank, in->dim),
                   at_shape_text(b, to->rank, to->dim));
    }
    /* On a row pitch only the last dimension may split, never merge: its old size must stay a multiple. */
    const int64_t C = at_meta_cols(in), C2 = at_meta_cols(out);
    AT_REQUIRE(ctx, !in->extent || C == C2, AT_E_SHAPE,
               "reshape: the last dimension (%lld) of an activation stays; take columns or use an op",
               (long long)C);
    return AT_OK;
}

static void reshape_grad(at_graph *g, const at_node *n, at_value *const *dy, at_value **dx)
{
    const at_meta *m = &n->in[0]->meta;
    if (dx[0]) dx[0] = at_reshape(g, dy[0], m->rank, m->dim);
}

static const at_op_case reshape_cases[] = {
    {.name = "regroup", .param = &(const at_shape){2, {0, 4}}, .in = {{3, {2, 3, 4}}}},
    {.name = "ungroup", .param = &(const at_shape){3, {0, 1, 4}}, .in = {{2, {6, 4}}}},
    {0},
};

const at_op at_op_reshape = {.name = "reshape",
                             .doc = "the same memory under another shape",
                             .n_in = 1,
                             .n_out = 1,
                             .param_size = sizeof(at_shape),
                             .extent_in = 1,
                             .any_in = 1,
                             .view = true,
                             .infer = reshape_infer,
                             .grad = reshape_grad,
                             .cases = reshape_cases};

at_value *at_reshape(at_graph *g, at_value *x, int rank, const int64_t *dim)
{
    at_shape to = {.rank = rank};
    for (int i = 0; i < rank && i < AT_MAX_RANK; i++) to.dim[i] = dim[i];
    return at_op1(g, &at_op_reshape, &to, x);
}

/* ---- columns ---- */

typedef struct columns_param {
    int64_t first, count, width; /* width: columns of the whole, for the gradient */
} columns_param;

static at_status columns_infer(at_ctx *ctx, const void *param, const at_meta *in, at_meta *out,
                               at_meta *saved)
{
    (void)saved;
    const columns_param *p = param;
    const int64_t C = at_meta_cols(in);
    AT_REQUIRE(ctx, in->extent && in->rank >= 2, AT_E_SHAPE,
               "columns: takes an activation of rank 2 or more");
    AT_REQUIRE(ctx, p->first >= 0 && p->count > 0 && p->first + p->count <= C, AT_E_SHAPE,
               "columns: [%lld, %lld) is outside the %lld columns", (long long)p->first,
               (long long)(p->first + p->count), (long long)C);
    *out = *in;
    out->dim[in->rank - 1] = p->count;
    return AT_OK;
}

static void columns_grad(at_graph *g, const at_node *n, at_value *const *dy, at_value **dx)
{
    columns_param p = *(const columns_param *)n->param;
    p.width = at_meta_cols(&n->in[0]->meta);
    if (dx[0]) dx[0] = at_op1(g, &at_op_columns_dx, &p, dy[0]);
}

static int64_t columns_offset(const void *param)
{
    return ((const columns_param *)param)->first;
}

static const at_op_case columns_cases[] = {
    {.name = "middle", .param = &(const columns_param){2, 3, 0}, .in = {{2, {4, 7}}}},
    {.name = "all", .param = &(const columns_param){0, 5, 0}, .in = {{3, {2, 2, 5}}}},
    {0},
};

const at_op at_op_columns = {.name = "columns",
                             .doc = "a run of columns, as a view",
                             .n_in = 1,
                             .n_out = 1,
                             .param_size = sizeof(columns_param),
                             .extent_in = 1,
                             .any_in = 1,
                             .view = true,
                             .infer = columns_infer,
                             .grad = columns_grad,
                             .view_offset = columns_offset,
                             .cases = columns_cases};

static at_status columns_dx_infer(at_ctx *ctx, const void *param, const at_meta *in, at_meta *out,
                                  at_meta *saved)
{
    (void)saved;
    const columns_param *p = param;
    AT_REQUIRE(ctx, at_meta_cols(in) == p->count && p->first + p->count <= p->width, AT_E_SHAPE,
               "columns_dx: dy must have %lld columns", (long long)p->count);
    *out = *in;
    out->dim[in->rank - 1] = p->width;
    return AT_OK;
}

static at_status columns_dx_ref(const at_call *c)
{
    const columns_param *p = c->param;
    for (int64_t m = 0; m < c->out[0].rows; m++) {
        const at_real *dy = at_row(c, 0, m);
        at_real *dx = at_out_row(c, 0, m);
        for (int64_t i = 0; i < p->width; i++)
            at_put(c, 0, &dx[i], i >= p->first && i < p->first + p->count ? (double)dy[i - p->first] : 0.0);
    }
    return AT_OK;
}

static const at_op_case columns_dx_cases[] = {
    {.name = "middle", .param = &(const columns_param){2, 3, 7}, .in = {{2, {4, 3}}}},
    {0},
};

const at_op at_op_columns_dx = {.name = "columns_dx",
                                .doc = "columns put back among zeros",
                                .n_in = 1,
                                .n_out = 1,
                                .param_size = sizeof(columns_param),
                                .extent_in = 1,
                                .any_in = 1,
                                .infer = columns_dx_infer,
                                .no_grad_reason = "a gradient itself",
                                .ref = columns_dx_ref,
                                .cases = columns_dx_cases};

at_value *at_columns(at_graph *g, at_value *x, int64_t first, int64_t count)
{
    return at_op1(g, &at_op_columns, (&(columns_param){first, count, 0}), x);
}

/* ---- append ---- */

static at_status append_infer(at_ctx *ctx, const void *param, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)param, (void)saved;
    AT_REQUIRE(ctx, in[0].rank == 2 && in[1].rank == 2 && in[0].dim[1] == in[1].dim[1], AT_E_SHAPE,
               "append: rows must have the state's %lld columns", (long long)in[0].dim[1]);
    AT_REQUIRE(ctx, at_meta_max_rows(&in[1]) <= in[0].dim[0], AT_E_SHAPE,
               "append: more rows than the state holds");
    AT_REQUIRE(ctx, in[2].rank == 1 && in[2].dim[0] == 1, AT_E_SHAPE, "append: the position is one integer");
    out[0] = in[0];
    return AT_OK;
}

static at_status append_ref(const at_call *c)
{
    const int64_t at = *at_int_row(c, 2, 0), rows = c->in[1].rows;
    if (at < 0 || at + rows > c->in[0].rows) return AT_E_INTERNAL; /* the caller checks positions */
    for (int64_t m = 0; m < rows; m++)
        memcpy((at_real *)c->in[0].data + (at + m) * c->in[0].pitch, at_row(c, 1, m),
               (size_t)c->in[1].cols * sizeof(at_real));
    return AT_OK;
}

const at_op at_op_append = {.name = "append",
                            .doc = "rows written into a state, visible to later nodes",
                            .n_in = 3,
                            .n_out = 1,
                            .extent_in = 2,
                            .int_in = 4,
                            .updates = 1,
                            .infer = append_infer,
                            .no_grad_reason = "decoding does not learn",
                            .ref = append_ref};

at_value *at_append(at_graph *g, at_state *state, at_value *rows, at_value *at)
{
    if (g->mode != AT_DECODE)
        at_graph_fail(g, AT_E_STATE, "append: only graphs in decode mode append to states");
    if (state->role != AT_CACHE) at_graph_fail(g, AT_E_STATE, "append: %s is not a cache", state->name);
    return at_op1(g, &at_op_append, NULL, at_read(g, state), rows, at);
}

/* ---- copy ---- */

static at_status copy_infer(at_ctx *ctx, const void *param, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)ctx, (void)param, (void)saved;
    out[0] = in[0];
    return AT_OK;
}

static void copy_grad(at_graph *g, const at_node *n, at_value *const *dy, at_value **dx)
{
    (void)g, (void)n;
    if (dx[0]) dx[0] = dy[0];
}

static at_status copy_ref(const at_call *c)
{
    for (int64_t m = 0; m < c->out[0].rows; m++) {
        const at_real *x = at_row(c, 0, m);
        at_real *y = at_out_row(c, 0, m);
        for (int64_t i = 0; i < c->out[0].cols; i++) at_put(c, 0, &y[i], (double)x[i]);
    }
    return AT_OK;
}

static const at_op_case copy_cases[] = {
    {.name = "rows", .in = {{2, {3, 5}}}},
    {.name = "empty", .in = {{2, {0, 5}}}},
    {0},
};

const at_op at_op_copy = {.name = "copy",
                          .doc = "y = x, or y += x",
                          .n_in = 1,
                          .n_out = 1,
                          .extent_in = 1,
                          .any_in = 1,
                          .infer = copy_infer,
                          .grad = copy_grad,
                          .ref = copy_ref,
                          .cases = copy_cases};
