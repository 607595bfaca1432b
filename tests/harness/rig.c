/* rig.c: building and running the graph of one op. */
#include "tests/harness/rig.h"
#include <stdlib.h>

void at_rig_destroy(at_rig *t)
{
    at_plan_destroy(t->plan);
    at_graph_destroy(t->g);
    at_store_destroy(t->store);
    at_device_close(t->device);
    for (int i = 0; i < AT_MAX_IN; i++) free(t->data[i]);
    for (int i = 0; i < AT_MAX_OUT; i++) free(t->seeds[i]);
}

void at_rig_extents(at_rig *t, const at_extent declared[AT_CASE_EXTENTS])
{
    for (int e = 0; e < AT_CASE_EXTENTS; e++)
        t->extent[e] = at_graph_extent(t->g, declared[e].name, declared[e].max);
}

at_value *at_rig_input(at_rig *t, const char *name, const at_meta *m)
{
    int64_t dim[AT_MAX_RANK];
    memcpy(dim, m->dim, sizeof dim);
    if (m->extent) dim[0] = m->dim[0] / m->extent->max;
    return at_input(t->g, name, m->type, m->extent ? t->extent[m->extent->index] : NULL, m->rank, dim);
}

uint32_t at_rig_real_inputs(const at_op *op, const at_op_case *k)
{
    uint32_t mask = 0;
    for (int i = 0; i < op->n_in; i++)
        if (k->in[i].rank) mask |= 1u << i;
    return mask & ~op->int_in & ~op->constant_in;
}

static int make_inputs(at_rig *t, const at_op *op, const at_op_case *k, uint32_t wanted)
{
    at_extent declared[AT_CASE_EXTENTS];
    at_meta in[AT_MAX_IN] = {0};
    at_case_metas(op, k, declared, in);
    at_case_extents(k, at_case_samples(op, k), t->rows);
    at_rig_extents(t, declared);
    int n_in = 0;
    for (int i = 0; i < op->n_in; i++) {
        if (!in[i].rank) continue;
        n_in = i + 1;
        t->in[i] = at_rig_input(t, "x", &in[i]);
        t->in[i]->want_grad = wanted >> i & 1;
        t->count[i] = at_meta_max_rows(&in[i]) * at_meta_cols(&in[i]);
        t->data[i] = malloc((size_t)(t->count[i] + 1) * sizeof(at_real));
        at_fill_input(op, k, i, &in[i], t->data[i]);
    }
    return n_in;
}

/* What a node gives, or two of them for which a rule has one. */
typedef struct results {
    at_value *list[AT_MAX_OUT + AT_MAX_OUT]; /* outputs, then saved values */
    int n_out, n;
} results;

static results results_of(const at_node *n)
{
    results r = {.n_out = n->op->n_out, .n = n->op->n_out + n->op->n_saved};
    memcpy(r.list, n->out, (size_t)r.n * sizeof *r.list);
    return r;
}

static results apply_rule(at_rig *t, const at_fusion *f, const at_op_case *k)
{
    const int n_first = f->first->n_in;
    const char *param = k->param;
    const at_node *first = at_apply(t->g, f->first, f->first->param_size ? param : NULL, t->in, n_first);
    at_value *in[AT_MAX_IN];
    int n = 0;
    for (int i = n_first; i < f->fused->n_in || n == f->at; n++)
        in[n] = n == f->at ? first->out[0] : t->in[i++];
    const at_node *then =
        at_apply(t->g, f->then, f->then->param_size ? param + f->first->param_size : NULL, in, n);
    results r = results_of(first);
    at_value *between = r.list[0];
    r.list[0] = then->out[0];
    for (int o = 1; o < 1 + f->then->n_saved; o++) r.list[r.n++] = then->out[o];
    if (r.n < f->fused->n_out + f->fused->n_saved) r.list[r.n++] = between;
    return r;
}

static void make_seeds(at_rig *t, const at_op *op, const results *r)
{
    for (int o = 0; o < r->n; o++) {
        t->out_meta[o] = r->list[o]->meta;
        t->out_count[o] = at_meta_max_rows(&t->out_meta[o]) * at_meta_cols(&t->out_meta[o]);
    }
    for (int o = 0; o < r->n_out; o++) {
        t->seeds[o] = malloc((size_t)(t->out_count[o] + 1) * sizeof(at_real));
        const at_rng_key key = at_rng_make(11, at_hash_name(op->name), (uint64_t)o);
        for (int64_t e = 0; e < t->out_count[o]; e++)
            t->seeds[o][e] = op->loss ? 1 : (at_real)(2 * at_rng_uniform(key, 1, 0, (uint64_t)e) - 1);
    }
}

at_status at_rig_build(at_rig *t, at_ctx *ctx, const at_op *op, const at_op_case *k,
                       const at_rig_options *options)
{
    const at_fusion *rule = options->rule;
    const at_op *of_case = rule ? rule->fused : op;
    memset(t, 0, sizeof *t);
    t->ctx = ctx;
    AT_TRY(at_device_open(&t->device, ctx, "cpu"));
    AT_TRY(at_store_create(&t->store, ctx, t->device));
    AT_TRY(at_graph_create(&t->g, ctx, t->store, AT_TRAIN));
    at_graph_site(t->g, "%s.%s", op->name, k->name);
    const int n_in = make_inputs(t, of_case, k, options->wanted);
    const results r = rule ? apply_rule(t, rule, k) : results_of(at_apply(t->g, op, k->param, t->in, n_in));
    if (options->fuse) at_graph_fuse(t->g, r.list, 1);
    t->n_forward = t->g->n_nodes;
    AT_TRY(at_graph_finish(t->g));
    make_seeds(t, op, &r);
    at_value *seeds[AT_MAX_OUT] = {0}, *outputs[AT_MAX_OUT] = {0};
    int n_seeded = 0;
    for (int o = 0; o < r.n_out; o++) {
        if (!(options->seeded >> o & 1) || (op->loss && o > 0)) continue;
        if (!op->loss) seeds[n_seeded] = t->seed[o] = at_rig_input(t, "dy", &r.list[o]->meta);
        outputs[n_seeded++] = r.list[o];
    }
    if (options->wanted) at_gradients(t->g, outputs, seeds, n_seeded);
    AT_TRY(at_graph_finish(t->g));
    for (int i = 0; i < of_case->n_in; i++)
        if (options->wanted >> i & 1 && t->in[i] && t->in[i]->grad) t->fetch[t->n_fetch++] = t->in[i]->grad;
    const int n_results = options->saved ? r.n : r.n_out;
    for (int o = 0; o < n_results && !options->wanted; o++) t->fetch[t->n_fetch++] = r.list[o];
    return at_plan_create(
        &t->plan, t->g,
        &(at_plan_options){
            .kernels = options->kernels, .act = options->act, .fetches = t->fetch, .n_fetches = t->n_fetch});
}

static void write(at_rig *t, const at_value *v, const at_real *data)
{
    if (v) at_plan_write(t->plan, v, data, v->meta.extent ? at_max(t->rows[v->meta.extent->index], 1) : 1);
}

at_status at_rig_run(at_rig *t, at_real *const *fetched)
{
    for (int i = 0; i < AT_MAX_IN; i++) write(t, t->in[i], t->data[i]);
    for (int o = 0; o < AT_MAX_OUT; o++) write(t, t->seed[o], t->seeds[o]);
    at_plan_run(t->plan, &(at_pass){.seed = AT_RIG_SEED, .attempt = AT_RIG_ATTEMPT, .extents = t->rows});
    for (int f = 0; f < t->n_fetch; f++) at_plan_fetch(t->plan, t->fetch[f], fetched[f]);
    return at_plan_sync(t->plan);
}
