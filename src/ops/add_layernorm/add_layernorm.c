/* add_layernorm: y = layernorm(s, weight, bias),  s = a + b          (residual blocks: Vaswani et al. 2017)
 *
 * a, b, y [..,C] act on an extent; weight, bias [C] acc, each may be absent
 * saved: mean, rstd [rows] acc, as layernorm saves them, and s, as y
 *
 * add and then layernorm in one pass; where no gradient needs s, it is never in memory. da = db = ds, which,
 * as dweight and dbias, is what layernorm's gradient gives. */
#include "ops/add_layernorm/add_layernorm.h"
#include "ops/add/add.h"
#include "ops/layernorm/layernorm.h"

static at_status infer(at_ctx *ctx, const void *param, const at_meta *in, at_meta *out, at_meta *saved)
{
    AT_TRY(at_op_add.infer(ctx, NULL, in, &saved[2], NULL));
    const at_meta of_layernorm[] = {saved[2], in[2], in[3]};
    return at_op_layernorm.infer(ctx, param, of_layernorm, out, saved);
}

static void grad(at_graph *g, const at_node *n, at_value *const *dy, at_value **dx)
{
    const bool wants_sum = dx[0] || dx[1];
    at_node layernorm = {.param = n->param,
                         .n_in = 3,
                         .in = {n->out[AT_ADD_LAYERNORM_SUM], n->in[2], n->n_in > 3 ? n->in[3] : NULL},
                         .out = {n->out[0], n->out[AT_ADD_LAYERNORM_MEAN], n->out[AT_ADD_LAYERNORM_RSTD]}};
    layernorm.saved = &layernorm.out[1];
    at_value *d[] = {wants_sum ? n->out[AT_ADD_LAYERNORM_SUM] : NULL, n->n_in > 2 ? dx[2] : NULL,
                     n->n_in > 3 ? dx[3] : NULL};
    at_op_layernorm.grad(g, &layernorm, dy, d);
    for (int i = 0; i < n->n_in; i++)
        if (dx[i]) dx[i] = d[i < 2 ? 0 : i - 1];
}

/* The sums in scratch. */
static void ref_need(const at_problem *p, at_need *out)
{
    out->scratch = (size_t)(at_meta_max_rows(&p->out[0]) * at_meta_cols(&p->out[0])) * sizeof(at_real);
}

static at_status ref(const at_call *c)
{
    const int64_t C = c->out[0].cols;
    at_call then = *c;
    then.in[0].data = c->scratch;
    then.in[0].pitch = C;
    then.in[1] = c->in[2];
    then.in[2] = c->in[3];
    for (int64_t m = 0; m < c->in[0].rows; m++)
        for (int64_t i = 0; i < C; i++) {
            const double sum = (double)at_row(c, 0, m)[i] + (double)at_row(c, 1, m)[i];
            ((at_real *)c->scratch)[m * C + i] = (at_real)at_between(c, sum);
            if (c->out[AT_ADD_LAYERNORM_SUM].data)
                at_put(c, AT_ADD_LAYERNORM_SUM, &at_out_row(c, AT_ADD_LAYERNORM_SUM, m)[i], sum);
        }
    return at_op_layernorm.ref(&then);
}

#define EPS                                                                                                  \
    .param = &(const at_layernorm_param)                                                                     \
    {                                                                                                        \
        1e-5                                                                                                 \
    }

static const at_op_case cases[] = {
    {.name = "rows", EPS, .in = {{2, {6, 8}}, {2, {6, 8}}, {1, {8}}, {1, {8}}}},
    {.name = "odd",
     .param = &(const at_layernorm_param){1e-12},
     .in = {{3, {2, 3, 37}}, {3, {2, 3, 37}}, {1, {37}}, {1, {37}}},
     .low = -1,
     .high = 3},
    {.name = "no bias", EPS, .in = {{2, {4, 9}}, {2, {4, 9}}, {1, {9}}}},
    {.name = "plain", EPS, .in = {{2, {4, 5}}, {2, {4, 5}}}},
    {.name = "bias only", EPS, .in = {{2, {4, 5}}, {2, {4, 5}}, {0}, {1, {5}}}},
    {.name = "one", EPS, .in = {{2, {1, 3}}, {2, {1, 3}}, {1, {3}}, {1, {3}}}},
    {.name = "empty", EPS, .in = {{2, {0, 8}}, {2, {0, 8}}, {1, {8}}, {1, {8}}}},
    {.name = "large", EPS, .in = {{2, {131, 384}}, {2, {131, 384}}, {1, {384}}, {1, {384}}}, .large = true},
    {.name = "large_odd",
     EPS,
     .in = {{2, {70, 1031}}, {2, {70, 1031}}, {1, {1031}}, {1, {1031}}},
     .large = true},
    {0},
};

static const at_op_case refused[] = {
    {.name = "the inputs differ in shape", EPS, .in = {{2, {3, 4}}, {2, {3, 5}}, {1, {4}}, {1, {4}}}},
    {.name = "weight must be [C=4]", EPS, .in = {{2, {3, 4}}, {2, {3, 4}}, {1, {3}}, {1, {4}}}},
    {0},
};

static double flops(const void *param, const at_meta *in, const at_meta *out)
{
    return at_op_layernorm.flops(param, in, out) +
           (double)at_meta_max_rows(&in[0]) * (double)at_meta_cols(&in[0]);
}

const at_op at_op_add_layernorm = {.name = "add_layernorm",
                                   .doc = "normalisation of each row of a + b: add and layernorm",
                                   .n_in = 4,
                                   .n_out = 1,
                                   .n_saved = 3,
                                   .param_size = sizeof(at_layernorm_param),
                                   .optional_in = 12,
                                   .extent_in = 3,
                                   .acc_in = 12,
                                   .inplace = {{0, AT_ADD_LAYERNORM_SUM}, {1, 0}},
                                   .n_inplace = 2,
                                   .infer = infer,
                                   .grad = grad,
                                   .ref = ref,
                                   .ref_need = ref_need,
                                   .flops = flops,
                                   .cases = cases,
                                   .refused = refused};

const at_fusion at_fusion_add_layernorm = {
    .name = "add_layernorm", .first = &at_op_add, .then = &at_op_layernorm, .fused = &at_op_add_layernorm};
