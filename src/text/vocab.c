/* vocab.c: tokens and ids in one hash table. Layer: text. */
#include "text/vocab.h"

void at_vocab_init(at_vocab *v, at_arena *arena)
{
    *v = (at_vocab){.arena = arena};
}

static int64_t first_slot(const at_vocab *v, uint32_t tag)
{
    return (int64_t)(tag & (uint64_t)(v->n_slots - 1));
}

static uint32_t tag_of(uint64_t hash)
{
    return (uint32_t)(hash ^ hash >> 32);
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
    const uint32_t tag = tag_of(hash);
    for (int64_t i = first_slot(v, tag);; i = (i + 1) & (v->n_slots - 1)) {
        const struct at_vocab_slot *slot = &v->slot[i];
        if (slot->id < 0) return i;
        if (slot->tag == tag && is_token(v->token[slot->id], prefix, n_prefix, text, n)) return i;
    }
}

bool at_vocab_is_joined(const at_vocab *v, int64_t id, const char *prefix, size_t n_prefix, const char *text,
                        size_t n)
{
    return id >= 0 && id < v->size && v->token[id] && is_token(v->token[id], prefix, n_prefix, text, n);
}

int32_t at_vocab_find_joined(const at_vocab *v, uint64_t hash, const char *prefix, size_t n_prefix,
                             const char *text, size_t n)
{
    return v->n ? v->slot[find_slot(v, hash, prefix, n_prefix, text, n)].id : -1;
}

int32_t at_vocab_find(const at_vocab *v, const char *text, size_t n)
{
    return at_vocab_find_joined(v, at_vocab_hash(at_vocab_hash_start(), text, n), "", 0, text, n);
}

/* ---- Adding ---- */

/* What a table leaves behind stays in the arena: less than the table itself. */
static at_status more_slots(at_vocab *v)
{
    const struct at_vocab_slot *old = v->slot;
    const int64_t n_old = v->n_slots, n = n_old ? 2 * n_old : 1024;
    struct at_vocab_slot *slot = at_arena_alloc(v->arena, (size_t)n * sizeof *slot);
    if (!slot) return AT_E_NOMEM;
    memset(slot, 0xff, (size_t)n * sizeof *slot);
    v->slot = slot;
    v->n_slots = n;
    for (int64_t i = 0; i < n_old; i++) {
        if (old[i].id < 0) continue;
        int64_t to = first_slot(v, old[i].tag);
        while (slot[to].id >= 0) to = (to + 1) & (n - 1);
        slot[to] = old[i];
    }
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
    *taken = v->slot[i].id >= 0 || (id < v->size && v->token[id]);
    if (*taken) return AT_OK;
    char *copy = at_arena_alloc(v->arena, n + 1);
    if (!copy) return AT_E_NOMEM;
    memcpy(copy, text, n);
    v->token[id] = copy;
    v->slot[i] = (struct at_vocab_slot){tag_of(hash), (int32_t)id};
    v->size = at_max(v->size, id + 1);
    v->n++;
    return AT_OK;
}
