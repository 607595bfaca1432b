#include "ops/rowsum/rowsum.h"
static at_status infer(at_ctx *ctx, const void *p, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)ctx, (void)p, (void)saved;
    out[0] = at_meta_vector(AT_ACC, at_meta_cols(&in[0]));
    return AT_OK;
}
static at_status ref(const at_call *c)
{
    for (int64_t i = 0; i < c->out[0].cols; i++) {
        double s = 0;
        for (int64_t m = 0; m < c->in[0].rows; m++) s += (double)at_row(c, 0, m)[i];
        at_put(c, 0, &at_out_row(c, 0, 0)[i], s);
    }
    return AT_OK;
}
static const at_op_case cases[] = {{.name = "a", .in = {{2, {3, 5}}}}, {0}};
const at_op at_op_rowsum = {.name = "rowsum",
                            .doc = "x",
                            .n_in = 1,
                            .n_out = 1,
                            .extent_in = 1,
                            .infer = infer,
                            .no_grad_reason = "g",
                            .ref = ref,
                            .cases = cases};
at_value *at_rowsum(at_graph *g, at_value *x)
{
    return at_op1(g, &at_op_rowsum, NULL, x);
}
