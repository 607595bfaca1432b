/* goldencheck.c: a case of an op run on the inputs of its golden file, in a graph and a plan of its own. */
#include "formats/safetensors.h"
#include "tests/harness/opcheck.h"
#include "tests/harness/rig.h"
#include "tests/harness/tolerance.h"
#include <stdio.h>
#include <stdlib.h>

typedef struct check {
    at_ctx *ctx;
    const at_op *op;
    const at_op_case *k;
    const at_safetensors *file;
    const char *kernels;
    double tol;
    at_report *r;
} check;

static const at_tensor *find(const check *c, const char *what, int i)
{
    char name[256];
    snprintf(name, sizeof name, "%s/%s/%s%d", c->op->name, c->k->name, what, i);
    return at_safetensors_find(c->file, name);
}

/* Elements of a tensor of the wanted shape as the rig holds them; false, and a failure in the report,
 * otherwise. */
static bool load(const check *c, const char *what, int i, const at_meta *m, at_real *out)
{
    const at_tensor *t = find(c, what, i);
    at_report_check(c->r, t, "the golden has no %s%d", what, i);
    if (!t) return false;
    bool same = t->rank == m->rank;
    for (int d = 0; d < m->rank && same; d++) same = t->dim[d] == m->dim[d];
    const at_dtype dtype = m->type == AT_INT ? AT_I32 : AT_F64;
    at_report_check(c->r, same && t->dtype == dtype, "%s%d has another shape or dtype than the case", what,
                    i);
    if (!same || t->dtype != dtype) return false;
    if (dtype == AT_I32) memcpy(out, t->data, t->bytes);
    for (int64_t e = 0; e < t->count && dtype == AT_F64; e++) out[e] = (at_real)((const double *)t->data)[e];
    return true;
}

static bool load_inputs(const check *c, at_rig *t)
{
    bool ok = true;
    for (int i = 0; i < c->op->n_in; i++)
        if (t->in[i]) ok &= load(c, "in", i, &t->in[i]->meta, t->data[i]);
    for (int o = 0; o < AT_MAX_OUT; o++)
        if (t->seed[o]) ok &= load(c, "dy", o, &t->out_meta[o], t->seeds[o]);
    return ok;
}

static int64_t elements(const at_meta *m)
{
    return at_meta_max_rows(m) * at_meta_cols(m);
}

/* Run the rig and compare what it fetches: fetch f is the tensor what[index[f]]. */
static void run_and_compare(const check *c, at_rig *t, const char *what, const int *index)
{
    at_real *got[AT_MAX_IN + AT_MAX_OUT] = {0};
    for (int f = 0; f < t->n_fetch; f++)
        got[f] = calloc((size_t)elements(&t->fetch[f]->meta) + 1, sizeof **got);
    const at_status s = at_rig_run(t, got);
    at_report_check(c->r, s == AT_OK, "running: %s", at_last_error(c->ctx));
    for (int f = 0; f < t->n_fetch && s == AT_OK; f++) {
        const at_meta *m = &t->fetch[f]->meta;
        at_real *want = malloc((size_t)(elements(m) + 1) * sizeof *want);
        char text[32];
        snprintf(text, sizeof text, "%s%d", what, index[f]);
        const bool optional =
            strcmp(what, "out") == 0 && index[f] >= c->op->n_out && !find(c, what, index[f]);
        if (!optional && load(c, what, index[f], m, want))
            at_report_close(c->r, text, got[f], want, elements(m), c->tol);
        free(want);
    }
    for (int f = 0; f < t->n_fetch; f++) free(got[f]);
}

static void check_outputs(const check *c)
{
    at_rig t;
    int index[AT_MAX_OUT];
    for (int o = 0; o < AT_MAX_OUT; o++) index[o] = o;
    const at_status s =
        at_rig_build(&t, c->ctx, c->op, c->k, &(at_rig_options){.saved = true, .kernels = c->kernels});
    at_report_check(c->r, s == AT_OK, "forward graph: %s", at_last_error(c->ctx));
    if (s == AT_OK && load_inputs(c, &t)) run_and_compare(c, &t, "out", index);
    at_rig_destroy(&t);
}

static void check_gradients(const check *c)
{
    at_rig t;
    int index[AT_MAX_IN], n = 0;
    const uint32_t wanted = at_rig_real_inputs(c->op, c->k);
    for (int i = 0; i < c->op->n_in; i++)
        if (wanted >> i & 1) index[n++] = i;
    const at_status s = at_rig_build(
        &t, c->ctx, c->op, c->k,
        &(at_rig_options){.wanted = wanted, .seeded = (1u << c->op->n_out) - 1, .kernels = c->kernels});
    at_report_check(c->r, s == AT_OK, "gradient graph: %s", at_last_error(c->ctx));
    at_report_check(c->r, s != AT_OK || t.n_fetch == n, "an input has no gradient");
    if (s == AT_OK && t.n_fetch == n && load_inputs(c, &t)) run_and_compare(c, &t, "dx", index);
    at_rig_destroy(&t);
}

void at_check_golden(at_ctx *ctx, const at_op *op, const at_op_case *k, const char *path, const char *kernels,
                     at_report *r)
{
    at_safetensors *file;
    at_report_at(r, "golden of %s, case %s, kernels %s", op->name, k->name, kernels);
    const at_status s = at_safetensors_open(&file, ctx, path);
    at_report_check(r, s == AT_OK, "%s", at_last_error(ctx));
    if (s == AT_OK) {
        const bool exact = sizeof(at_real) == sizeof(double);
        const check c = {ctx, op, k, file, kernels, exact ? AT_TOL_EXACT : AT_TOL_GOLDEN_F32, r};
        check_outputs(&c);
        if (op->grad) check_gradients(&c);
        at_safetensors_close(ctx, file);
    }
    at_clear_error(ctx);
}
