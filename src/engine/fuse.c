/* fuse.c: applying fusions. The fused node stands where the first one stood, so that what reads the first
 * one's other outputs still comes behind it. */
#include "engine/fuse.h"

/* The node that alone reads v; NULL when none or several do, or the host. */
static at_node *only_reader(const at_graph *g, const at_value *v, at_value *const *kept, int n_kept)
{
    at_node *reader = NULL;
    for (int i = 0; i < n_kept; i++)
        if (kept[i] == v) return NULL;
    for (int i = v->node->id + 1; i < g->n_nodes; i++)
        for (int j = 0; j < g->nodes[i]->n_in; j++) {
            if (g->nodes[i]->in[j] != v) continue;
            if (reader) return NULL;
            reader = g->nodes[i];
        }
    return reader;
}

static bool fits(const at_fusion *f, const at_node *first, const at_node *then)
{
    const at_value *v = first->out[0];
    return first->op == f->first && then->op == f->then && then->n_in == 1 && first->phase == then->phase &&
           !v->onto && v->target == AT_TARGET_NONE && at_same_shape(&v->meta, &then->out[0]->meta);
}

/* The value that nothing reads any more stays in the list, without a place in any plan. */
static void replace(at_graph *g, const at_fusion *f, at_node *first, at_node *then)
{
    void *param = f->param ? at_arena_alloc(&g->arena, f->fused->param_size) : NULL;
    if (f->param && !param) {
        at_graph_fail(g, AT_E_NOMEM, "no memory for a fusion");
        return;
    }
    if (param) f->param(param, first, then);
    first->op = f->fused;
    first->param = param;
    first->out[0] = then->out[0];
    first->out[0]->node = first;
    first->out[0]->index = 0;
    for (int i = then->id + 1; i < g->n_nodes; i++) {
        g->nodes[i - 1] = g->nodes[i];
        g->nodes[i - 1]->id = i - 1;
    }
    g->n_nodes--;
}

static const at_fusion *fusion_of(const at_graph *g, const at_node *first, const at_node *then)
{
    int cursor = 0;
    const at_fusion *f;
    while ((f = at_registry_next(g->ctx, "fusion", &cursor)))
        if (fits(f, first, then)) return f;
    return NULL;
}

void at_graph_fuse(at_graph *g, at_value *const *kept, int n_kept)
{
    for (int i = 0; i < g->n_nodes && g->status == AT_OK; i++) {
        at_node *first = g->nodes[i];
        at_node *then = first->op->n_out > 0 ? only_reader(g, first->out[0], kept, n_kept) : NULL;
        const at_fusion *f = then ? fusion_of(g, first, then) : NULL;
        if (f) replace(g, f, first, then);
    }
}
