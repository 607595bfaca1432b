/* sgd: g = scale * gradient + wd x,  b = mu b + g,  x = x - lr b, or x - lr (g + mu b) with Nesterov's
 * momentum (Sutskever et al. 2013, in PyTorch's form). Without momentum there is no b. */
#include "ops/optim/sgd.h"

static at_status infer(at_ctx *ctx, const void *p, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)out, (void)saved;
    const at_sgd_param *q = p;
    AT_REQUIRE(ctx, in[1].dim[0] == in[0].dim[0] && (!in[2].rank || in[2].dim[0] == in[0].dim[0]), AT_E_SHAPE,
               "sgd: master, gradient and momentum differ in size");
    AT_REQUIRE(ctx, in[2].rank || q->momentum == 0, AT_E_ARG, "sgd: momentum needs its slot");
    return AT_OK;
}

static at_status ref(const at_call *c)
{
    const at_sgd_param *p = c->param;
    at_real *x = c->in[0].data, *b = c->in[2].data;
    const at_real *g = c->in[1].data;
    if (!((double)at_row(c, 4, 0)[0] > 0)) return AT_OK;
    for (int64_t k = 0; k < p->ranges.n; k++) {
        const at_range *r = &p->ranges.list[k];
        const double scale = (double)at_row(c, 3, 0)[0], rate = (double)at_row(c, 5, 0)[0] * r->rate;
        for (int64_t i = r->lo; i < r->hi; i++) {
            const double gi = (double)g[i] * scale + r->decay * (double)x[i];
            const double bi = b ? p->momentum * (double)b[i] + gi : gi;
            if (b) b[i] = (at_real)bi;
            x[i] = (at_real)((double)x[i] - rate * (p->nesterov ? gi + p->momentum * bi : bi));
        }
    }
    return AT_OK;
}

static const at_range case_ranges[] = {{.lo = 0, .hi = 5, .rate = 1.0, .decay = 0.1},
                                       {.lo = 8, .hi = 9, .rate = 0.5}};
static const at_range large_ranges[] = {{.lo = 0, .hi = 40001, .rate = 1.0, .decay = 0.1},
                                        {.lo = 40016, .hi = 40050, .rate = 0.5}};
#define PARAM(r, mu, nesterov) (&(const at_sgd_param){{r, AT_COUNT(r)}, mu, nesterov})
#define INPUTS(n)                                                                                            \
    {                                                                                                        \
        {1, {n}}, {1, {n}}, {1, {n}}, {1, {1}}, {1, {1}},                                                    \
        {                                                                                                    \
            1,                                                                                               \
            {                                                                                                \
                1                                                                                            \
            }                                                                                                \
        }                                                                                                    \
    }

static const at_op_case cases[] = {
    {.name = "momentum", .param = PARAM(case_ranges, 0.9, 0), .in = INPUTS(9), .positive = 0x38},
    {.name = "nesterov", .param = PARAM(case_ranges, 0.9, 1), .in = INPUTS(9), .positive = 0x38},
    {.name = "not_ok",
     .param = PARAM(case_ranges, 0.9, 1),
     .in = INPUTS(9),
     .positive = 0x28,
     .low = -1,
     .high = -0.5},
    {.name = "large",
     .param = PARAM(large_ranges, 0.9, 1),
     .in = INPUTS(40050),
     .positive = 0x38,
     .large = true},
    {0},
};

static const at_op_case refused[] = {
    {.name = "differ in size",
     .param = PARAM(case_ranges, 0.9, 0),
     .in = {{1, {9}}, {1, {8}}, {1, {9}}, {1, {1}}, {1, {1}}, {1, {1}}}},
    {.name = "momentum needs its slot",
     .param = PARAM(case_ranges, 0.9, 0),
     .in = {{1, {9}}, {1, {9}}, {0}, {1, {1}}, {1, {1}}, {1, {1}}}},
    {0},
};

/* in: master*, gradient, momentum* (optional), scale, ok, rate   (* overwritten) */
const at_op at_op_sgd = {.name = "sgd",
                         .doc = "stochastic gradient descent on flat ranges",
                         .n_in = 6,
                         .optional_in = 4,
                         .param_size = sizeof(at_sgd_param),
                         .acc_in = 0x3f,
                         .updates = 5,
                         .infer = infer,
                         .no_grad_reason = "the update itself does not learn",
                         .ref = ref,
                         .cases = cases,
                         .refused = refused};

/* ---- The optimiser ---- */

static const at_option options[] = {
    {"momentum", AT_OPTION_REAL, AT_OPTION(at_sgd_options, momentum), "0.9", 0, 0.9999,
     .help = "how much of the previous direction is kept"},
    {"nesterov", AT_OPTION_FLAG, AT_OPTION(at_sgd_options, nesterov), "false",
     .help = "look ahead along the momentum"},
    {0},
};

const at_options at_options_sgd = {"sgd", options, sizeof(at_sgd_options)};

static int n_slots(const void *o)
{
    return ((const at_sgd_options *)o)->momentum > 0;
}

static void build(at_graph *g, const at_update *u, const void *o)
{
    const at_sgd_options *s = o;
    const at_sgd_param p = {u->ranges, s->momentum, s->nesterov};
    at_opn(g, &at_op_sgd, &p, u->master, u->gradient, s->momentum > 0 ? u->slot[0] : NULL, u->scale, u->ok,
           u->rate);
}

const at_optimizer at_optimizer_sgd = {.name = "sgd",
                                       .doc = "gradient descent with (Nesterov) momentum",
                                       .options = &at_options_sgd,
                                       .n_slots = n_slots,
                                       .slot_names = {"optimizer.momentum"},
                                       .build = build};
