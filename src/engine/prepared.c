/* prepared.c: the store's cache of prepared operands. */
#include "engine/prepared.h"

static bool same_key(const at_prepared *p, at_run_fn prepare, const void *param, size_t param_size,
                     uint64_t form, const at_state *const from[AT_MAX_IN], size_t bytes)
{
    return p->prepare == prepare && p->form == form && p->buffer.bytes == bytes &&
           p->param_size == param_size && (param_size == 0 || memcmp(p->param, param, param_size) == 0) &&
           memcmp(p->from, from, sizeof p->from) == 0;
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
    AT_TRY(s->device->kind->alloc(s->device, &p->buffer, bytes));
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

uint64_t at_prepared_current(const at_prepared *p)
{
    uint64_t sum = 0;
    for (int i = 0; i < AT_MAX_IN; i++)
        if (p->from[i]) sum += p->from[i]->version;
    return sum;
}

void at_prepared_drop(at_store *s)
{
    for (at_prepared *p = s->prepared; p; p = p->next) s->device->kind->release(s->device, &p->buffer);
    s->prepared = NULL;
    s->prepared_bytes = 0;
}
