/* softmax_xent: cross-entropy of softmax(z) with integer labels, as torch.nn.functional.cross_entropy defines
 * it. z logits [S,K] act   y labels [S] int, AT_NO_LABEL = not counted   w class weights [K] acc, absent =
 * ones row:  (1 - e) w_y (-log p_y) + e/K sum_c w_c (-log p_c),   p = softmax(z),   e the smoothing loss_sum
 * [1] acc = sum over counted rows,   weight_sum [1] acc = sum of w_y over counted rows The mean loss is
 * loss_sum / weight_sum, divided once over the whole global batch, not here. saved: dlogits [S,K] act = d
 * loss_sum / dz:  dz_j = p_j (a + sum_c b_c) - a [j = y] - b_j, a = (1 - e) w_y,  b_c = e/K w_c;  rows that
 * are not counted are zero. Log-sum-exp by the row's maximum; a NaN logit in a counted row makes the loss
 * NaN. */
#include "ops/softmax_xent/softmax_xent.h"
#include <math.h>

static at_status infer(at_ctx *ctx, const void *param, const at_meta *in, at_meta *out, at_meta *saved)
{
    const at_softmax_xent_param *p = param;
    AT_REQUIRE(ctx, p->smoothing >= 0 && p->smoothing <= 1, AT_E_RANGE,
               "softmax_xent: label smoothing is %g, must be in [0, 1]", p->smoothing);
    AT_REQUIRE(ctx, in[0].rank == 2 && in[0].extent && in[0].dim[1] >= 1, AT_E_SHAPE,
               "softmax_xent: logits must be [S,K] on an extent");
    AT_REQUIRE(ctx, in[1].rank == 1 && in[1].extent == in[0].extent && in[1].dim[0] == in[0].dim[0],
               AT_E_SHAPE, "softmax_xent: labels must be [S], one for each row of the logits");
    AT_REQUIRE(ctx, !in[2].rank || at_is_vector(&in[2], in[0].dim[1]), AT_E_SHAPE,
               "softmax_xent: class weights must be [K=%lld]", (long long)in[0].dim[1]);
    out[0] = out[1] = at_meta_vector(AT_ACC, 1);
    saved[0] = in[0];
    return AT_OK;
}

static void grad(at_graph *g, const at_node *n, at_value *const *dy, at_value **dx)
{
    (void)g, (void)dy;
    if (dx[0]) dx[0] = n->saved[0];
}

/* One counted row: returns its loss, writes its gradient unless there is nowhere to. */
static double ref_row(const at_call *c, int64_t m, int32_t label, double smoothing)
{
    const int64_t K = c->in[0].cols;
    const at_real *z = at_row(c, 0, m), *w = c->in[2].data;
    double max = -INFINITY, sum = 0.0, weights = 0.0;
    for (int64_t j = 0; j < K; j++)
        if (!((double)z[j] <= max)) max = (double)z[j]; /* a NaN is taken, and stays or spoils the sum */
    for (int64_t j = 0; j < K; j++) sum += exp((double)z[j] - max);
    const double log_sum = log(sum), a = (1 - smoothing) * (w ? (double)w[label] : 1.0);
    double loss = a != 0 ? a * (log_sum - ((double)z[label] - max)) : 0.0 * sum; /* 0 times NaN is NaN */
    for (int64_t j = 0; j < K && smoothing > 0; j++) { /* without smoothing a logit of -inf is no harm */
        const double b = smoothing / (double)K * (w ? (double)w[j] : 1.0);
        if (b != 0) loss += b * (log_sum - ((double)z[j] - max));
        weights += b;
    }
    if (!c->out[2].data) return loss;
    for (int64_t j = 0; j < K; j++) {
        const double b = smoothing / (double)K * (w ? (double)w[j] : 1.0);
        const double p = exp((double)z[j] - max) / sum;
        at_put(c, 2, &at_out_row(c, 2, m)[j], p * (a + weights) - (j == label ? a : 0.0) - b);
    }
    return loss;
}

static at_status ref(const at_call *c)
{
    const double smoothing = ((const at_softmax_xent_param *)c->param)->smoothing;
    const int64_t K = c->in[0].cols;
    const at_real *w = c->in[2].data;
    double loss = 0.0, weight = 0.0;
    for (int64_t m = 0; m < c->in[0].rows; m++) {
        const int32_t label = at_int_row(c, 1, m)[0];
        if (label == AT_NO_LABEL) {
            for (int64_t j = 0; j < K && c->out[2].data; j++) at_put(c, 2, &at_out_row(c, 2, m)[j], 0.0);
            continue;
        }
        if (label < 0 || label >= K) return AT_E_INTERNAL; /* checked where the batch was filled */
        loss += ref_row(c, m, label, smoothing);
        weight += w ? (double)w[label] : 1.0;
    }
    if (c->out[0].data) at_put(c, 0, at_out_row(c, 0, 0), loss);
    if (c->out[1].data) at_put(c, 1, at_out_row(c, 1, 0), weight);
    return AT_OK;
}

#define PLAIN                                                                                                \
    .param = &(const at_softmax_xent_param)                                                                  \
    {                                                                                                        \
        0                                                                                                    \
    }
#define SMOOTH                                                                                               \
    .param = &(const at_softmax_xent_param)                                                                  \
    {                                                                                                        \
        0.1                                                                                                  \
    }

static const at_op_case cases[] = {
    {.name = "two", PLAIN, .in = {{2, {5, 2}}, {1, {5}}}, .int_below = 2},
    {.name = "odd", PLAIN, .in = {{2, {3, 37}}, {1, {3}}}, .int_below = 37, .low = -4, .high = 4},
    {.name = "smooth", SMOOTH, .in = {{2, {4, 10}}, {1, {4}}}, .int_below = 10, .low = -3, .high = 3},
    {.name = "weighted", PLAIN, .in = {{2, {4, 5}}, {1, {4}}, {1, {5}}}, .int_below = 5, .positive = 4},
    {.name = "weighted_smooth",
     SMOOTH,
     .in = {{2, {6, 7}}, {1, {6}}, {1, {7}}},
     .int_below = 7,
     .positive = 4},
    {.name = "one", SMOOTH, .in = {{2, {1, 3}}, {1, {1}}}, .int_below = 3},
    {.name = "empty", PLAIN, .in = {{2, {0, 4}}, {1, {0}}}, .int_below = 4},
    {.name = "large",
     SMOOTH,
     .in = {{2, {65, 1000}}, {1, {65}}, {1, {1000}}},
     .int_below = 1000,
     .low = -9,
     .high = 9,
     .positive = 4,
     .large = true},
    {.name = "large_rows",
     PLAIN,
     .in = {{2, {9000, 3}}, {1, {9000}}},
     .int_below = 3,
     .low = -9,
     .high = 9,
     .large = true},
    {0},
};

static const at_op_case refused[] = {
    {.name = "must be in [0, 1]",
     .param = &(const at_softmax_xent_param){1.5},
     .in = {{2, {3, 4}}, {1, {3}}}},
    {.name = "logits must be [S,K]", PLAIN, .in = {{3, {3, 4, 5}}, {1, {3}}}},
    {.name = "labels must be [S]", PLAIN, .in = {{2, {3, 4}}, {1, {2}}}},
    {.name = "class weights must be [K=4]", PLAIN, .in = {{2, {3, 4}}, {1, {3}}, {1, {3}}}},
    {0},
};

const at_op at_op_softmax_xent = {.name = "softmax_xent",
                                  .doc =
                                      "cross-entropy of softmax with integer labels: sum and sum of weights",
                                  .n_in = 3,
                                  .n_out = 2,
                                  .n_saved = 1,
                                  .param_size = sizeof(at_softmax_xent_param),
                                  .optional_in = 4,
                                  .extent_in = 3,
                                  .int_in = 2,
                                  .acc_in = 4,
                                  .constant_in = 4,
                                  .inplace = {{0, 2}},
                                  .n_inplace = 1,
                                  .loss = true,
                                  .infer = infer,
                                  .grad = grad,
                                  .ref = ref,
                                  .cases = cases,
                                  .refused = refused};

at_loss at_softmax_xent(at_graph *g, at_value *logits, at_value *labels, at_value *class_weight,
                        double smoothing)
{
    const at_node *n =
        at_opn(g, &at_op_softmax_xent, (&(at_softmax_xent_param){smoothing}), logits, labels, class_weight);
    return (at_loss){n->out[0], n->out[1]};
}
