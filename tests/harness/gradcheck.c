/* gradcheck.c: the gradient nodes of an op against central differences, and refusals of bad shapes. */
#include "engine/plan.h"
#include "tests/harness/opcheck.h"
#include "tests/harness/tolerance.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* A graph of one node of the op, its seeds, its gradients, and a plan that fetches them. */
typedef struct rig {
    at_ctx *ctx;
    at_device *device;
    at_store *store;
    at_graph *g;
    at_plan *plan;
    at_value *in[AT_MAX_IN], *seed[AT_MAX_OUT], *fetch[AT_MAX_IN + AT_MAX_OUT];
    int n_fetch;
    at_real *data[AT_MAX_IN]; /* dense inputs; integers are stored as int32 in the same memory */
    at_real *seeds[AT_MAX_OUT];
    int64_t count[AT_MAX_IN], out_count[AT_MAX_OUT], rows;
} rig;

static void destroy(rig *t)
{
    at_plan_destroy(t->plan);
    at_graph_destroy(t->g);
    at_store_destroy(t->store);
    at_device_close(t->device);
    for (int i = 0; i < AT_MAX_IN; i++) free(t->data[i]);
    for (int i = 0; i < AT_MAX_OUT; i++) free(t->seeds[i]);
}

static at_value *rig_input(rig *t, const char *name, const at_meta *m, const at_extent *extent)
{
    int64_t dim[AT_MAX_RANK];
    memcpy(dim, m->dim, sizeof dim);
    if (m->extent) dim[0] = m->dim[0] / m->extent->max;
    return at_input(t->g, name, m->type, m->extent ? extent : NULL, m->rank, dim);
}

/* wanted: bit i = gradient of input i; seeded: bit o = output o has a seed. Fetches: gradients, or (none
 * wanted) outputs. */
static at_status build(rig *t, at_ctx *ctx, const at_op *op, const at_op_case *k, uint32_t wanted,
                       uint32_t seeded)
{
    memset(t, 0, sizeof *t);
    t->ctx = ctx;
    AT_TRY(at_device_open(&t->device, ctx, "cpu"));
    AT_TRY(at_store_create(&t->store, ctx, t->device));
    AT_TRY(at_graph_create(&t->g, ctx, t->store, AT_TRAIN));
    at_extent declared;
    at_meta in[AT_MAX_IN] = {0};
    at_case_metas(op, k, &declared, in);
    t->rows = at_case_rows(op, k);
    const at_extent *extent = at_graph_extent(t->g, "samples", declared.max);
    at_graph_site(t->g, "%s.%s", op->name, k->name);
    int n_in = 0;
    for (int i = 0; i < op->n_in; i++) {
        if (!in[i].rank) continue;
        n_in = i + 1;
        t->in[i] = rig_input(t, "x", &in[i], extent);
        t->in[i]->want_grad = wanted >> i & 1;
        t->count[i] = at_meta_max_rows(&in[i]) * at_meta_cols(&in[i]);
        t->data[i] = malloc((size_t)(t->count[i] + 1) * sizeof(at_real));
        at_fill_input(op, k, i, &in[i], t->data[i]);
    }
    at_node *n = at_apply(t->g, op, k->param, t->in, n_in);
    AT_TRY(at_graph_finish(t->g));
    at_value *seeds[AT_MAX_OUT] = {0}, *outputs[AT_MAX_OUT] = {0};
    int n_seeded = 0;
    for (int o = 0; o < op->n_out; o++) {
        const at_meta *m = &n->out[o]->meta;
        t->out_count[o] = at_meta_max_rows(m) * at_meta_cols(m);
        t->seeds[o] = malloc((size_t)(t->out_count[o] + 1) * sizeof(at_real));
        const at_rng_key key = at_rng_make(11, at_hash_name(op->name), (uint64_t)o);
        for (int64_t e = 0; e < t->out_count[o]; e++)
            t->seeds[o][e] = op->loss ? 1 : (at_real)(2 * at_rng_uniform(key, 1, 0, (uint64_t)e) - 1);
        if (!(seeded >> o & 1) || (op->loss && o > 0)) continue;
        if (!op->loss) seeds[n_seeded] = t->seed[o] = rig_input(t, "dy", m, extent);
        outputs[n_seeded++] = n->out[o];
    }
    if (wanted) at_gradients(t->g, outputs, seeds, n_seeded);
    AT_TRY(at_graph_finish(t->g));
    for (int i = 0; i < op->n_in; i++)
        if (wanted >> i & 1 && t->in[i] && t->in[i]->grad) t->fetch[t->n_fetch++] = t->in[i]->grad;
    for (int o = 0; o < op->n_out && !wanted; o++) t->fetch[t->n_fetch++] = n->out[o];
    return at_plan_create(&t->plan, t->g,
                          &(at_plan_options){.kernels = "ref", .fetches = t->fetch, .n_fetches = t->n_fetch});
}

static at_status run(rig *t, at_real *const *fetched)
{
    for (int i = 0; i < AT_MAX_IN; i++)
        if (t->in[i]) at_plan_write(t->plan, t->in[i], t->data[i], at_max(t->rows, 1));
    for (int o = 0; o < AT_MAX_OUT; o++)
        if (t->seed[o]) at_plan_write(t->plan, t->seed[o], t->seeds[o], at_max(t->rows, 1));
    at_plan_run(t->plan, &(at_pass){.seed = 3, .attempt = 7, .extents = &t->rows});
    for (int f = 0; f < t->n_fetch; f++) at_plan_fetch(t->plan, t->fetch[f], fetched[f]);
    return at_plan_sync(t->plan);
}

static uint32_t real_inputs(const at_op *op, const at_op_case *k)
{
    uint32_t mask = 0;
    for (int i = 0; i < op->n_in; i++)
        if (k->in[i].rank && !(op->int_in >> i & 1)) mask |= 1u << i;
    return mask;
}

/* sum over seeded outputs of <seed, output>; for losses the first output. */
static at_status objective(rig *t, const at_op *op, uint32_t seeded, double *out)
{
    at_real *got[AT_MAX_OUT];
    for (int o = 0; o < op->n_out; o++) got[o] = calloc((size_t)t->out_count[o] + 1, sizeof(at_real));
    const at_status s = run(t, got);
    *out = 0.0;
    for (int o = 0; o < op->n_out; o++) {
        if (seeded >> o & 1 && !(op->loss && o > 0))
            for (int64_t e = 0; e < t->out_count[o]; e++) *out += (double)t->seeds[o][e] * (double)got[o][e];
        free(got[o]);
    }
    return s;
}

static void check_elements(rig *forward, const at_op *op, uint32_t seeded, int i, const at_real *analytic,
                           at_report *r)
{
    const double h = AT_GRADIENT_STEP;
    double largest = 0.0;
    for (int64_t e = 0; e < forward->count[i]; e++)
        if (fabs((double)analytic[e]) > largest) largest = fabs((double)analytic[e]);
    for (int64_t e = 0; e < forward->count[i]; e++) {
        at_real *x = &forward->data[i][e];
        const at_real kept = *x;
        double up, down;
        *x = (at_real)((double)kept + h);
        const at_status s1 = objective(forward, op, seeded, &up);
        *x = (at_real)((double)kept - h);
        const at_status s2 = objective(forward, op, seeded, &down);
        *x = kept;
        const double n = (up - down) / (2 * h), a = (double)analytic[e];
        double scale = fmax(fmax(fabs(a), fabs(n)), 1e-3 * largest);
        if (scale == 0.0) scale = 1.0;
        at_report_check(r, s1 == AT_OK && s2 == AT_OK && fabs(a - n) / scale < AT_TOL_GRADIENT,
                        "gradient of input %d, element %lld: analytic %.12g, numeric %.12g", i, (long long)e,
                        a, n);
    }
}

static void check_seeds(at_ctx *ctx, const at_op *op, const at_op_case *k, uint32_t seeded, at_report *r)
{
    rig all, forward;
    const uint32_t wanted = real_inputs(op, k);
    at_real *analytic[AT_MAX_IN] = {0};
    at_status s = build(&all, ctx, op, k, wanted, seeded);
    if (s == AT_OK) {
        for (int i = 0; i < op->n_in; i++) analytic[i] = calloc((size_t)all.count[i] + 1, sizeof(at_real));
        at_real *fetched[AT_MAX_IN];
        int f = 0;
        for (int i = 0; i < op->n_in; i++)
            if (wanted >> i & 1 && all.in[i]->grad) fetched[f++] = analytic[i];
        s = run(&all, fetched);
    }
    at_report_check(r, s == AT_OK, "gradient graph: %s", at_last_error(ctx));
    if (s == AT_OK && build(&forward, ctx, op, k, 0, seeded) == AT_OK) {
        for (int i = 0; i < op->n_in; i++)
            if (wanted >> i & 1) check_elements(&forward, op, seeded, i, analytic[i], r);
        destroy(&forward);
    }
    for (int i = 0; i < op->n_in && s == AT_OK && seeded == (1u << op->n_out) - 1;
         i++) { /* each asked for alone */
        rig one;
        if (!(wanted >> i & 1) || !all.in[i]->grad) continue;
        at_real *alone = calloc((size_t)all.count[i] + 1, sizeof(at_real));
        at_report_check(r, build(&one, ctx, op, k, 1u << i, seeded) == AT_OK && run(&one, &alone) == AT_OK,
                        "gradient of input %d alone: %s", i, at_last_error(ctx));
        at_report_same(r, "gradient asked for alone", alone, analytic[i],
                       (size_t)all.count[i] * sizeof(at_real));
        destroy(&one);
        free(alone);
    }
    at_clear_error(ctx);
    destroy(&all);
    for (int i = 0; i < AT_MAX_IN; i++) free(analytic[i]);
}

void at_check_gradient(at_ctx *ctx, const at_op *op, const at_op_case *k, at_report *r)
{
    if (k->large || !op->grad) return;
    const uint32_t every = (1u << op->n_out) - 1;
    at_report_at(r, "%s, case %s", op->name, k->name);
    check_seeds(ctx, op, k, every, r);
    for (int o = 0; o < op->n_out && op->n_out > 1 && !op->loss; o++) { /* the other outputs unused */
        at_report_at(r, "%s, case %s, only output %d used", op->name, k->name, o);
        check_seeds(ctx, op, k, 1u << o, r);
    }
}

void at_check_refusals(at_ctx *ctx, const at_op *op, at_report *r)
{
    rig t;
    for (const at_op_case *k = op->refused; k && k->name; k++) {
        at_report_at(r, "%s, refused case \"%s\"", op->name, k->name);
        at_extent extent;
        at_meta in[AT_MAX_IN] = {0}, out[AT_MAX_OUT];
        at_case_metas(op, k, &extent, in);
        const at_status s = op->infer(ctx, k->param, in, out, out + op->n_out);
        at_report_check(r, s != AT_OK && strstr(at_last_error(ctx), k->name), "status %s, message \"%s\"",
                        at_status_name(s), at_last_error(ctx));
        at_clear_error(ctx);
    }
    if (!op->cases || op->n_in == 0 || (op->int_in & 1)) return;
    at_op twisted = *op; /* the harness then feeds integers; the op as declared must refuse them */
    twisted.int_in |= 1;
    at_report_at(r, "%s, integers for reals", op->name);
    memset(&t, 0, sizeof t);
    at_status s = at_device_open(&t.device, ctx, "cpu");
    if (s == AT_OK) s = at_store_create(&t.store, ctx, t.device);
    if (s == AT_OK) s = at_graph_create(&t.g, ctx, t.store, AT_TRAIN);
    if (s == AT_OK) {
        at_extent extent;
        at_meta in[AT_MAX_IN] = {0};
        at_case_metas(&twisted, op->cases, &extent, in);
        const at_extent *e = at_graph_extent(t.g, "samples", extent.max);
        int n_in = 0;
        for (int i = 0; i < op->n_in; i++)
            if (in[i].rank) t.in[i] = rig_input(&t, "x", &in[i], e), n_in = i + 1;
        at_apply(t.g, op, op->cases->param, t.in, n_in);
        at_report_check(r, at_graph_finish(t.g) == AT_E_DTYPE, "accepted");
    }
    at_clear_error(ctx);
    destroy(&t);
}
