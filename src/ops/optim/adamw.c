/* adamw: m = b1 m + (1-b1) g,  v = b2 v + (1-b2) g^2,  x = x (1 - lr wd) - lr m^ / (sqrt(v^) + eps),
 * m^ = m / (1 - b1^t),  v^ = v / (1 - b2^t), t = committed steps + 1, g = scale * gradient.
 * (Loshchilov and Hutter 2019; the place of eps as in PyTorch.) */
#include "ops/optim/adamw.h"
#include <math.h>

static at_status infer(at_ctx *ctx, const void *p, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)p, (void)out, (void)saved;
    for (int i = 1; i < 4; i++)
        AT_REQUIRE(ctx, in[i].dim[0] == in[0].dim[0], AT_E_SHAPE,
                   "adamw: master, gradient and moments differ in size");
    return AT_OK;
}

void at_adamw_factors(const at_call *c, const at_range *r, at_adamw_step *out)
{
    const at_adamw_param *p = c->param;
    const double t = (double)at_row(c, 4, 0)[0] + 1.0, rate = (double)at_row(c, 7, 0)[0] * r->rate;
    out->scale = (double)at_row(c, 5, 0)[0];
    out->keep = 1.0 - rate * r->decay;
    out->step = rate / (1.0 - pow(p->beta1, t));
    out->root = 1.0 / sqrt(1.0 - pow(p->beta2, t));
}

static at_status ref(const at_call *c)
{
    const at_adamw_param *p = c->param;
    at_real *x = c->in[0].data, *m = c->in[2].data, *v = c->in[3].data;
    const at_real *g = c->in[1].data;
    if (!((double)at_row(c, 6, 0)[0] > 0)) return AT_OK;
    for (int64_t k = 0; k < p->ranges.n; k++) {
        const at_range *r = &p->ranges.list[k];
        at_adamw_step f;
        at_adamw_factors(c, r, &f);
        for (int64_t i = r->lo; i < r->hi; i++) {
            const double gi = (double)g[i] * f.scale;
            const double mi = p->beta1 * (double)m[i] + (1.0 - p->beta1) * gi;
            const double vi = p->beta2 * (double)v[i] + (1.0 - p->beta2) * gi * gi;
            m[i] = (at_real)mi;
            v[i] = (at_real)vi;
            x[i] = (at_real)((double)x[i] * f.keep - f.step * mi / (sqrt(vi) * f.root + p->epsilon));
        }
    }
    return AT_OK;
}

static const at_range case_ranges[] = {{.lo = 0, .hi = 5, .rate = 1.0, .decay = 0.1},
                                       {.lo = 8, .hi = 9, .rate = 0.5}};
static const at_range large_ranges[] = {{.lo = 0, .hi = 40001, .rate = 1.0, .decay = 0.1},
                                        {.lo = 40016, .hi = 40050, .rate = 0.5}};
/* A table whose second of three rows no step has named, as `gaps` fills it. */
#define ROWS_3   1, 0, 1
#define ROWS_30  ROWS_3, ROWS_3, ROWS_3, ROWS_3, ROWS_3, ROWS_3, ROWS_3, ROWS_3, ROWS_3, ROWS_3
#define ROWS_300 ROWS_30, ROWS_30, ROWS_30, ROWS_30, ROWS_30, ROWS_30, ROWS_30, ROWS_30, ROWS_30, ROWS_30
static const uint8_t case_named[] = {ROWS_300, ROWS_300, ROWS_300};
static const at_state case_table = {.rows = 900, .cols = 45, .sparse = true, .named = (uint8_t *)case_named};
static const at_range sparse_ranges[] = {{.hi = 40500, .rate = 1.0, .decay = 0.1, .state = &case_table}};
#define PARAM(r) (&(const at_adamw_param){{r, AT_COUNT(r)}, 0.9, 0.999, 1e-8})
#define INPUTS(n)                                                                                            \
    {                                                                                                        \
        {1, {n}}, {1, {n}}, {1, {n}}, {1, {n}}, {1, {1}}, {1, {1}}, {1, {1}},                                \
        {                                                                                                    \
            1,                                                                                               \
            {                                                                                                \
                1                                                                                            \
            }                                                                                                \
        }                                                                                                    \
    }

static const at_op_case cases[] = {
    {.name = "two", .param = PARAM(case_ranges), .in = INPUTS(9), .positive = 0xf8},
    {.name = "not_ok",
     .param = PARAM(case_ranges),
     .in = INPUTS(9),
     .positive = 0xb8,
     .low = -1,
     .high = -0.5},
    {.name = "large", .param = PARAM(large_ranges), .in = INPUTS(40050), .positive = 0xf8, .large = true},
    {.name = "large_sparse",
     .param = PARAM(sparse_ranges),
     .in = INPUTS(40500),
     .positive = 0xf8,
     .gaps = 0xe,
     .large = true},
    {0},
};

static const at_op_case refused[] = {
    {.name = "differ in size",
     .param = PARAM(case_ranges),
     .in = {{1, {9}}, {1, {8}}, {1, {9}}, {1, {9}}, {1, {1}}, {1, {1}}, {1, {1}}, {1, {1}}}},
    {0},
};

/* in: master*, gradient, m*, v*, step, scale, ok, rate   (* overwritten) */
const at_op at_op_adamw = {.name = "adamw",
                           .doc = "AdamW update of flat ranges",
                           .n_in = 8,
                           .param_size = sizeof(at_adamw_param),
                           .acc_in = 0xff,
                           .updates = 0xd,
                           .infer = infer,
                           .no_grad_reason = "the update itself does not learn",
                           .ref = ref,
                           .cases = cases,
                           .refused = refused};

/* ---- The optimiser ---- */

static const at_option options[] = {
    {"beta1", AT_OPTION_REAL, AT_OPTION(at_adamw_options, beta1), "0.9", 0, 0.9999, .aliases = "adam_beta1",
     .help = "decay of the mean of gradients"},
    {"beta2", AT_OPTION_REAL, AT_OPTION(at_adamw_options, beta2), "0.999", 0, 0.99999,
     .aliases = "adam_beta2", .help = "decay of the mean of squared gradients"},
    {"epsilon", AT_OPTION_REAL, AT_OPTION(at_adamw_options, epsilon), "1e-8", 1e-16, 1,
     .aliases = "adam_epsilon", .help = "added to the root"},
    {0},
};

const at_options at_options_adamw = {"adamw", options, sizeof(at_adamw_options)};

static int n_slots(const void *o)
{
    (void)o;
    return 2;
}

static void build(at_graph *g, const at_update *u, const void *o)
{
    const at_adamw_options *a = o;
    const at_adamw_param p = {u->ranges, a->beta1, a->beta2, a->epsilon};
    at_opn(g, &at_op_adamw, &p, u->master, u->gradient, u->slot[0], u->slot[1], u->step, u->scale, u->ok,
           u->rate);
}

const at_optimizer at_optimizer_adamw = {.name = "adamw",
                                         .doc = "Adam with decoupled weight decay",
                                         .options = &at_options_adamw,
                                         .n_slots = n_slots,
                                         .slot_names = {"optimizer.mean", "optimizer.square"},
                                         .build = build};
