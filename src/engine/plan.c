/* plan.c: from a graph to something that runs: which nodes are needed, which are static, which kernel each
 * takes, what scratch and prepared operands they need. Memory is layout.c's, running exec.c's. */
#include "engine/plan_internal.h"

/* ---- What is needed ---- */

/* A later contribution to the gradient of a state has one like the first, which carries the target. */
static bool has_effect(const at_node *n)
{
    if (n->op->updates) return true;
    for (int i = 0; i < n->op->n_out + n->op->n_saved; i++)
        if (at__first_of_sum(n->out[i])->target != AT_TARGET_NONE) return true;
    return false;
}

static void mark_needed(const at_plan *p, bool *needed)
{
    const at_graph *g = p->graph;
    bool *wanted = needed + g->n_nodes; /* by value id */
    for (int i = 0; i < p->options.n_fetches; i++) wanted[p->options.fetches[i]->id] = true;
    for (int i = g->n_nodes - 1; i >= 0; i--) {
        const at_node *n = g->nodes[i];
        const int n_out = n->op->n_out + n->op->n_saved;
        bool need = !p->options.fetch_only && has_effect(n);
        for (int o = 0; o < n_out; o++) need |= wanted[n->out[o]->id] && !at__placed(p, n->out[o])->fed;
        if (!need) continue;
        needed[i] = true;
        for (int j = 0; j < n->n_in; j++)
            if (n->in[j]) wanted[n->in[j]->id] = true;
        for (int o = 0; o < n_out; o++)
            if (n->out[o]->onto) wanted[n->out[o]->onto->id] = true;
    }
}

/* Does the value change only when states change between steps? */
static bool is_static_input(const at_plan *p, const at_value *v)
{
    if (at__placed(p, v)->fed) return false;
    if (at__placed(p, v)->is_static) return true;
    if (!v->state || v->node) return false;
    const at_role role = v->state->role;
    return role == AT_FROZEN || role == AT_TRAINABLE || (role == AT_RUNNING && p->graph->mode != AT_TRAIN);
}

static bool is_static_node(const at_plan *p, const at_node *n)
{
    if (n->phase != AT_PASS || n->op->stochastic || n->op->updates || n->n_in == 0) return false;
    for (int o = 0; o < n->op->n_out + n->op->n_saved; o++)
        if (n->out[o]->target != AT_TARGET_NONE || n->out[o]->onto || n->out[o]->meta.extent) return false;
    for (int j = 0; j < n->n_in; j++)
        if (n->in[j] && !is_static_input(p, n->in[j])) return false;
    return true;
}

/* ---- Kernels and what they need ---- */

at_status at__prepare_dense(const at_call *c)
{
    const at_arg *a = &c->in[0];
    at_real *out = c->prepared[0];
    for (int64_t r = 0; r < a->rows; r++)
        a->storage->load(out + r * a->cols, a->buffers, a->cols, r, 0, a->cols);
    return AT_OK;
}

static at_status bind_prepared(at_plan *p, at_step_node *s, at_run_fn prepare, uint32_t from, uint64_t form,
                               size_t bytes, int dense_in, int index)
{
    at_binding *b = &s->bindings[s->n_bindings++];
    *b = (at_binding){.prepare = prepare, .dense_in = dense_in, .index = index};
    const at_state *states[AT_MAX_IN] = {0};
    bool only_states = true;
    for (int i = 0; i < s->node->n_in; i++)
        if (from >> i & 1) {
            const at_value *v = s->node->in[i];
            if (!v) continue;
            if (v->state && !v->node && is_static_input(p, v))
                states[i] = v->state;
            else
                only_states = false; /* what changes within a step has no version to keep it by */
        }
    if (dense_in >= 0 && only_states) { /* the same copy serves every node that reads the state */
        const at_state *t = states[dense_in];
        memset(states, 0, sizeof states);
        states[0] = t;
    }
    if (only_states && p->store)
        AT_TRY(at_prepared_get(&b->kept, p->store, prepare, dense_in >= 0 ? NULL : s->node->param,
                               dense_in >= 0 ? 0 : s->node->op->param_size, form, states, bytes));
    if (!b->kept) {
        b->scratch_offset = s->prepared_scratch;
        s->prepared_scratch += (size_t)at_round_up((int64_t)bytes, AT_ALIGN);
    }
    return AT_OK;
}

static bool is_narrow(const at_plan *p, const at_value *v)
{
    return at__placed(p, v)->dtype == AT_BF16;
}

static size_t wide_bytes(const at_value *v)
{
    return (size_t)(at_meta_max_rows(&v->meta) * at_meta_cols(&v->meta)) * sizeof(at_real);
}

static void reserve_wide(const at_plan *p, at_step_node *s, const at_value *v, size_t *offset)
{
    if (!v || !is_narrow(p, v)) return;
    s->widened = true;
    *offset = s->wide_scratch;
    s->wide_scratch += (size_t)at_round_up((int64_t)wide_bytes(v), AT_ALIGN);
}

/* References read and write at_real: where activations are something else they get copies. */
static void plan_widening(const at_plan *p, at_step_node *s)
{
    const at_node *n = s->node;
    for (int i = 0; i < n->n_in; i++) reserve_wide(p, s, n->in[i], &s->wide_in[i]);
    for (int o = 0; o < n->op->n_out + n->op->n_saved; o++) reserve_wide(p, s, n->out[o], &s->wide_out[o]);
}

static at_status choose_and_bind(at_plan *p, at_step_node *s)
{
    const at_node *n = s->node;
    at_problem problem;
    at__describe_problem(p, n, &problem);
    AT_TRY(at__choose_kernel(p, n, &problem, &s->kernel));
    s->run = s->kernel ? s->kernel->run : n->op->ref;
    if (s->kernel && s->kernel->need) s->kernel->need(&problem, &s->need);
    if (!s->kernel && n->op->ref_need) n->op->ref_need(&problem, &s->need);
    for (int k = 0; k < s->need.n_prepared; k++) {
        AT_TRY(bind_prepared(p, s, s->need.prepared[k].prepare, s->need.prepared[k].from,
                             s->need.prepared[k].form, s->need.prepared[k].bytes, -1, k));
        at_prepared *kept = s->bindings[s->n_bindings - 1].kept;
        if (kept) at_prepared_follow(kept, s->need.prepared[k].part, s->need.prepared[k].part_rows);
    }
    if (!s->kernel) plan_widening(p, s);
    const at_storage *real = at_storage_of(p->ctx, AT_REAL);
    for (int i = 0; i < n->n_in; i++) {
        at_state *t = n->in[i] ? n->in[i]->state : NULL;
        if (!t) continue;
        AT_TRY(at_state_place(p->store, t));
        if (t->storage != real && !(s->kernel && s->kernel->reads_storage >> i & 1))
            AT_TRY(
                bind_prepared(p, s, at__prepare_dense, 1u << i, 0, (size_t)t->count * sizeof(at_real), i, 0));
    }
    return AT_OK;
}

/* ---- Operands ---- */

static void describe_arg(at_arg *a, const at_meta *m, const at_placed *at)
{
    a->dtype = at->dtype;
    a->rank = m->rank;
    memcpy(a->dim, m->dim, sizeof a->dim);
    a->cols = at_meta_cols(m);
    a->rows = at_meta_max_rows(m);
    a->pitch = at->pitch;
    a->data =
        at->where == AT_NOWHERE ? NULL : (char *)at->data + (size_t)at->columns * at_dtype_size(at->dtype);
}

static void describe_state_arg(at_arg *a, const at_state *t, const at_storage *real)
{
    a->storage = t->storage;
    a->buffers = t->loaded;
    a->data = t->storage == real ? t->buffer[0].data : NULL;
}

static void fill_call(at_plan *p, at_step_node *s)
{
    const at_node *n = s->node;
    const at_storage *real = at_storage_of(p->ctx, AT_REAL);
    s->call.param = n->param;
    s->call.pool = p->ctx->pool;
    for (int i = 0; i < n->n_in; i++) {
        if (!n->in[i]) continue;
        describe_arg(&s->call.in[i], &n->in[i]->meta, at__placed(p, n->in[i]));
        if (n->in[i]->state) describe_state_arg(&s->call.in[i], n->in[i]->state, real);
    }
    for (int o = 0; o < n->op->n_out + n->op->n_saved; o++) {
        describe_arg(&s->call.out[o], &n->out[o]->meta, at__placed(p, n->out[o]));
        if (at__placed(p, n->out[o])->fed) s->call.out[o].data = NULL; /* the host's value stands */
        const at_value *sum = at__first_of_sum(n->out[o]);
        if (n->op->sparse_out >> o & 1 && sum->target == AT_TARGET_GRADIENT)
            s->call.out[o].named = sum->target_state->named;
    }
    char *scratch = p->scratch.data;
    size_t at = s->prepared_scratch;
    s->call.scratch = scratch + at;
    at += (size_t)at_round_up((int64_t)s->need.scratch, AT_ALIGN);
    s->call.thread_scratch = scratch + at;
    s->call.thread_stride = (size_t)at_round_up((int64_t)s->need.thread_scratch, AT_ALIGN);
    for (int k = 0; k < s->n_bindings; k++) {
        const at_binding *b = &s->bindings[k];
        void *data = b->kept ? b->kept->buffer.data : scratch + b->scratch_offset;
        if (b->dense_in >= 0)
            s->call.in[b->dense_in].data = data;
        else
            s->call.prepared[b->index] = data;
    }
    for (int k = 0; k < s->n_bindings; k++) {
        at_prepared *kept = s->bindings[k].kept;
        if (!kept || !kept->part) continue;
        kept->call = s->call;
        kept->call.param = kept->param; /* the node may be gone before the store */
        kept->call.prepared[0] = kept->buffer.data;
    }
}

static at_status open_own(at_plan *p, at_step_node *s)
{
    at_problem problem;
    if (!s->kernel || !s->kernel->open) return AT_OK;
    at__describe_problem(p, s->node, &problem);
    return s->kernel->open(p->ctx, &problem, &s->call.own);
}

static void close_own(at_plan *p, const at_step_node *s)
{
    if (s->kernel && s->kernel->close) s->kernel->close(p->ctx, s->call.own);
}

/* What host and plan exchange passes through scratch when its elements differ. */
static size_t border_bytes(const at_plan *p)
{
    size_t most = 0;
    for (int i = 0; i < p->graph->n_values; i++) {
        const at_value *v = p->graph->values[i];
        const at_placed *at = at__placed(p, v);
        const bool crosses = (!v->node && !v->state) || at->fed || at->fetched;
        if (crosses && is_narrow(p, v) && wide_bytes(v) > most) most = wide_bytes(v);
    }
    return most;
}

/* ---- Life ---- */

static at_status make_steps(at_plan *p)
{
    const at_graph *g = p->graph;
    bool *needed;
    AT_NEW(p->ctx, needed, g->n_nodes + g->n_values);
    mark_needed(p, needed);
    for (int i = 0; i < g->n_nodes; i++) {
        const at_node *n = g->nodes[i];
        if (!needed[i]) continue;
        const bool is_static = is_static_node(p, n);
        for (int o = 0; o < n->op->n_out + n->op->n_saved; o++) {
            at__placed(p, n->out[o])->is_static = is_static;
            at__placed(p, n->out[o])->step = p->n_steps;
        }
        if (!n->op->view) p->steps[p->n_steps++] = (at_step_node){.node = n, .is_static = is_static};
    }
    at_free(p->ctx, needed);
    return AT_OK;
}

/* Commit nodes run once, after k passes: of the passes' values they may read sums and states only. */
static at_status check_commit_input(const at_plan *p, const at_node *n, const at_value *v)
{
    char text[192];
    AT_REQUIRE(p->ctx,
               !v->node || v->node->phase == AT_COMMIT || v->target != AT_TARGET_NONE ||
                   at__placed(p, v)->is_static,
               AT_E_STATE, "%s: reads a value of the pass that is no step sum", at_node_text(text, n));
    return AT_OK;
}

/* The node that computes a running state's next value; NULL = none. */
static const at_node *assigner_of(const at_plan *p, const at_state *state)
{
    for (int i = 0; i < p->graph->n_values; i++) {
        const at_value *v = p->graph->values[i];
        if (v->target == AT_TARGET_PENDING && v->target_state == state) return v->node;
    }
    return NULL;
}

/* In a pass everybody sees the same value of a running state, and nobody what adds up over the passes. */
static at_status check_pass_input(const at_plan *p, const at_node *n, const at_value *v)
{
    char text[192], other[192];
    AT_REQUIRE(p->ctx, v->target != AT_TARGET_SUM && v->target != AT_TARGET_GRADIENT, AT_E_STATE,
               "%s: reads a value that adds up over the micro passes", at_node_text(text, n));
    if (v->node || !v->state || v->state->role != AT_RUNNING) return AT_OK;
    const at_node *assigner = assigner_of(p, v->state);
    AT_REQUIRE(p->ctx, !assigner || n->id <= assigner->id, AT_E_STATE, "%s: reads %s after %s assigned it",
               at_node_text(text, n), v->state->name, at_node_text(other, assigner));
    return AT_OK;
}

static at_status check_phases(const at_plan *p)
{
    for (int i = 0; i < p->n_steps; i++) {
        const at_node *n = p->steps[i].node;
        for (int j = 0; j < n->n_in; j++)
            if (n->in[j])
                AT_TRY(n->phase == AT_COMMIT ? check_commit_input(p, n, n->in[j])
                                             : check_pass_input(p, n, n->in[j]));
    }
    return AT_OK;
}

static at_dtype element_type(const at_plan *p, const at_value *v)
{
    if (v->meta.type == AT_INT) return AT_I32;
    return v->meta.type == AT_ACT && p->options.act == AT_BF16 ? AT_BF16 : AT_REAL;
}

/* What is computed, by which steps. */
static at_status outline(at_plan *p)
{
    const at_graph *g = p->graph;
    AT_NEW(p->ctx, p->placed, g->n_values);
    AT_NEW(p->ctx, p->steps, g->n_nodes);
    AT_NEW(p->ctx, p->slots, g->n_values);
    AT_NEW(p->ctx, p->extents, g->n_extents + 1);
    for (int i = 0; i < g->n_values; i++) p->placed[i].dtype = element_type(p, g->values[i]);
    for (int i = 0; i < p->options.n_feeds; i++) at__placed(p, p->options.feeds[i])->fed = true;
    for (int i = 0; i < p->options.n_fetches; i++) at__placed(p, p->options.fetches[i])->fetched = true;
    AT_TRY(make_steps(p));
    return check_phases(p);
}

static at_status obtain_memory(at_plan *p, size_t kept)
{
    const at_graph *g = p->graph;
    AT_TRY(p->device->kind->alloc(p->device, &p->arena, p->arena_bytes));
    AT_TRY(p->device->kind->alloc(p->device, &p->kept, kept));
    AT_TRY(p->device->kind->alloc(p->device, &p->scratch, p->scratch_bytes));
    for (int i = 0; i < g->n_values; i++) {
        at_placed *at = &p->placed[i];
        if (at->where == AT_IN_ARENA) at->data = (char *)p->arena.data + p->slots[at->slot].offset;
        if (at->where == AT_IN_PLAN) at->data = (char *)p->kept.data + at->offset;
    }
    for (int i = 0; i < p->n_steps; i++) {
        fill_call(p, &p->steps[i]);
        AT_TRY(open_own(p, &p->steps[i]));
    }
    return AT_OK;
}

static at_status build(at_plan *p)
{
    AT_TRY(outline(p));
    p->scratch_bytes = border_bytes(p);
    for (int i = 0; i < p->n_steps; i++) {
        const at_status s = choose_and_bind(p, &p->steps[i]);
        if (s != AT_OK) {
            at_wrap(p->ctx, "plan");
            return s;
        }
        const size_t bytes = at__wide_offset(p, &p->steps[i]) + p->steps[i].wide_scratch;
        if (bytes > p->scratch_bytes) p->scratch_bytes = bytes;
    }
    size_t kept;
    AT_TRY(at__place_values(p, &kept));
    return p->options.sketch ? AT_OK : obtain_memory(p, kept);
}

static at_status begin(at_plan **out, at_graph *g, const at_plan_options *options)
{
    static const at_plan_options defaults;
    *out = NULL;
    AT_TRY(at_graph_finish(g));
    at_plan *p;
    AT_NEW(g->ctx, p, 1);
    p->ctx = g->ctx;
    p->graph = g;
    p->store = g->store;
    p->device = g->store->device;
    p->options = options ? *options : defaults;
    *out = p;
    return AT_OK;
}

/* The plan, or what led to no plan. */
static at_status end(at_plan **out, at_plan *p, at_status s)
{
    if (s == AT_OK)
        *out = p;
    else
        at_plan_destroy(p);
    return s;
}

at_status at_plan_create(at_plan **out, at_graph *g, const at_plan_options *options)
{
    at_plan *p;
    *out = NULL;
    AT_TRY(begin(&p, g, options));
    return end(out, p, build(p));
}

at_status at__plan_outline(at_plan **out, at_graph *g, const at_plan_options *options)
{
    at_plan *p;
    size_t kept;
    *out = NULL;
    AT_TRY(begin(&p, g, options));
    at_status s = outline(p);
    if (s == AT_OK) s = at__place_values(p, &kept);
    return end(out, p, s);
}

void at_plan_destroy(at_plan *p)
{
    if (!p) return;
    for (int i = 0; i < p->n_steps; i++) close_own(p, &p->steps[i]);
    p->device->kind->release(p->device, &p->arena);
    p->device->kind->release(p->device, &p->kept);
    p->device->kind->release(p->device, &p->scratch);
    at_free(p->ctx, p->placed);
    at_free(p->ctx, p->steps);
    at_free(p->ctx, p->slots);
    at_free(p->ctx, p->extents);
    at_free(p->ctx, p);
}

/* ---- What it is ---- */

/* States in a flat range are counted with the range. */
static void count_state(const at_store *store, const at_state *t, at_memory *m)
{
    int64_t stored[AT_MAX_BUFFERS] = {0};
    if (t == store->master || t == store->gradient || t == store->running || t == store->pending) return;
    if (t->flat || !t->storage || !t->storage->bytes(stored, t->rows, t->cols)) return;
    for (int b = 0; b < t->storage->n_buffers; b++)
        *(t->role == AT_FLAT ? &m->slots : &m->frozen) += (size_t)stored[b];
}

at_memory at_plan_memory(const at_plan *p)
{
    at_memory m = {.activations = p->arena_bytes, .scratch = p->scratch_bytes};
    const at_graph *g = p->graph;
    for (int i = 0; i < g->n_values; i++) {
        const at_value *v = g->values[i];
        const at_placed *at = &p->placed[i];
        if (v->state && !v->node && at->read) count_state(p->store, v->state, &m);
        if (at->where != AT_IN_PLAN || (v->node && v->node->op->view)) continue;
        const size_t bytes = at__value_bytes(at, &v->meta);
        if (!v->node || at->fed)
            m.inputs += bytes;
        else if (v->target == AT_TARGET_SUM)
            m.sums += bytes;
        else
            m.statics += bytes;
    }
    if (p->store->master) m.masters = m.gradients = p->store->master->buffer[0].bytes;
    if (p->store->running) m.running = 2 * p->store->running->buffer[0].bytes;
    m.prepared = p->store->prepared_bytes;
    return m;
}

bool at_plan_next(const at_plan *p, int *cursor, at_plan_line *out)
{
    if (*cursor >= p->n_steps) return false;
    const at_step_node *s = &p->steps[(*cursor)++];
    *out = (at_plan_line){s->node, s->kernel, s->is_static, &s->call};
    return true;
}
