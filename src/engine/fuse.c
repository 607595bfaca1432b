/* fuse.c: applying fusions, from the last node to the first, so that what a fused node stands for may become
 * part of a larger one. */
#include "engine/fuse.h"

/* Does more than a node's reading depend on v? */
static bool is_held(const at_graph *g, const at_value *v, at_value *const *kept, int n_kept)
{
    for (int i = 0; i < n_kept; i++)
        if (kept[i] == v) return true;
    for (int i = 0; i < g->n_values; i++) {
        const at_value *w = g->values[i];
        if (w->onto == v || (w->want_grad && w->grad == v)) return true;
    }
    return v->want_grad || v->onto || v->target != AT_TARGET_NONE;
}

/* The node that alone reads v; NULL when none or several do. */
static at_node *only_reader(const at_graph *g, const at_value *v)
{
    at_node *reader = NULL;
    for (int i = v->node->id + 1; i < g->n_nodes; i++)
        for (int j = 0; j < g->nodes[i]->n_in; j++) {
            if (g->nodes[i]->in[j] != v) continue;
            if (reader) return NULL;
            reader = g->nodes[i];
        }
    return reader;
}

static int n_outputs(const at_node *n)
{
    return n->op->n_out + n->op->n_saved;
}

static bool is_behind(const at_value *v, const at_node *n)
{
    return v && v->node && v->node->id > n->id;
}

/* Is all that `then` needs but between there before the first node? */
static bool can_stand_first(const at_node *first, const at_node *then)
{
    for (int j = 0; j < then->n_in; j++)
        if (is_behind(then->in[j], first)) return false;
    for (int o = 0; o < n_outputs(then); o++)
        if (is_behind(then->out[o]->onto, first)) return false;
    return true;
}

/* Does nothing before `then` need what else the first node gives? */
static bool can_stand_last(const at_graph *g, const at_node *first, const at_node *then)
{
    for (int i = first->id + 1; i < then->id; i++) {
        const at_node *n = g->nodes[i];
        for (int j = 0; j < n->n_in; j++)
            if (n->in[j] && n->in[j]->node == first) return false;
        for (int o = 0; o < n_outputs(n); o++)
            if (n->out[o]->onto && n->out[o]->onto->node == first) return false;
    }
    return true;
}

static bool fits(const at_graph *g, const at_fusion *f, const at_node *first, const at_node *then)
{
    return then->op == f->then && first->phase == then->phase && then->in[f->at] == first->out[0] &&
           first->op->n_in + then->n_in - 1 <= AT_MAX_IN &&
           (can_stand_first(first, then) || can_stand_last(g, first, then));
}

static void join_inputs(at_node *first, const at_node *then)
{
    const at_value *between = first->out[0];
    while (first->n_in < first->op->n_in) first->in[first->n_in++] = NULL; /* absent ones at the end */
    for (int j = 0; j < then->n_in; j++)
        if (then->in[j] != between) first->in[first->n_in++] = then->in[j];
}

static void join_outputs(const at_fusion *f, at_node *first, const at_node *then)
{
    at_value *out[AT_MAX_OUT], *between = first->out[0];
    int n = 0;
    out[n++] = then->out[0];
    for (int o = 1; o < n_outputs(first); o++) out[n++] = first->out[o];
    for (int o = 1; o < n_outputs(then); o++) out[n++] = then->out[o];
    if (n < f->fused->n_out + f->fused->n_saved) out[n++] = between;
    for (int o = 0; o < n; o++) {
        first->out[o] = out[o];
        out[o]->node = first;
        out[o]->index = o;
    }
    first->saved = first->out + f->fused->n_out;
}

static void *join_params(at_graph *g, const at_fusion *f, const at_node *first, const at_node *then)
{
    if (f->fused->param_size == 0) return NULL;
    char *param = at_arena_alloc(&g->arena, f->fused->param_size);
    if (!param) {
        at_graph_fail(g, AT_E_NOMEM, "no memory for a fusion");
    } else if (f->param) {
        f->param(param, first, then);
    } else {
        if (first->param) memcpy(param, first->param, f->first->param_size);
        if (then->param) memcpy(param + f->first->param_size, then->param, f->then->param_size);
    }
    return param;
}

/* A value that nothing reads any more stays in the list, without a place in any plan. */
static void replace(at_graph *g, const at_fusion *f, at_node *first, at_node *then)
{
    void *param = join_params(g, f, first, then);
    const bool stands_first = can_stand_first(first, then);
    if (g->status != AT_OK) return;
    join_inputs(first, then);
    join_outputs(f, first, then);
    first->op = f->fused;
    first->param = param;
    if (then->id < g->n_forward) g->n_forward--;
    if (!stands_first) g->nodes[then->id] = first;
    const int gone = stands_first ? then->id : first->id;
    g->n_nodes--;
    for (int i = gone; i < g->n_nodes; i++) {
        g->nodes[i] = g->nodes[i + 1];
        g->nodes[i]->id = i;
    }
}

static const at_fusion *fusion_of(const at_graph *g, const at_node *first, at_node **then)
{
    int cursor = 0;
    const at_fusion *f;
    *then = NULL;
    while ((f = at_registry_next(g->ctx, "fusion", &cursor))) {
        if (f->first != first->op) continue;
        if (!*then && !(*then = only_reader(g, first->out[0]))) return NULL;
        if (fits(g, f, first, *then)) return f;
    }
    return NULL;
}

void at_graph_fuse(at_graph *g, at_value *const *kept, int n_kept)
{
    for (int i = g->n_nodes - 1; i >= 0 && g->status == AT_OK; i--) {
        at_node *first = g->nodes[i], *then;
        const at_fusion *f = fusion_of(g, first, &then);
        if (f && !is_held(g, first->out[0], kept, n_kept)) replace(g, f, first, then);
    }
}
