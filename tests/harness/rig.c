/* rig.c: building and running the graph of one op. */
#include "tests/harness/rig.h"
#include "engine/fuse.h"
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

static void make_seeds(at_rig *t, const at_op *op, const at_node *n)
{
    for (int o = 0; o < op->n_out + op->n_saved; o++) {
        t->out_meta[o] = n->out[o]->meta;
        t->out_count[o] = at_meta_max_rows(&t->out_meta[o]) * at_meta_cols(&t->out_meta[o]);
    }
    for (int o = 0; o < op->n_out; o++) {
        t->seeds[o] = malloc((size_t)(t->out_count[o] + 1) * sizeof(at_real));
        const at_rng_key key = at_rng_make(11, at_hash_name(op->name), (uint64_t)o);
        for (int64_t e = 0; e < t->out_count[o]; e++)
            t->seeds[o][e] = op->loss ? 1 : (at_real)(2 * at_rng_uniform(key, 1, 0, (uint64_t)e) - 1);
    }
}

at_status at_rig_build(at_rig *t, at_ctx *ctx, const at_op *op, const at_op_case *k,
                       const at_rig_options *options)
{
    memset(t, 0, sizeof *t);
    t->ctx = ctx;
    AT_TRY(at_device_open(&t->device, ctx, "cpu"));
    AT_TRY(at_store_create(&t->store, ctx, t->device));
    AT_TRY(at_graph_create(&t->g, ctx, t->store, AT_TRAIN));
    at_graph_site(t->g, "%s.%s", op->name, k->name);
    const int n_in = make_inputs(t, op, k, options->wanted);
    at_node *n = at_apply(t->g, op, k->param, t->in, n_in);
    at_value *result[AT_MAX_OUT];
    memcpy(result, n->out, sizeof result);
    if (options->then) result[0] = at_op1(t->g, options->then, NULL, n->out[0]);
    if (options->fuse) at_graph_fuse(t->g, result, 1);
    t->n_forward = t->g->n_nodes;
    AT_TRY(at_graph_finish(t->g));
    make_seeds(t, op, n);
    at_value *seeds[AT_MAX_OUT] = {0}, *outputs[AT_MAX_OUT] = {0};
    int n_seeded = 0;
    for (int o = 0; o < op->n_out; o++) {
        if (!(options->seeded >> o & 1) || (op->loss && o > 0)) continue;
        if (!op->loss) seeds[n_seeded] = t->seed[o] = at_rig_input(t, "dy", &n->out[o]->meta);
        outputs[n_seeded++] = result[o];
    }
    if (options->wanted) at_gradients(t->g, outputs, seeds, n_seeded);
    AT_TRY(at_graph_finish(t->g));
    for (int i = 0; i < op->n_in; i++)
        if (options->wanted >> i & 1 && t->in[i] && t->in[i]->grad) t->fetch[t->n_fetch++] = t->in[i]->grad;
    const int n_results = op->n_out + (options->saved ? op->n_saved : 0);
    for (int o = 0; o < n_results && !options->wanted; o++) t->fetch[t->n_fetch++] = result[o];
    return at_plan_create(
        &t->plan, t->g,
        &(at_plan_options){.kernels = options->kernels, .fetches = t->fetch, .n_fetches = t->n_fetch});
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
