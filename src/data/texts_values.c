/* texts_values.c: a set of texts by hashing (open addressing, at most half full), for counting the values of
 * a column and for finding classes. Layer: data. */
#include "data/texts_internal.h"

void at__values_init(at__values *v, at_ctx *ctx)
{
    *v = (at__values){.ctx = ctx};
}

void at__values_deinit(at__values *v)
{
    at_free(v->ctx, v->list);
    at_free(v->ctx, v->slot);
    at__values_init(v, v->ctx);
}

/* FNV-1a, as at_hash_name, of n bytes. */
static uint64_t hash(at_cell text)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < text.n; i++) h = (h ^ (unsigned char)text.text[i]) * 0x100000001b3u;
    return h ^ h >> 32;
}

/* The slot that holds the text or, when there is none, would take it. */
static int64_t slot_of(const at__values *v, at_cell text)
{
    const uint64_t mask = 2 * (uint64_t)v->room - 1;
    uint64_t i = hash(text) & mask;
    for (; v->slot[i]; i = (i + 1) & mask) {
        const at_cell *other = &v->list[v->slot[i] - 1];
        if (other->n == text.n && memcmp(other->text, text.text, text.n) == 0) break;
    }
    return (int64_t)i;
}

int32_t at__values_find(const at__values *v, at_cell text)
{
    return v->room ? v->slot[slot_of(v, text)] - 1 : -1;
}

static at_status grow(at__values *v)
{
    enum { FIRST_ROOM = 64 };
    const int64_t room = v->room ? 2 * v->room : FIRST_ROOM;
    at_cell *list = at_realloc(v->ctx, v->list, (size_t)v->n * sizeof *list, (size_t)room * sizeof *list);
    if (!list) return AT_E_NOMEM;
    v->list = list;
    int32_t *slot = at_alloc_array(v->ctx, 2 * room, sizeof *slot);
    if (!slot) return AT_E_NOMEM;
    at_free(v->ctx, v->slot);
    v->slot = slot;
    v->room = room;
    for (int64_t i = 0; i < v->n; i++) v->slot[slot_of(v, v->list[i])] = (int32_t)i + 1;
    return AT_OK;
}

at_status at__values_add(at__values *v, int32_t *number, at_cell text)
{
    *number = at__values_find(v, text);
    if (*number >= 0) return AT_OK;
    if (v->n == v->room) AT_TRY(grow(v));
    *number = (int32_t)v->n;
    v->list[v->n++] = text;
    v->slot[slot_of(v, text)] = *number + 1;
    return AT_OK;
}
