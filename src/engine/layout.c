/* layout.c: memory of a plan: for each value how long it lives, whose memory it may take over, and at which
 * offset of the arena it lies. Reading path: at__place_values, then at__pack_slots. */
#include "engine/plan_internal.h"

enum { PITCH_ELEMENTS = 8, PAGE_BYTES = 4096 };

/* Rows are padded to 8 elements (32 and more would double the bytes of narrow channels, measured on
 * MobileNetV2's 16-channel stem), and once more where rows 4 KiB apart would fall into one cache set. Rows of
 * fewer elements, as the pixels of a picture, lie without gaps: a convolution then reads neighbours as one
 * run. */
static int64_t row_pitch(const at_meta *m, at_dtype dtype)
{
    const int64_t C = at_meta_cols(m);
    if (!m->extent || m->type == AT_INT || C < PITCH_ELEMENTS) return C;
    int64_t pitch = at_round_up(C, PITCH_ELEMENTS);
    if (pitch * (int64_t)at_dtype_size(dtype) % PAGE_BYTES == 0) pitch += 2 * PITCH_ELEMENTS;
    return pitch;
}

/* 64 TiB: more than any machine has, and sums of such sizes stay within 64 bits. */
static const int64_t MOST_BYTES = INT64_C(1) << 46;

static at_status check_size(const at_plan *p, const at_value *v)
{
    char text[192];
    int64_t bytes;
    const bool fits = at_mul_ok(&bytes, at_meta_max_rows(&v->meta), at_meta_cols(&v->meta)) &&
                      at_mul_ok(&bytes, bytes, (int64_t)at_dtype_size(at__placed(p, v)->dtype)) &&
                      bytes <= MOST_BYTES;
    AT_REQUIRE(p->ctx, fits, AT_E_NOMEM, "%s: a value of %lld rows of %lld numbers fits no memory",
               v->node ? at_node_text(text, v->node) : v->name, (long long)at_meta_max_rows(&v->meta),
               (long long)at_meta_cols(&v->meta));
    return AT_OK;
}

size_t at__value_bytes(const at_placed *v, const at_meta *m)
{
    return (size_t)(at_meta_max_rows(m) * v->pitch) * at_dtype_size(v->dtype);
}

static const at_value *under_view(const at_value *v)
{
    return v->node->in[0];
}

static bool is_view(const at_value *v)
{
    return v->node && v->node->op->view;
}

/* The last reader of a value reads through its views, too. */
static void note_use(const at_plan *p, const at_value *v, int step)
{
    for (;; v = under_view(v)) {
        at_placed *at = at__placed(p, v);
        at->read = true;
        if (at->last_use < step) at->last_use = step;
        if (!is_view(v) || at->fed) return;
    }
}

static void find_last_uses(at_plan *p)
{
    for (int i = 0; i < p->n_steps; i++) {
        const at_node *n = p->steps[i].node;
        for (int j = 0; j < n->n_in; j++)
            if (n->in[j]) note_use(p, n->in[j], i);
        for (int j = 0; j < n->op->n_out + n->op->n_saved; j++)
            if (n->out[j]->onto) note_use(p, n->out[j]->onto, i);
    }
    for (int i = 0; i < p->options.n_fetches; i++) note_use(p, p->options.fetches[i], p->n_steps);
}

static void keep_in_plan(at_placed *at, const at_meta *m, size_t *kept)
{
    at->where = AT_IN_PLAN;
    at->offset = *kept;
    *kept += (size_t)at_round_up((int64_t)at__value_bytes(at, m), AT_ALIGN);
}

static void new_slot(at_plan *p, at_placed *at, const at_meta *m, int step)
{
    at->where = AT_IN_ARENA;
    at->slot = p->n_slots;
    p->slots[p->n_slots++] =
        (at_buffer_slot){.bytes = at__value_bytes(at, m), .first = step, .last = at->last_use};
}

static void share(at_plan *p, at_placed *at, const at_placed *base)
{
    at->where = base->where;
    at->slot = base->slot;
    at->offset = base->offset;
    at->columns = base->columns;
    at->data = base->data;
    if (at->where == AT_IN_ARENA && p->slots[at->slot].last < at->last_use)
        p->slots[at->slot].last = at->last_use;
}

/* May `step` write over this value? Only the arena is taken over, and only by its last reader. */
static bool is_free_after(const at_plan *p, const at_value *v, int step)
{
    const at_placed *at = at__placed(p, v);
    return at->where == AT_IN_ARENA && p->slots[at->slot].last == step && p->slots[at->slot].first < step;
}

/* Does the node read memory of this slot? */
static bool reads_slot(const at_plan *p, const at_node *n, int slot)
{
    for (int j = 0; j < n->n_in; j++) {
        if (!n->in[j]) continue;
        const at_placed *in = at__placed(p, n->in[j]);
        if (in->where == AT_IN_ARENA && in->slot == slot) return true;
    }
    return false;
}

/* Output o of step i computes onto a base: share its memory, or copy it first when it is still needed: by
 * later steps or by this one, whose results would spoil what it reads (x + linear(x) gives such a gradient).
 */
static void place_onto(at_plan *p, int i, int o)
{
    at_step_node *s = &p->steps[i];
    const at_value *v = s->node->out[o];
    at_placed *at = at__placed(p, v);
    const at_placed *base = at__placed(p, v->onto);
    s->accumulate |= 1u << o;
    const bool directed = at__first_of_sum(v)->target != AT_TARGET_NONE; /* the sum belongs there */
    if (directed || (is_free_after(p, v->onto, i) && !reads_slot(p, s->node, base->slot))) {
        share(p, at, base);
        at->pitch = base->pitch; /* the base may show columns of something wider */
        return;
    }
    new_slot(p, at, &v->meta, i);
    s->copy_onto[o] = v->onto;
}

static bool take_over(at_plan *p, int i, int o)
{
    const at_node *n = p->steps[i].node;
    const at_value *v = n->out[o];
    at_placed *at = at__placed(p, v);
    for (int k = 0; k < n->op->n_inplace; k++) {
        const int in = n->op->inplace[k].in;
        if (n->op->inplace[k].out != o || in >= n->n_in || !n->in[in]) continue;
        const at_placed *from = at__placed(p, n->in[in]);
        bool twice = false;
        for (int j = 0; j < n->n_in; j++) twice |= j != in && n->in[j] == n->in[in];
        if (!twice && is_free_after(p, n->in[in], i) && from->pitch == at->pitch && from->columns == 0 &&
            !is_view(n->in[in]) && at__value_bytes(from, &n->in[in]->meta) == at__value_bytes(at, &v->meta)) {
            share(p, at, from);
            return true;
        }
    }
    return false;
}

static at_status place_output(at_plan *p, int i, int o, size_t *kept)
{
    at_step_node *s = &p->steps[i];
    const at_value *v = s->node->out[o];
    at_placed *at = at__placed(p, v);
    if (at->fed) return AT_OK;
    if (s->node->op->updates) { /* the state itself, as later nodes read it */
        at->where = AT_IN_STATE;
        at->data = v->state->buffer[0].data;
        return AT_OK;
    }
    switch (v->target) {
    case AT_TARGET_GRADIENT:
    case AT_TARGET_PENDING: {
        const at_buffer *b =
            v->target == AT_TARGET_GRADIENT ? &v->target_state->gradient : &v->target_state->pending;
        AT_REQUIRE(p->ctx, b->data, AT_E_STATE, "%s: the store is not laid out", v->target_state->name);
        at->where = AT_IN_STATE;
        at->data = b->data;
        if (v->target == AT_TARGET_GRADIENT) s->accumulate_later |= 1u << o;
        return AT_OK;
    }
    case AT_TARGET_SUM:
        s->accumulate_later |= 1u << o;
        keep_in_plan(at, &v->meta, kept);
        return AT_OK;
    case AT_TARGET_NONE:
        break;
    }
    if (v->onto) {
        place_onto(p, i, o);
        return AT_OK;
    }
    if (!at->read) return AT_OK; /* nobody wants it: stays nowhere */
    if (at->is_static)
        keep_in_plan(at, &v->meta, kept);
    else if (!take_over(p, i, o))
        new_slot(p, at, &v->meta, i);
    return AT_OK;
}

static at_status place_view(at_plan *p, const at_value *v)
{
    at_placed *at = at__placed(p, v), *base = at__placed(p, under_view(v));
    at_state *t = under_view(v)->state;
    if (t && !base->data &&
        at->read) { /* views of weights: plain numbers only, their memory is the state's */
        AT_TRY(at_state_place(p->store, t));
        AT_REQUIRE(p->ctx, t->storage == at_storage_of(p->ctx, AT_REAL), AT_E_UNSUPPORTED,
                   "%s: a view of a %s state", t->name, t->storage->name);
        base->data = t->buffer[0].data;
    }
    at->where = base->where;
    at->slot = base->slot;
    at->offset = base->offset;
    at->data = base->data;
    if (v->meta.extent) at->pitch = base->pitch; /* what has no extent is dense, in its own shape */
    at->columns = base->columns + (v->node->op->view_offset ? v->node->op->view_offset(v->node->param) : 0);
    return AT_OK;
}

/* Views of inputs, states and of step i's outputs that were made before the next step. */
static at_status place_views(at_plan *p, int *next_node, int until_node)
{
    for (; *next_node < until_node; (*next_node)++) {
        const at_node *n = p->graph->nodes[*next_node];
        if (n->op->view && !at__placed(p, n->out[0])->fed) AT_TRY(place_view(p, n->out[0]));
    }
    return AT_OK;
}

at_status at__place_values(at_plan *p, size_t *kept)
{
    const at_graph *g = p->graph;
    *kept = 0;
    for (int i = 0; i < g->n_values; i++) {
        const at_value *v = g->values[i];
        at_placed *at = &p->placed[i];
        at->last_use = -1;
        AT_TRY(check_size(p, v));
        at->pitch = row_pitch(&v->meta, at->dtype);
    }
    find_last_uses(p);
    for (int i = 0; i < g->n_values; i++) {
        const at_value *v = g->values[i];
        at_placed *at = &p->placed[i];
        if (v->node && !at->fed) continue;
        if (v->state && !v->node) {
            at->where = AT_IN_STATE; /* its address is set per node: kernels may read it through its loader */
        } else if (at->read) {
            keep_in_plan(at, &v->meta, kept);
        }
    }
    int next_node = 0;
    for (int i = 0; i < p->n_steps; i++) {
        const at_node *n = p->steps[i].node;
        AT_TRY(place_views(p, &next_node, n->id));
        for (int o = 0; o < n->op->n_out + n->op->n_saved; o++) AT_TRY(place_output(p, i, o, kept));
    }
    AT_TRY(place_views(p, &next_node, g->n_nodes));
    int *order;
    AT_NEW(p->ctx, order, p->n_slots);
    p->arena_bytes = at__pack_slots(p->slots, p->n_slots, order);
    at_free(p->ctx, order);
    return AT_OK;
}

/* ---- Offsets: largest first, each at the lowest place that no slot alive at the same time holds ---- */

/* order[] by size, descending; ties by index, so that the layout is always the same. Shell sort: no
 * comparator state. */
static void sort_by_size(const at_buffer_slot *slots, int n, int *order)
{
    for (int i = 0; i < n; i++) order[i] = i;
    for (int gap = n / 2; gap > 0; gap = gap == 2 ? 1 : gap * 5 / 11)
        for (int i = gap; i < n; i++) {
            const int x = order[i];
            int j = i;
            for (; j >= gap; j -= gap) {
                const int y = order[j - gap];
                if (slots[y].bytes > slots[x].bytes || (slots[y].bytes == slots[x].bytes && y < x)) break;
                order[j] = y;
            }
            order[j] = x;
        }
}

/* order[0..placed) holds the placed slots sorted by offset while this runs. Returns the size of the whole. */
size_t at__pack_slots(at_buffer_slot *slots, int n, int *order)
{
    size_t total = 0;
    sort_by_size(slots, n, order);
    for (int placed = 0; placed < n; placed++) {
        const int self = order[placed];
        at_buffer_slot *s = &slots[self];
        size_t offset = 0;
        int insert = 0;
        for (int i = 0; i < placed; i++) { /* by offset, ascending */
            const at_buffer_slot *o = &slots[order[i]];
            if (o->last < s->first || s->last < o->first) continue;
            if (offset + at__slot_bytes(s) <= o->offset) break;
            if (o->offset + at__slot_bytes(o) > offset) offset = o->offset + at__slot_bytes(o);
        }
        s->offset = offset;
        while (insert < placed && slots[order[insert]].offset <= offset) insert++;
        memmove(order + insert + 1, order + insert, (size_t)(placed - insert) * sizeof *order);
        order[insert] = self;
        if (offset + at__slot_bytes(s) > total) total = offset + at__slot_bytes(s);
    }
    return total;
}
