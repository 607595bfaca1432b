/* gradcheck.c: the gradient nodes of an op against central differences, and refusals of bad shapes. */
#include "tests/harness/opcheck.h"
#include "tests/harness/rig.h"
#include "tests/harness/tolerance.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* sum over seeded outputs of <seed, output>; for losses the first output. */
static at_status objective(at_rig *t, const at_op *op, uint32_t seeded, double *out)
{
    at_real *got[AT_MAX_OUT];
    for (int o = 0; o < op->n_out; o++) got[o] = calloc((size_t)t->out_count[o] + 1, sizeof(at_real));
    const at_status s = at_rig_run(t, got);
    *out = 0.0;
    for (int o = 0; o < op->n_out; o++) {
        if (seeded >> o & 1 && !(op->loss && o > 0))
            for (int64_t e = 0; e < t->out_count[o]; e++) *out += (double)t->seeds[o][e] * (double)got[o][e];
        free(got[o]);
    }
    return s;
}

static void check_elements(at_rig *forward, const at_op *op, uint32_t seeded, int i, const at_real *analytic,
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
    at_rig all, forward;
    const uint32_t wanted = at_rig_real_inputs(op, k);
    at_real *analytic[AT_MAX_IN] = {0};
    at_status s = at_rig_build(&all, ctx, op, k,
                               &(at_rig_options){.wanted = wanted, .seeded = seeded, .kernels = "ref"});
    if (s == AT_OK) {
        for (int i = 0; i < op->n_in; i++) analytic[i] = calloc((size_t)all.count[i] + 1, sizeof(at_real));
        at_real *fetched[AT_MAX_IN];
        int f = 0;
        for (int i = 0; i < op->n_in; i++)
            if (wanted >> i & 1 && all.in[i]->grad) fetched[f++] = analytic[i];
        s = at_rig_run(&all, fetched);
    }
    at_report_check(r, s == AT_OK, "gradient graph: %s", at_last_error(ctx));
    if (s == AT_OK) {
        s = at_rig_build(&forward, ctx, op, k, &(at_rig_options){.seeded = seeded, .kernels = "ref"});
        at_report_check(r, s == AT_OK, "forward graph: %s", at_last_error(ctx));
        for (int i = 0; i < op->n_in && s == AT_OK; i++)
            if (wanted >> i & 1) check_elements(&forward, op, seeded, i, analytic[i], r);
        at_rig_destroy(&forward);
    }
    for (int i = 0; i < op->n_in && s == AT_OK && seeded == (1u << op->n_out) - 1;
         i++) { /* each asked for alone */
        at_rig one;
        if (!(wanted >> i & 1) || !all.in[i]->grad) continue;
        at_real *alone = calloc((size_t)all.count[i] + 1, sizeof(at_real));
        at_status s1 = at_rig_build(&one, ctx, op, k,
                                    &(at_rig_options){.wanted = 1u << i, .seeded = seeded, .kernels = "ref"});
        if (s1 == AT_OK) s1 = at_rig_run(&one, &alone);
        at_report_check(r, s1 == AT_OK, "gradient of input %d alone: %s", i, at_last_error(ctx));
        at_report_same(r, "gradient asked for alone", alone, analytic[i],
                       (size_t)all.count[i] * sizeof(at_real));
        at_rig_destroy(&one);
        free(alone);
    }
    at_clear_error(ctx);
    at_rig_destroy(&all);
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
    at_rig t;
    for (const at_op_case *k = op->refused; k && k->name; k++) {
        at_report_at(r, "%s, refused case \"%s\"", op->name, k->name);
        at_extent extent[AT_CASE_EXTENTS];
        at_meta in[AT_MAX_IN] = {0}, out[AT_MAX_OUT];
        at_case_metas(op, k, extent, in);
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
        at_extent extent[AT_CASE_EXTENTS];
        at_meta in[AT_MAX_IN] = {0};
        at_case_metas(&twisted, op->cases, extent, in);
        at_rig_extents(&t, extent);
        int n_in = 0;
        for (int i = 0; i < op->n_in; i++)
            if (in[i].rank) t.in[i] = at_rig_input(&t, "x", &in[i]), n_in = i + 1;
        at_apply(t.g, op, op->cases->param, t.in, n_in);
        at_report_check(r, at_graph_finish(t.g) == AT_E_DTYPE, "accepted");
    }
    at_clear_error(ctx);
    at_rig_destroy(&t);
}
