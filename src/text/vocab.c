/* vocab.c: tokens and ids in one hash table. Layer: text. */
#include "text/vocab.h"

void at_vocab_init(at_vocab *v, at_arena *arena)
{
    *v = (at_vocab){.arena = arena};
}

static int64_t first_slot(const at_vocab *v, uint64_t hash)
{
    return (int64_t)((hash ^ hash >> 32) & (uint64_t)(v->n_slots - 1));
}

static bool is_token(const char *token, const char *prefix, size_t n_prefix, const char *text, size_t n)
{
    return strlen(token) == n_prefix + n && memcmp(token, prefix, n_prefix) == 0 &&
           memcmp(token + n_prefix, text, n) == 0;
}

/* The slot that holds a token, or the free one where it would go. */
static int64_t find_slot(const at_vocab *v, uint64_t hash, const char *prefix, size_t n_prefix,
                         const char *text, size_t n)
{
    int64_t i = first_slot(v, hash);
    while (v->slot[i] >= 0 && !is_token(v->token[v->slot[i]], prefix, n_prefix, text, n))
        i = (i + 1) & (v->n_slots - 1);
    return i;
}

int32_t at_vocab_find_joined(const at_vocab *v, uint64_t hash, const char *prefix, size_t n_prefix,
                             const char *text, size_t n)
{
    return v->n ? v->slot[find_slot(v, hash, prefix, n_prefix, text, n)] : -1;
}

int32_t at_vocab_find(const at_vocab *v, const char *text, size_t n)
{
    return at_vocab_find_joined(v, at_vocab_hash(at_vocab_hash_start(), text, n), "", 0, text, n);
}

/* ---- Adding ---- */

static void put(at_vocab *v, int32_t id)
{
    const size_t n = strlen(v->token[id]);
    const uint64_t hash = at_vocab_hash(at_vocab_hash_start(), v->token[id], n);
    v->slot[find_slot(v, hash, "", 0, v->token[id], n)] = id;
}

/* What a table leaves behind stays in the arena: less than the table itself. */
static at_status more_slots(at_vocab *v)
{
    const int64_t n = v->n_slots ? 2 * v->n_slots : 1024;
    int32_t *slot = at_arena_alloc(v->arena, (size_t)n * sizeof *slot);
    if (!slot) return AT_E_NOMEM;
    memset(slot, 0xff, (size_t)n * sizeof *slot);
    v->slot = slot;
    v->n_slots = n;
    for (int32_t id = 0; id < v->size; id++)
        if (v->token[id]) put(v, id);
    return AT_OK;
}

static at_status more_ids(at_vocab *v, int64_t size)
{
    const int64_t room = at_max(size, at_max(1024, 2 * v->room));
    const char **token = at_arena_alloc(v->arena, (size_t)room * sizeof *token);
    if (!token) return AT_E_NOMEM;
    if (v->size) memcpy(token, v->token, (size_t)v->size * sizeof *token);
    v->token = token;
    v->room = room;
    return AT_OK;
}

at_status at_vocab_add(at_vocab *v, const char *text, size_t n, int64_t id, bool *taken)
{
    AT_ASSERT(v->arena->ctx, id >= 0 && id < AT_VOCAB_LIMIT);
    if (2 * (v->n + 1) > v->n_slots) AT_TRY(more_slots(v));
    if (id >= v->room) AT_TRY(more_ids(v, id + 1));
    const uint64_t hash = at_vocab_hash(at_vocab_hash_start(), text, n);
    const int64_t i = find_slot(v, hash, "", 0, text, n);
    *taken = v->slot[i] >= 0 || (id < v->size && v->token[id]);
    if (*taken) return AT_OK;
    char *copy = at_arena_alloc(v->arena, n + 1);
    if (!copy) return AT_E_NOMEM;
    memcpy(copy, text, n);
    v->token[id] = copy;
    v->slot[i] = (int32_t)id;
    v->size = at_max(v->size, id + 1);
    v->n++;
    return AT_OK;
}
