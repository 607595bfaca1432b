/* prepared.c: the store's cache of prepared operands. */
#include "engine/prepared.h"

static bool same_key(const at_prepared *p, at_run_fn prepare, const void *param, size_t param_size,
                     uint64_t form, const at_state *const from[AT_MAX_IN], size_t bytes)
{
    return p->prepare == prepare && p->form == form && p->buffer.bytes == bytes &&
           p->param_size == param_size && (param_size == 0 || memcmp(p->param, param, param_size) == 0) &&
           memcmp(p->from, from, sizeof p->from) == 0;
}

/* From a block that others share: pages of 2 MiB are cleared and found faster, and weights are smaller. */
static at_status take(at_store *s, at_buffer *out, size_t bytes)
{
    enum { LEAST = 1 << 20, MOST = 32 << 20 };
    const size_t room = (size_t)at_round_up((int64_t)bytes, AT_ALIGN);
    struct at_prepared_block *b = s->prepared_blocks;
    if (!b || room > b->buffer.bytes - b->used) {
        b = at_arena_alloc(&s->arena, sizeof *b);
        if (!b) return AT_E_NOMEM;
        const size_t usual = (size_t)at_min(at_max((int64_t)s->prepared_bytes, LEAST), MOST);
        *b = (struct at_prepared_block){.next = s->prepared_blocks};
        AT_TRY(s->device->kind->alloc(s->device, &b->buffer, room > usual ? room : usual));
        s->prepared_blocks = b;
    }
    *out = (at_buffer){(char *)b->buffer.data + b->used, bytes};
    b->used += room;
    return AT_OK;
}

at_status at_prepared_get(at_prepared **out, at_store *s, at_run_fn prepare, const void *param,
                          size_t param_size, uint64_t form, const at_state *const from[AT_MAX_IN],
                          size_t bytes)
{
    *out = NULL;
    for (at_prepared *p = s->prepared; p; p = p->next)
        if (same_key(p, prepare, param, param_size, form, from, bytes)) {
            *out = p;
            return AT_OK;
        }
    if (s->prepared_bytes > s->prepared_budget || bytes > s->prepared_budget - s->prepared_bytes)
        return AT_OK;
    at_prepared *p = at_arena_alloc(&s->arena, sizeof *p);
    void *copy = at_arena_alloc(&s->arena, param_size + 1);
    if (!p || !copy) return AT_E_NOMEM;
    if (param_size) memcpy(copy, param, param_size);
    AT_TRY(take(s, &p->buffer, bytes));
    p->prepare = prepare;
    p->param = copy;
    p->param_size = param_size;
    p->form = form;
    memcpy(p->from, from, sizeof p->from);
    p->next = s->prepared;
    s->prepared = p;
    s->prepared_bytes += bytes;
    *out = p;
    return AT_OK;
}

void at_prepared_follow(at_prepared *p, at_part_fn part, int64_t part_rows)
{
    at_state *only = NULL;
    for (int i = 0; i < AT_MAX_IN; i++) {
        if (!p->from[i]) continue;
        if (only) return;
        only = (at_state *)(uintptr_t)p->from[i];
    }
    if (!part || p->part || !only || only->role != AT_TRAINABLE) return;
    if (only->followers && only->followers->part_rows != part_rows) return;
    p->part = part;
    p->part_rows = part_rows;
    p->next_alike = only->followers;
    only->followers = p;
}

int64_t at_prepared_part_rows(const at_state *t)
{
    return t->followers ? t->followers->part_rows : 0;
}

void at_prepared_remake(const at_state *t, int64_t part)
{
    for (const at_prepared *p = t->followers; p; p = p->next_alike)
        if (p->version) p->part(&p->call, part); /* else it was never made whole */
}

void at_prepared_commit(at_store *s, bool remade)
{
    for (at_prepared *p = s->prepared; p; p = p->next)
        p->stays = remade && p->part && p->version && p->version == at_prepared_current(p);
    at_store_touch(s);
    for (at_prepared *p = s->prepared; p; p = p->next)
        if (p->stays) p->version = at_prepared_current(p);
}

uint64_t at_prepared_current(const at_prepared *p)
{
    uint64_t sum = 0;
    for (int i = 0; i < AT_MAX_IN; i++)
        if (p->from[i]) sum += p->from[i]->version;
    return sum;
}

void at_prepared_drop(at_store *s)
{
    for (struct at_prepared_block *b = s->prepared_blocks; b; b = b->next)
        s->device->kind->release(s->device, &b->buffer);
    s->prepared_blocks = NULL;
    for (int i = 0; i < s->n_states; i++) s->states[i]->followers = NULL;
    s->prepared = NULL;
    s->prepared_bytes = 0;
}
