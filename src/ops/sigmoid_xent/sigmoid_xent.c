/* sigmoid_xent: binary cross-entropy of sigmoid(z) with K yes-or-no targets a sample, as
 * torch.nn.functional.binary_cross_entropy_with_logits(reduction="sum") defines it.
 *   z logits [S,K] act   y targets [S,K] acc in [0, 1]   w [K] acc weight of the positive, absent = ones
 *   loss_sum [1] acc = sum w_k y softplus(-z) + (1 - y) softplus(z),   softplus(x) = max(x, 0) + log(1 +
 * e^-|x|) count [1] acc = S K: the mean is over samples and targets, and taken over the whole batch, not here
 *   saved: dlogits [S,K] act = (1 - y) p - w_k y (1 - p),   p = sigmoid(z)
 * A NaN logit makes the loss NaN. */
#include "ops/sigmoid_xent/sigmoid_xent.h"
#include <math.h>

static at_status infer(at_ctx *ctx, const void *param, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)param;
    AT_REQUIRE(ctx, in[0].rank == 2 && in[0].extent && in[0].dim[1] >= 1, AT_E_SHAPE,
               "sigmoid_xent: logits must be [S,K] on an extent");
    AT_REQUIRE(ctx, at_same_shape(&in[0], &in[1]), AT_E_SHAPE,
               "sigmoid_xent: targets must be [S,K], one for each logit");
    AT_REQUIRE(ctx, !in[2].rank || at_is_vector(&in[2], in[0].dim[1]), AT_E_SHAPE,
               "sigmoid_xent: weights of the positives must be [K=%lld]", (long long)in[0].dim[1]);
    out[0] = out[1] = at_meta_vector(AT_ACC, 1);
    saved[0] = in[0];
    return AT_OK;
}

static void grad(at_graph *g, const at_node *n, at_value *const *dy, at_value **dx)
{
    (void)g, (void)dy;
    if (dx[0]) dx[0] = n->saved[0];
}

static double softplus(double x)
{
    return (x > 0 ? x : 0.0) + log1p(exp(-fabs(x)));
}

static double sigmoid(double x)
{
    const double e = exp(-fabs(x));
    return (x < 0 ? e : 1.0) / (1.0 + e);
}

/* Of a product with 0, 0: a target that is certain does not mind an infinite logit on its side. */
static double times(double weight, double x)
{
    return weight != 0 ? weight * x : 0.0 * (isnan(x) ? x : 0.0);
}

static at_status ref(const at_call *c)
{
    const int64_t K = c->in[0].cols;
    const at_real *w = c->in[2].data;
    double loss = 0.0;
    for (int64_t s = 0; s < c->in[0].rows; s++)
        for (int64_t k = 0; k < K; k++) {
            const double z = (double)at_row(c, 0, s)[k], y = (double)at_row(c, 1, s)[k];
            const double yes = (w ? (double)w[k] : 1.0) * y, no = 1.0 - y;
            loss += times(yes, softplus(-z)) + times(no, softplus(z));
            if (c->out[2].data) at_put(c, 2, &at_out_row(c, 2, s)[k], no * sigmoid(z) - yes * sigmoid(-z));
        }
    if (c->out[0].data) at_put(c, 0, at_out_row(c, 0, 0), loss);
    if (c->out[1].data) at_put(c, 1, at_out_row(c, 1, 0), (double)(c->in[0].rows * K));
    return AT_OK;
}

static const at_op_case cases[] = {
    {.name = "some", .in = {{2, {5, 3}}, {2, {5, 3}}}, .low = 0, .high = 1},
    {.name = "weighted", .in = {{2, {4, 7}}, {2, {4, 7}}, {1, {7}}}, .low = 0, .high = 1, .positive = 4},
    {.name = "one", .in = {{2, {1, 1}}, {2, {1, 1}}}, .low = 0, .high = 1},
    {.name = "empty", .in = {{2, {0, 4}}, {2, {0, 4}}}},
    {.name = "large",
     .in = {{2, {70, 1067}}, {2, {70, 1067}}, {1, {1067}}},
     .low = 0,
     .high = 1,
     .positive = 5,
     .large = true},
    {.name = "large_rows", .in = {{2, {9000, 6}}, {2, {9000, 6}}}, .low = -2, .high = 2, .large = true},
    {0},
};

static const at_op_case refused[] = {
    {.name = "logits must be [S,K]", .in = {{3, {3, 4, 5}}, {2, {3, 4}}}},
    {.name = "targets must be [S,K]", .in = {{2, {3, 4}}, {2, {3, 5}}}},
    {.name = "weights of the positives must be [K=4]", .in = {{2, {3, 4}}, {2, {3, 4}}, {1, {3}}}},
    {0},
};

const at_op at_op_sigmoid_xent = {.name = "sigmoid_xent",
                                  .doc = "binary cross-entropy of sigmoid with K targets: sum and number",
                                  .n_in = 3,
                                  .n_out = 2,
                                  .n_saved = 1,
                                  .optional_in = 4,
                                  .extent_in = 3,
                                  .acc_in = 6,
                                  .constant_in = 6,
                                  .inplace = {{0, 2}},
                                  .n_inplace = 1,
                                  .loss = true,
                                  .infer = infer,
                                  .grad = grad,
                                  .ref = ref,
                                  .cases = cases,
                                  .refused = refused};

at_loss at_sigmoid_xent(at_graph *g, at_value *logits, at_value *targets, at_value *positive_weight)
{
    const at_node *n = at_opn(g, &at_op_sigmoid_xent, NULL, logits, targets, positive_weight);
    return (at_loss){n->out[0], n->out[1]};
}
