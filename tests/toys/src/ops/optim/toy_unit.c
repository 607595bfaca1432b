/* toy_unit: x = x - rate g / |g|, |g| the L2 norm of the tensor's gradient: every tensor moves by its rate,
 * however large its gradient. A stand-in for optimisers that need a norm per tensor. */
#include "ops/optim/optim.h"
#include <math.h>

static at_status infer(at_ctx *ctx, const void *p, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)out, (void)saved;
    const at_ranges *r = p;
    AT_REQUIRE(ctx, in[2].dim[0] == r->n, AT_E_SHAPE,
               "toy_unit: one sum of squares for each of the %lld tensors", (long long)r->n);
    return AT_OK;
}

static at_status ref(const at_call *c)
{
    const at_ranges *r = c->param;
    at_real *x = c->in[0].data;
    if (!((double)at_row(c, 3, 0)[0] > 0)) return AT_OK;
    for (int64_t t = 0; t < r->n; t++) {
        const double norm = sqrt((double)at_row(c, 2, 0)[t]);
        const double step = (double)at_row(c, 4, 0)[0] * r->list[t].rate / norm;
        for (int64_t i = r->list[t].lo; i < r->list[t].hi && norm > 0; i++)
            x[i] = (at_real)((double)x[i] - step * (double)at_row(c, 1, 0)[i]);
    }
    return AT_OK;
}

/* in: master*, gradient, sums of squares, ok, rate   (* overwritten) */
static const at_op at_op_toy_unit = {.name = "toy_unit",
                                     .doc = "steps of a given length for each tensor",
                                     .n_in = 5,
                                     .param_size = sizeof(at_ranges),
                                     .acc_in = 31,
                                     .updates = 1,
                                     .infer = infer,
                                     .no_grad_reason = "the update itself does not learn",
                                     .ref = ref};

static void build(at_graph *g, const at_update *u, const void *options)
{
    (void)options;
    at_opn(g, &at_op_toy_unit, &u->ranges, u->master, u->gradient, u->tensor_sums, u->ok, u->rate);
}

const at_optimizer at_optimizer_toy_unit = {
    .name = "toy-unit", .doc = "every tensor moves by its learning rate", .build = build};
