/* graph.c: the builder: values, nodes, inputs, states, extents; sticky errors. Reading path: at_apply. */
#include "engine/graph.h"
#include "engine/state.h"
#include "engine/view.h"
#include <stdio.h>

at_status at_graph_create(at_graph **out, at_ctx *ctx, at_store *store, at_mode mode)
{
    *out = NULL;
    at_graph *g;
    AT_NEW(ctx, g, 1);
    g->ctx = ctx;
    g->store = store;
    g->mode = mode;
    g->site = "";
    at_arena_init(&g->arena, ctx);
    g->error_node = at_arena_alloc(&g->arena, sizeof *g->error_node);
    at_value *error_value = g->error_node ? at_arena_alloc(&g->arena, sizeof *error_value) : NULL;
    if (!error_value) {
        at_graph_destroy(g);
        return AT_E_NOMEM;
    }
    error_value->meta = (at_meta){.rank = 1, .dim = {1}};
    for (int i = 0; i < AT_MAX_OUT; i++) g->error_node->out[i] = error_value;
    g->error_node->saved = g->error_node->out;
    g->error_node->site = "";
    *out = g;
    return AT_OK;
}

void at_graph_destroy(at_graph *g)
{
    if (!g) return;
    at_free(g->ctx, g->nodes);
    at_free(g->ctx, g->values);
    at_free(g->ctx, g->extents);
    at_arena_deinit(&g->arena);
    at_free(g->ctx, g);
}

at_status at_graph_finish(at_graph *g)
{
    return g->status;
}

void at_graph_fail(at_graph *g, at_status code, const char *fmt, ...)
{
    if (g->status != AT_OK) return;
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    g->status = at_fail(g->ctx, code, "%s%s%s", g->site, *g->site ? ": " : "", text);
}

/* After a failure recorded in ctx by a callee. */
static void stick(at_graph *g, at_status status)
{
    if (g->status != AT_OK) return;
    if (*g->site) at_wrap(g->ctx, "%s", g->site);
    g->status = status;
}

static bool grow(at_graph *g, void **list, int n, int *cap, size_t size)
{
    if (n < *cap) return true;
    const int wider = *cap ? 2 * *cap : 64;
    void *grown = at_realloc(g->ctx, *list, (size_t)n * size, (size_t)wider * size);
    if (!grown) {
        stick(g, AT_E_NOMEM);
        return false;
    }
    *list = grown;
    *cap = wider;
    return true;
}

static void *graph_alloc(at_graph *g, size_t size)
{
    void *p = at_arena_alloc(&g->arena, size);
    if (!p) stick(g, AT_E_NOMEM);
    return p;
}

void at_graph_site(at_graph *g, const char *fmt, ...)
{
    char text[256];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (strcmp(text, g->site) == 0) return;
    char *copy = at_arena_strdup(&g->arena, text);
    if (copy)
        g->site = copy;
    else
        stick(g, AT_E_NOMEM);
}

void at_graph_commit(at_graph *g)
{
    g->phase = AT_COMMIT;
}

const at_extent *at_graph_extent(at_graph *g, const char *name, int64_t max)
{
    at_extent *e = graph_alloc(g, sizeof *e);
    int cap = g->n_extents; /* few: grown one at a time */
    if (!e || !grow(g, (void **)&g->extents, g->n_extents, &cap, sizeof *g->extents)) return NULL;
    *e = (at_extent){at_arena_strdup(&g->arena, name), max, g->n_extents};
    if (max < 1) at_graph_fail(g, AT_E_ARG, "extent %s: maximum %lld is below 1", name, (long long)max);
    g->extents[g->n_extents++] = e;
    return e;
}

static at_value *new_value(at_graph *g, const at_meta *meta)
{
    at_value *v = graph_alloc(g, sizeof *v);
    if (!v || !grow(g, (void **)&g->values, g->n_values, &g->cap_values, sizeof *g->values))
        return g->error_node->out[0];
    v->meta = *meta;
    v->id = g->n_values;
    g->values[g->n_values++] = v;
    return v;
}

at_value *at_input(at_graph *g, const char *name, at_type type, const at_extent *extent, int rank,
                   const int64_t *dim)
{
    at_meta m = at_meta_of(type, rank, dim);
    m.extent = extent;
    int64_t count;
    if (extent && !at_mul_ok(&m.dim[0], m.dim[0], extent->max)) m.dim[0] = -1;
    if (!at_shape_count(&count, rank, m.dim))
        at_graph_fail(g, AT_E_SHAPE, "input %s: the element count does not fit 64 bits", name);
    at_value *v = new_value(g, &m);
    v->name = at_arena_strdup(&g->arena, name);
    return v;
}

at_value *at_graph_input(const at_graph *g, const char *name)
{
    for (int i = 0; i < g->n_values; i++) {
        at_value *v = g->values[i];
        if (!v->node && !v->state && v->name && strcmp(v->name, name) == 0) return v;
    }
    return NULL;
}

at_value *at_read(at_graph *g, at_state *state)
{
    if (!state) {
        at_graph_fail(g, AT_E_STATE, "read of a state that was not declared");
        return g->error_node->out[0];
    }
    for (int i = 0; i < g->n_values; i++)
        if (g->values[i]->state == state && !g->values[i]->node) return g->values[i];
    at_meta m = state->shape.rank ? at_meta_of(AT_ACC, state->shape.rank, state->shape.dim)
                                  : at_meta_vector(AT_ACC, 1);
    m.type = state->role == AT_CACHE ? AT_ACT : AT_ACC;
    at_value *v = new_value(g, &m);
    v->state = state;
    v->name = state->name;
    v->needs_grad = state->role == AT_TRAINABLE;
    return v;
}

/* ---- Nodes ---- */

static const char *const type_names[] = {"act", "acc", "int"};

/* Inputs present, of the right kind, states where the op overwrites them. */
static at_status check_inputs(at_graph *g, const at_op *op, at_value *const *in, int n_in)
{
    AT_REQUIRE(g->ctx, n_in <= op->n_in && n_in <= AT_MAX_IN, AT_E_ARG, "%s: %d inputs given, takes %d",
               op->name, n_in, op->n_in);
    for (int i = 0; i < op->n_in; i++) {
        const at_value *v = i < n_in ? in[i] : NULL;
        if (!v) {
            AT_REQUIRE(g->ctx, op->optional_in >> i & 1, AT_E_ARG, "%s: input %d is missing", op->name, i);
            continue;
        }
        const at_type wanted = op->int_in >> i & 1 ? AT_INT : op->acc_in >> i & 1 ? AT_ACC : AT_ACT;
        const bool either = (op->any_in >> i & 1) && v->meta.type != AT_INT;
        AT_REQUIRE(g->ctx, either || v->meta.type == wanted, AT_E_DTYPE,
                   "%s: input %d is %s, must be %s (casts are ops)", op->name, i, type_names[v->meta.type],
                   type_names[wanted]);
        AT_REQUIRE(g->ctx, !(op->updates >> i & 1) || v->state, AT_E_ARG, "%s: input %d must be a state",
                   op->name, i);
    }
    return AT_OK;
}

static uint32_t count_stochastic(const at_graph *g, const char *site)
{
    uint32_t n = 0;
    for (int i = 0; i < g->n_nodes; i++)
        if (g->nodes[i]->op->stochastic && strcmp(g->nodes[i]->site, site) == 0) n++;
    return n;
}

at_node *at_apply(at_graph *g, const at_op *op, const void *param, at_value *const *in, int n_in)
{
    if (g->status != AT_OK) return g->error_node;
    at_status s = check_inputs(g, op, in, n_in);
    at_meta in_meta[AT_MAX_IN] = {0}, out_meta[AT_MAX_OUT] = {0};
    if (s == AT_OK) {
        for (int i = 0; i < n_in; i++)
            if (in[i]) in_meta[i] = in[i]->meta;
        s = op->infer(g->ctx, param, in_meta, out_meta, out_meta + op->n_out);
    }
    int64_t count;
    for (int i = 0; s == AT_OK && i < op->n_out + op->n_saved; i++)
        if (!at_shape_count(&count, out_meta[i].rank, out_meta[i].dim))
            s = at_fail(g->ctx, AT_E_SHAPE, "%s: the element count of output %d does not fit 64 bits",
                        op->name, i);
    if (s != AT_OK) {
        stick(g, s);
        return g->error_node;
    }
    at_node *n = graph_alloc(g, sizeof *n);
    void *p = op->param_size ? graph_alloc(g, op->param_size) : NULL;
    if (!n || (op->param_size && !p) ||
        !grow(g, (void **)&g->nodes, g->n_nodes, &g->cap_nodes, sizeof *g->nodes))
        return g->error_node;
    if (p) memcpy(p, param, op->param_size);
    *n = (at_node){.op = op, .param = p, .site = g->site, .phase = g->phase, .n_in = n_in, .id = g->n_nodes};
    n->saved = n->out + op->n_out;
    if (op->stochastic) n->occurrence = count_stochastic(g, g->site);
    bool needs_grad = false;
    for (int i = 0; i < n_in; i++) {
        n->in[i] = in[i];
        if (in[i] && (in[i]->needs_grad || in[i]->want_grad)) needs_grad = true;
    }
    for (int i = 0; i < op->n_out + op->n_saved; i++) {
        at_value *v = new_value(g, &out_meta[i]);
        v->node = n;
        v->index = i;
        v->needs_grad = needs_grad;
        if (op->updates && i == 0) v->state = in[0]->state; /* append: the state as later nodes read it */
        n->out[i] = v;
    }
    if (g->status != AT_OK) return g->error_node;
    g->nodes[g->n_nodes++] = n;
    return n;
}

at_node *at_graph_copy_node(at_graph *g, const at_node *n)
{
    at_node *copy = graph_alloc(g, sizeof *copy);
    if (!copy) return NULL;
    *copy = *n;
    copy->saved = copy->out + n->op->n_out;
    for (int o = 0; o < n->op->n_out + n->op->n_saved; o++) {
        at_value *v = new_value(g, &n->out[o]->meta);
        if (g->status != AT_OK) return NULL;
        v->node = copy;
        v->index = o;
        copy->out[o] = v;
    }
    return copy;
}

double at_node_flops(const at_node *n)
{
    at_meta in[AT_MAX_IN] = {0}, out[AT_MAX_OUT] = {0};
    double elements = 0;
    for (int i = 0; i < n->n_in; i++)
        if (n->in[i]) in[i] = n->in[i]->meta;
    for (int o = 0; o < n->op->n_out + n->op->n_saved; o++) {
        out[o] = n->out[o]->meta;
        elements += (double)at_meta_max_rows(&out[o]) * (double)at_meta_cols(&out[o]);
    }
    return n->op->flops ? n->op->flops(n->param, in, out) : elements;
}

const char *at_node_text(char out[192], const at_node *n)
{
    snprintf(out, 192, "%.120s%s%.60s%s", n->site, *n->site ? " (" : "", n->op->name, *n->site ? ")" : "");
    return out;
}

/* ---- Commit list, sums ---- */

static bool claim_target(at_graph *g, at_value *v, at_target target, const char *what)
{
    if (g->status != AT_OK) return false;
    if (!v->node || v->target != AT_TARGET_NONE || v->onto) {
        at_graph_fail(g, AT_E_STATE, "%s: the value must come from a node of its own", what);
        return false;
    }
    v->target = target;
    return true;
}

void at_assign(at_graph *g, at_state *state, at_value *value)
{
    if (!claim_target(g, value, AT_TARGET_PENDING, "assign")) return;
    if (state->role != AT_RUNNING)
        at_graph_fail(g, AT_E_STATE, "assign: %s is not a running state", state->name);
    for (int i = 0; i < g->n_values; i++)
        if (g->values[i]->target_state == state && g->values[i]->target == AT_TARGET_PENDING &&
            g->values[i] != value)
            at_graph_fail(g, AT_E_STATE, "assign: %s has its next value already", state->name);
    value->target_state = state;
}

void at_step_sum(at_graph *g, at_value *value)
{
    claim_target(g, value, AT_TARGET_SUM, "step sum");
}
