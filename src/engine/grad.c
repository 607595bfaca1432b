/* grad.c: gradients are nodes. at_gradients walks the nodes backwards, asks each op for the nodes of its
 * gradient, and sums what several consumers contribute, in reverse build order, so that the bits are fixed. A
 * sum costs no memory of its own: the later contribution is computed onto the earlier one (value->onto). */
#include "engine/graph.h"
#include "engine/state.h"
#include "engine/view.h"

/* Is dx[i] the untouched result of a node appended since `before`, and input i's alone, so that it may be
 * directed somewhere? */
static bool is_fresh(const at_graph *g, at_value *const *dx, int i, int n_in, int before)
{
    const at_value *v = dx[i];
    for (int j = 0; j < n_in; j++)
        if (j != i && dx[j] == v) return false;
    if (!v->node || v->node->op->view || v->node->id < before || v->onto || v->target != AT_TARGET_NONE)
        return false;
    for (int k = before; k < g->n_nodes; k++)
        for (int j = 0; j < g->nodes[k]->n_in; j++)
            if (g->nodes[k]->in[j] == v) return false;
    return true;
}

/* The value under any views: what owns the memory. */
static const at_value *under_views(const at_value *v)
{
    while (v->node && v->node->op->view) v = v->node->in[0];
    return v;
}

/* Add one contribution to the gradient of x; fresh: see is_fresh. */
static void contribute(at_graph *g, at_value *x, at_value *dx, bool fresh)
{
    if (!at_same_shape(&x->meta, &dx->meta)) {
        char a[AT_SHAPE_TEXT], b[AT_SHAPE_TEXT];
        at_graph_fail(g, AT_E_INTERNAL, "a gradient has shape %s, its value %s",
                      at_shape_text(b, dx->meta.rank, dx->meta.dim),
                      at_shape_text(a, x->meta.rank, x->meta.dim));
        return;
    }
    if (!x->grad) {
        /* A state's gradient is written to its place, and what is a state's value is never added to: both
         * take a node of their own. */
        const bool own = x->state || under_views(dx)->state;
        x->grad = own && !fresh ? at_op1(g, &at_op_copy, NULL, dx) : dx;
        return;
    }
    if (x->state && x->grad == dx) /* the same again: neither may read the place where gradients add up */
        x->grad = at_op1(g, &at_op_copy, NULL, dx);
    /* What is added must be computed later: one node may have given both, or a copy came between. */
    at_value *base = x->grad;
    const at_node *earlier = under_views(base)->node;
    if (under_views(base) == under_views(dx) || !fresh || (earlier && earlier->id >= dx->node->id))
        dx = at_op1(g, &at_op_copy, NULL, dx);
    if (g->status != AT_OK) return;
    dx->onto = base;
    x->grad = dx;
}

static void backward(at_graph *g, const at_node *n)
{
    at_value *dy[AT_MAX_OUT] = {0}, *dx[AT_MAX_IN] = {0};
    bool any_dy = false;
    for (int i = 0; i < n->op->n_out; i++) {
        dy[i] = n->out[i]->grad;
        any_dy |= dy[i] != NULL;
    }
    uint32_t wanted = 0;
    for (int i = 0; i < n->n_in; i++)
        if (n->in[i] && (n->in[i]->needs_grad || n->in[i]->want_grad)) {
            dx[i] = n->in[i];
            wanted |= 1u << i;
        }
    if (!any_dy || !wanted) return;
    g->site = n->site;
    if (wanted & n->op->constant_in) {
        at_graph_fail(g, AT_E_UNSUPPORTED, "input %d of %s has no gradient: it is data that never learns",
                      __builtin_ctz(wanted & n->op->constant_in), n->op->name);
        return;
    }
    if (!n->op->grad) {
        at_graph_fail(g, AT_E_UNSUPPORTED, "%s has no gradient: %s", n->op->name, n->op->no_grad_reason);
        return;
    }
    const int before = g->n_nodes;
    n->op->grad(g, n, dy, dx);
    for (int i = 0; i < n->n_in && g->status == AT_OK; i++) {
        if (!dx[i]) continue;
        if (dx[i] == n->in[i])
            at_graph_fail(g, AT_E_INTERNAL, "%s does not say what the gradient of its input %d is",
                          n->op->name, i);
        else
            contribute(g, n->in[i], dx[i], is_fresh(g, dx, i, n->n_in, before));
    }
}

/* A trainable state's gradient goes to its place in the flat gradient: the first contribution overwrites, the
 * ones computed onto it add. */
static void direct(at_graph *g, at_value *x)
{
    at_value *root = x->grad;
    while (root->onto) root = root->onto;
    if (root->target != AT_TARGET_NONE)
        at_graph_fail(g, AT_E_INTERNAL, "%s shares its gradient with another state", x->name);
    root->target = AT_TARGET_GRADIENT;
    root->target_state = x->state;
    if (root->node->phase != AT_PASS)
        at_graph_fail(g, AT_E_STATE, "the gradient of %s belongs to the pass", x->name);
}

void at_gradients(at_graph *g, at_value *const *outputs, at_value *const *seeds, int n)
{
    if (g->status != AT_OK) return;
    const char *site = g->site;
    const int last = g->n_nodes;
    if (!g->n_forward) g->n_forward = last;
    for (int i = 0; i < n; i++) {
        if (!seeds[i] && outputs[i]->node && !outputs[i]->node->op->loss)
            at_graph_fail(g, AT_E_ARG, "%s does not emit its gradient in the forward: it needs a seed",
                          outputs[i]->node->op->name);
        outputs[i]->grad =
            seeds[i] ? seeds[i] : outputs[i]; /* itself stands for ones: losses do not read it */
    }
    for (int i = last - 1; i >= 0 && g->status == AT_OK; i--) backward(g, g->nodes[i]);
    for (int i = 0; i < g->n_values && g->status == AT_OK; i++) {
        at_value *v = g->values[i];
        if (v->state && !v->node && v->state->role == AT_TRAINABLE && v->grad) direct(g, v);
    }
    g->site = site;
}

bool at_graph_reaches(const at_graph *g, const at_state *state)
{
    for (int i = 0; i < g->n_values; i++)
        if (g->values[i]->state == state && !g->values[i]->node && g->values[i]->grad) return true;
    return false;
}
