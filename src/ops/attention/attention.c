/* attention: y_i = sum_j P_ij v_j,   P_i = softmax over j of scale q_i . k_j          (Vaswani et al. 2017)
 * for each sample and head, i and j counting the sample's rows; j goes where window and causal allow.
 * q, k, v, y [R,heads D] act on ragged rows   offsets [Smax+1] int   saved: L [R,heads] acc, L_i = log sum_j
 * exp(scale q_i . k_j)
 *
 * Only L is kept; the gradient computes P_ij = exp(scale q_i . k_j - L_i) again          (Dao et al. 2022):
 *   dP_ij = dy_i . v_j,   dS_ij = P_ij (dP_ij - dy_i . y_i)
 *   dq_i = scale sum_j dS_ij k_j,   dk_j = scale sum_i dS_ij q_i,   dv_j = sum_i P_ij dy_i
 *
 * attention_dropout, an op of its own because it draws: y_i = sum_j P_ij z_ij v_j with z_ij = 1 / (1 - p) or,
 * with probability p, 0; then dP_ij and the P_ij of dv_j take z_ij, too. */
#include "ops/attention/attention.h"
#include <math.h>

enum { SAMPLE_ID = 4, Y = 4, LOG_SUM, DY, DX_SAMPLE_ID }; /* inputs behind offsets: forward; gradient */

static int64_t head_dim(const at_attention_param *p, const at_meta *query)
{
    return query->dim[1] / p->heads;
}

static at_status check(at_ctx *ctx, const char *name, const at_attention_param *p, const at_meta *in)
{
    AT_REQUIRE(ctx, in[0].rank == 2 && in[0].extent, AT_E_SHAPE, "%s: query must be [R,C] on an extent",
               name);
    AT_REQUIRE(ctx, at_same_shape(&in[0], &in[1]) && at_same_shape(&in[0], &in[2]), AT_E_SHAPE,
               "%s: query, key and value differ in shape", name);
    AT_REQUIRE(ctx, p->heads >= 1 && in[0].dim[1] % p->heads == 0 && in[0].dim[1] >= 1, AT_E_SHAPE,
               "%s: %lld columns do not divide among %lld heads", name, (long long)in[0].dim[1],
               (long long)p->heads);
    AT_REQUIRE(ctx, in[3].rank == 1 && !in[3].extent && in[3].dim[0] >= 2, AT_E_SHAPE,
               "%s: offsets must be [samples + 1]", name);
    AT_REQUIRE(ctx, p->window >= 0, AT_E_RANGE, "%s: window is %lld, must not be negative", name,
               (long long)p->window);
    AT_REQUIRE(ctx, p->dropout >= 0 && p->dropout < 1, AT_E_RANGE, "%s: dropout is %g, must be in [0, 1)",
               name, p->dropout);
    return AT_OK;
}

static at_status check_sample_id(at_ctx *ctx, const char *name, const at_meta *offsets, const at_meta *id)
{
    AT_REQUIRE(ctx, id->rank == 1 && id->extent && id->dim[0] == offsets->dim[0] - 1, AT_E_SHAPE,
               "%s: sample_id must be [%lld] on the extent of samples", name, (long long)offsets->dim[0] - 1);
    return AT_OK;
}

static at_meta log_sums(const at_attention_param *p, const at_meta *query)
{
    at_meta m = *query;
    m.type = AT_ACC;
    m.dim[1] = p->heads;
    return m;
}

static at_status infer(at_ctx *ctx, const void *param, const at_meta *in, at_meta *out, at_meta *saved)
{
    const at_attention_param *p = param;
    AT_TRY(check(ctx, "attention", p, in));
    AT_REQUIRE(ctx, p->dropout == 0, AT_E_RANGE, "attention: dropout is another op's");
    out[0] = in[0];
    saved[0] = log_sums(p, &in[0]);
    return AT_OK;
}

static void grad(at_graph *g, const at_node *n, at_value *const *dy, at_value **dx)
{
    const at_attention_dx_param p = {*(const at_attention_param *)n->param, n->occurrence};
    at_value *sample_id = n->n_in > SAMPLE_ID ? n->in[SAMPLE_ID] : NULL;
    const at_node *d = at_opn(g, &at_op_attention_dx, &p, n->in[0], n->in[1], n->in[2], n->in[3], n->out[0],
                              n->saved[0], dy[0], sample_id);
    for (int i = 0; i < 3; i++)
        if (dx[i]) dx[i] = d->out[i];
}

/* ---- reference: one head of one sample at a time ---- */

typedef struct head {
    const at_call *c;
    const at_attention_param *p;
    int64_t first, rows, h, D; /* the sample's rows; head h has columns [h D, h D + D) */
    uint64_t stream;
    uint32_t occurrence;
    double *a, *b; /* a row's or a column's numbers, in scratch */
} head;

static const at_real *row_of(const head *t, int in, int64_t i)
{
    return at_row(t->c, in, t->first + i) + t->h * t->D;
}

static double dot(const at_real *x, const at_real *y, int64_t n)
{
    double sum = 0.0;
    for (int64_t i = 0; i < n; i++) sum += (double)x[i] * (double)y[i];
    return sum;
}

static double score(const head *t, int64_t i, int64_t j)
{
    return t->p->scale * dot(row_of(t, AT_ATTENTION_QUERY, i), row_of(t, AT_ATTENTION_KEY, j), t->D);
}

/* z_ij */
static double kept(const head *t, int64_t i, int64_t j)
{
    const double p = t->p->dropout;
    if (p == 0) return 1.0;
    return at_rng_uniform(t->c->key, t->stream, t->occurrence, at_attention_index(i, j)) >= p ? 1 / (1 - p)
                                                                                              : 0.0;
}

static void for_heads(const at_call *c, const at_attention_param *p, int sample_id, uint32_t occurrence,
                      void (*run)(const head *t))
{
    const int64_t samples = at_attention_samples(c);
    const int32_t *offsets = at_int_row(c, AT_ATTENTION_OFFSETS, 0);
    head t = {.c = c, .p = p, .D = c->in[0].cols / p->heads, .occurrence = occurrence, .a = c->scratch};
    t.b = t.a + c->in[0].rows;
    for (int64_t s = 0; s < samples; s++)
        for (t.h = 0; t.h < p->heads; t.h++) {
            t.first = offsets[s];
            t.rows = offsets[s + 1] - offsets[s];
            t.stream = p->dropout > 0 ? at_attention_stream(at_int_row(c, sample_id, s)[0], t.h) : 0;
            run(&t);
        }
}

static void forward_row(const head *t, int64_t i)
{
    const at_call *c = t->c;
    const int64_t first = at_attention_first(t->p, i), last = at_attention_last(t->p, i, t->rows);
    double max = -INFINITY, sum = 0.0;
    for (int64_t j = first; j < last; j++) {
        t->a[j] = score(t, i, j);
        if (!(t->a[j] <= max)) max = t->a[j]; /* a NaN is taken, and stays or spoils the sum */
    }
    for (int64_t j = first; j < last; j++) sum += t->a[j] = exp(t->a[j] - max);
    for (int64_t j = first; j < last; j++) t->a[j] *= kept(t, i, j) / sum;
    for (int64_t d = 0; d < t->D && c->out[0].data; d++) {
        double y = 0.0;
        for (int64_t j = first; j < last; j++) y += t->a[j] * (double)row_of(t, AT_ATTENTION_VALUE, j)[d];
        at_put(c, 0, &at_out_row(c, 0, t->first + i)[t->h * t->D + d], y);
    }
    if (c->out[1].data) at_put(c, 1, &at_out_row(c, 1, t->first + i)[t->h], max + log(sum));
}

static void forward_head(const head *t)
{
    for (int64_t i = 0; i < t->rows; i++) forward_row(t, i);
}

static at_status ref_fwd(const at_call *c)
{
    for_heads(c, c->param, SAMPLE_ID, c->occurrence, forward_head);
    return AT_OK;
}

static void ref_need(const at_problem *p, at_need *out)
{
    out->scratch = 2 * sizeof(double) * (size_t)at_meta_max_rows(&p->in[0]);
}

/* Products of a sample with all rows, as many as samples of even length would need. */
static double pair_flops(const at_meta *in, double products)
{
    const double rows = (double)at_meta_max_rows(&in[0]), samples = (double)(in[3].dim[0] - 1);
    return products * 2.0 * rows * fmax(1, rows / samples) * (double)at_meta_cols(&in[0]);
}

static double flops(const void *param, const at_meta *in, const at_meta *out)
{
    (void)param, (void)out;
    return pair_flops(in, 2);
}

#define PARAM(...)                                                                                           \
    .param = &(const at_attention_param)                                                                     \
    {                                                                                                        \
        __VA_ARGS__                                                                                          \
    }
#define LENGTHS_3 .lengths = (const int[]){1, 5, 2}, .n_lengths = 3     /* 8 rows */
#define LENGTHS_4 .lengths = (const int[]){2, 67, 0, 1}, .n_lengths = 4 /* 70 rows: longer than a block */
#define LENGTHS_5 .lengths = (const int[]){130, 17, 64, 1, 88}, .n_lengths = 5 /* 300 rows */
#define INPUTS(rows, cols, samples)                                                                          \
    .in = {{2, {rows, cols}}, {2, {rows, cols}}, {2, {rows, cols}}, {1, {samples + 1}}}
#define WIDE .low = -2, .high = 2

static const at_op_case cases[] = {
    {.name = "heads", PARAM(.heads = 2, .scale = 0.5), LENGTHS_3, INPUTS(8, 4, 3), WIDE},
    {.name = "odd", PARAM(.heads = 3, .scale = 0.7), LENGTHS_3, INPUTS(8, 6, 3), WIDE},
    {.name = "causal", PARAM(.heads = 2, .scale = 0.5, .causal = 1), LENGTHS_3, INPUTS(8, 4, 3), WIDE},
    {.name = "window", PARAM(.heads = 1, .scale = 1, .window = 5), LENGTHS_3, INPUTS(8, 4, 3), WIDE},
    {.name = "window_causal",
     PARAM(.heads = 1, .scale = 1, .window = 4, .causal = 1),
     LENGTHS_3,
     INPUTS(8, 3, 3),
     WIDE},
    {.name = "blocks", PARAM(.heads = 1, .scale = 1), LENGTHS_4, INPUTS(70, 2, 4), WIDE},
    {.name = "blocks_window", PARAM(.heads = 1, .scale = 1, .window = 20), LENGTHS_4, INPUTS(70, 2, 4), WIDE},
    {.name = "empty",
     PARAM(.heads = 2, .scale = 1),
     .lengths = (const int[]){0},
     .n_lengths = 1,
     INPUTS(0, 8, 1)},
    {.name = "large", PARAM(.heads = 2, .scale = 0.18), LENGTHS_5, INPUTS(300, 64, 5), WIDE, .large = true},
    {.name = "large_wide",
     PARAM(.heads = 1, .scale = 0.12),
     LENGTHS_5,
     INPUTS(300, 67, 5),
     WIDE,
     .large = true},
    {.name = "large_causal",
     PARAM(.heads = 2, .scale = 0.18, .causal = 1),
     LENGTHS_5,
     INPUTS(300, 40, 5),
     WIDE,
     .large = true},
    {.name = "large_window",
     PARAM(.heads = 2, .scale = 0.18, .window = 31),
     LENGTHS_5,
     INPUTS(300, 40, 5),
     WIDE,
     .large = true},
    {.name = "large_scores", PARAM(.heads = 1, .scale = 9), LENGTHS_5, INPUTS(300, 16, 5), .large = true},
    {0},
};

static const at_op_case refused[] = {
    {.name = "do not divide among 3 heads", PARAM(.heads = 3), LENGTHS_3, INPUTS(8, 8, 3)},
    {.name = "key and value differ",
     PARAM(.heads = 2),
     LENGTHS_3,
     .in = {{2, {8, 8}}, {2, {8, 8}}, {2, {8, 6}}, {1, {4}}}},
    {.name = "query must be [R,C]",
     PARAM(.heads = 2),
     LENGTHS_3,
     .in = {{3, {8, 2, 8}}, {2, {8, 8}}, {2, {8, 8}}, {1, {4}}}},
    {.name = "offsets must be",
     PARAM(.heads = 2),
     LENGTHS_3,
     .in = {{2, {8, 8}}, {2, {8, 8}}, {2, {8, 8}}, {2, {4, 1}}}},
    {.name = "window is -1", PARAM(.heads = 2, .window = -1), LENGTHS_3, INPUTS(8, 8, 3)},
    {.name = "dropout is another op's", PARAM(.heads = 2, .dropout = 0.5), LENGTHS_3, INPUTS(8, 8, 3)},
    {0},
};

const at_op at_op_attention = {.name = "attention",
                               .doc = "scaled dot-product attention of each sample's rows among themselves",
                               .n_in = 4,
                               .n_out = 1,
                               .n_saved = 1,
                               .param_size = sizeof(at_attention_param),
                               .rows_in = 7,
                               .offsets_in = 8,
                               .int_in = 8,
                               .infer = infer,
                               .grad = grad,
                               .ref = ref_fwd,
                               .ref_need = ref_need,
                               .flops = flops,
                               .cases = cases,
                               .refused = refused};

/* ---- with dropout: in query, key, value, offsets, sample_id ---- */

static at_status dropout_infer(at_ctx *ctx, const void *param, const at_meta *in, at_meta *out,
                               at_meta *saved)
{
    AT_TRY(check(ctx, "attention_dropout", param, in));
    AT_TRY(check_sample_id(ctx, "attention_dropout", &in[3], &in[SAMPLE_ID]));
    out[0] = in[0];
    saved[0] = log_sums(param, &in[0]);
    return AT_OK;
}

#define DRAWN(rows, cols, samples)                                                                           \
    .in = {{2, {rows, cols}}, {2, {rows, cols}}, {2, {rows, cols}}, {1, {samples + 1}}, {1, {samples}}},     \
    .int_below = 1000

static const at_op_case dropout_cases[] = {
    {.name = "half", PARAM(.heads = 2, .scale = 0.5, .dropout = 0.5), LENGTHS_3, DRAWN(8, 4, 3), WIDE},
    {.name = "causal",
     PARAM(.heads = 2, .scale = 0.5, .dropout = 0.1, .causal = 1),
     LENGTHS_3,
     DRAWN(8, 6, 3),
     WIDE},
    {.name = "blocks", PARAM(.heads = 1, .scale = 1, .dropout = 0.2), LENGTHS_4, DRAWN(70, 2, 4), WIDE},
    {.name = "large",
     PARAM(.heads = 2, .scale = 0.18, .dropout = 0.1),
     LENGTHS_5,
     DRAWN(300, 64, 5),
     WIDE,
     .large = true},
    {0},
};

static const at_op_case dropout_refused[] = {
    {.name = "must be in [0, 1)", PARAM(.heads = 2, .dropout = 1), LENGTHS_3, DRAWN(8, 8, 3)},
    {.name = "sample_id must be [3]",
     PARAM(.heads = 2, .dropout = 0.5),
     LENGTHS_3,
     .in = {{2, {8, 8}}, {2, {8, 8}}, {2, {8, 8}}, {1, {4}}, {2, {3, 1}}}},
    {0},
};

const at_op at_op_attention_dropout = {.name = "attention_dropout",
                                       .doc = "attention whose probabilities are dropped at random",
                                       .n_in = 5,
                                       .n_out = 1,
                                       .n_saved = 1,
                                       .param_size = sizeof(at_attention_param),
                                       .extent_in = 16,
                                       .rows_in = 7,
                                       .offsets_in = 8,
                                       .int_in = 24,
                                       .stochastic = true,
                                       .infer = dropout_infer,
                                       .grad = grad,
                                       .ref = ref_fwd,
                                       .ref_need = ref_need,
                                       .flops = flops,
                                       .cases = dropout_cases,
                                       .refused = dropout_refused};

/* ---- gradient: in query, key, value, offsets, y, L, dy, sample_id or none -> dquery, dkey, dvalue ---- */

static at_status dx_infer(at_ctx *ctx, const void *param, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)saved;
    const at_attention_dx_param *p = param;
    AT_TRY(check(ctx, "attention_dx", &p->of, in));
    const at_meta sums = log_sums(&p->of, &in[0]);
    AT_REQUIRE(ctx, at_same_shape(&in[0], &in[Y]) && at_same_shape(&in[0], &in[DY]), AT_E_SHAPE,
               "attention_dx: query, y and dy differ in shape");
    AT_REQUIRE(ctx, at_same_shape(&in[LOG_SUM], &sums), AT_E_SHAPE, "attention_dx: L must be [R,heads=%lld]",
               (long long)p->of.heads);
    if (p->of.dropout > 0) AT_TRY(check_sample_id(ctx, "attention_dx", &in[3], &in[DX_SAMPLE_ID]));
    AT_REQUIRE(ctx, p->occurrence >= 0 && p->occurrence <= UINT32_MAX, AT_E_RANGE,
               "attention_dx: occurrence %lld", (long long)p->occurrence);
    out[0] = out[1] = out[2] = in[0];
    return AT_OK;
}

/* P_ij z_ij to *p, dS_ij to *ds. */
static void pair(const head *t, int64_t i, int64_t j, double *p, double *ds)
{
    const double z = kept(t, i, j),
                 P = exp(score(t, i, j) - (double)at_row(t->c, LOG_SUM, t->first + i)[t->h]);
    const double dP = z * dot(row_of(t, DY, i), row_of(t, AT_ATTENTION_VALUE, j), t->D);
    *p = P * z;
    *ds = P * (dP - dot(row_of(t, DY, i), row_of(t, Y, i), t->D));
}

/* out[o] of row i gets factor sum over rows j in [first, last) of w[j] in[j]. */
static void put_sum(const head *t, int o, int64_t i, double factor, const double *w, int in, int64_t first,
                    int64_t last)
{
    for (int64_t d = 0; d < t->D && t->c->out[o].data; d++) {
        double sum = 0.0;
        for (int64_t j = first; j < last; j++) sum += w[j] * (double)row_of(t, in, j)[d];
        at_put(t->c, o, &at_out_row(t->c, o, t->first + i)[t->h * t->D + d], factor * sum);
    }
}

/* The rows that attend to row j: [first, last), as window and causal have them. */
static void readers_of(const head *t, int64_t j, int64_t *first, int64_t *last)
{
    *first = t->p->causal ? j : at_attention_first(t->p, j);
    *last = t->p->window ? at_min(t->rows, j + t->p->window / 2 + 1) : t->rows;
}

static void gradient_head(const head *t)
{
    for (int64_t i = 0; i < t->rows; i++) {
        const int64_t first = at_attention_first(t->p, i), last = at_attention_last(t->p, i, t->rows);
        for (int64_t j = first; j < last; j++) pair(t, i, j, &t->a[j], &t->b[j]);
        put_sum(t, 0, i, t->p->scale, t->b, AT_ATTENTION_KEY, first, last);
    }
    for (int64_t j = 0; j < t->rows; j++) {
        int64_t first, last;
        readers_of(t, j, &first, &last);
        for (int64_t i = first; i < last; i++) pair(t, i, j, &t->a[i], &t->b[i]);
        put_sum(t, 1, j, t->p->scale, t->b, AT_ATTENTION_QUERY, first, last);
        put_sum(t, 2, j, 1.0, t->a, DY, first, last);
    }
}

static at_status ref_dx(const at_call *c)
{
    const at_attention_dx_param *p = c->param;
    for_heads(c, &p->of, DX_SAMPLE_ID, (uint32_t)p->occurrence, gradient_head);
    return AT_OK;
}

static double dx_flops(const void *param, const at_meta *in, const at_meta *out)
{
    (void)param, (void)out;
    return pair_flops(in, 5);
}

#define DX_PARAM(o, ...)                                                                                     \
    .param = &(const at_attention_dx_param)                                                                  \
    {                                                                                                        \
        {__VA_ARGS__}, o                                                                                     \
    }
#define DX_INPUTS(rows, cols, samples, heads)                                                                \
    .in = {{2, {rows, cols}}, {2, {rows, cols}},  {2, {rows, cols}}, {1, {samples + 1}},                     \
           {2, {rows, cols}}, {2, {rows, heads}}, {2, {rows, cols}}, {1, {samples}}},                        \
    .int_below = 1000

static const at_op_case dx_cases[] = {
    {.name = "odd", DX_PARAM(0, .heads = 3, .scale = 0.7), LENGTHS_3, DX_INPUTS(8, 15, 3, 3)},
    {.name = "causal", DX_PARAM(0, .heads = 2, .scale = 0.5, .causal = 1), LENGTHS_3, DX_INPUTS(8, 6, 3, 2)},
    {.name = "dropout",
     DX_PARAM(3, .heads = 2, .scale = 0.5, .dropout = 0.3),
     LENGTHS_3,
     DX_INPUTS(8, 8, 3, 2)},
    {.name = "blocks", DX_PARAM(0, .heads = 1, .scale = 1), LENGTHS_4, DX_INPUTS(70, 2, 4, 1)},
    {.name = "empty",
     DX_PARAM(0, .heads = 2, .scale = 1),
     .lengths = (const int[]){0},
     .n_lengths = 1,
     DX_INPUTS(0, 8, 1, 2)},
    {.name = "large",
     DX_PARAM(1, .heads = 2, .scale = 0.18, .dropout = 0.1),
     LENGTHS_5,
     DX_INPUTS(300, 64, 5, 2),
     .large = true},
    {.name = "large_wide",
     DX_PARAM(0, .heads = 1, .scale = 0.12),
     LENGTHS_5,
     DX_INPUTS(300, 67, 5, 1),
     .large = true},
    {.name = "large_window",
     DX_PARAM(0, .heads = 2, .scale = 0.18, .window = 31),
     LENGTHS_5,
     DX_INPUTS(300, 40, 5, 2),
     .large = true},
    {.name = "large_causal",
     DX_PARAM(0, .heads = 2, .scale = 0.18, .causal = 1, .window = 50),
     LENGTHS_5,
     DX_INPUTS(300, 40, 5, 2),
     .large = true},
    {0},
};

static const at_op_case dx_refused[] = {
    {.name = "L must be [R,heads=2]", DX_PARAM(0, .heads = 2), LENGTHS_3, DX_INPUTS(8, 8, 3, 3)},
    {.name = "occurrence -1", DX_PARAM(-1, .heads = 2), LENGTHS_3, DX_INPUTS(8, 8, 3, 2)},
    {.name = "y and dy differ",
     DX_PARAM(0, .heads = 2),
     LENGTHS_3,
     .in = {{2, {8, 8}}, {2, {8, 8}}, {2, {8, 8}}, {1, {4}}, {2, {8, 8}}, {2, {8, 2}}, {2, {8, 6}}}},
    {0},
};

const at_op at_op_attention_dx = {.name = "attention_dx",
                                  .doc = "gradient of attention and attention_dropout",
                                  .n_in = 8,
                                  .n_out = 3,
                                  .param_size = sizeof(at_attention_dx_param),
                                  .optional_in = 128,
                                  .extent_in = 128,
                                  .rows_in = 119,
                                  .offsets_in = 8,
                                  .int_in = 136,
                                  .acc_in = 32,
                                  .stochastic = true,
                                  .infer = dx_infer,
                                  .no_grad_reason = "a gradient itself",
                                  .ref = ref_dx,
                                  .ref_need = ref_need,
                                  .flops = dx_flops,
                                  .cases = dx_cases,
                                  .refused = dx_refused};

at_value *at_attention(at_graph *g, at_value *query, at_value *key, at_value *value, at_value *offsets,
                       const at_attention_options *o)
{
    at_attention_param p = {o->heads, o->window, o->causal, o->scale, g->mode == AT_TRAIN ? o->dropout : 0};
    if (p.scale == 0 && p.heads > 0) p.scale = 1 / sqrt((double)head_dim(&p, &query->meta));
    if (p.dropout == 0) return at_op1(g, &at_op_attention, &p, query, key, value, offsets);
    return at_op1(g, &at_op_attention_dropout, &p, query, key, value, offsets, o->sample_id);
}
