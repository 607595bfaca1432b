/* vocab.h: tokens and their ids, both ways. Layer: text. */
#ifndef AT_VOCAB_H
#define AT_VOCAB_H

#include "base/alloc.h"

enum { AT_VOCAB_LIMIT = 1 << 24 }; /* ids are below: no file makes us ask for more memory than this needs */

typedef struct at_vocab {
    at_arena *arena;
    const char **token; /* by id; NULL = an id that no token has */
    int64_t size, room; /* largest id + 1 */
    int64_t n;          /* tokens */
    struct at_vocab_slot {
        uint32_t tag; /* bits of the hash: most mismatches need no look at the token */
        int32_t id;   /* -1 = free */
    } * slot;         /* open addressing by hash */
    int64_t n_slots;  /* a power of two, at least twice n */
} at_vocab;

void at_vocab_init(at_vocab *v, at_arena *arena);

/* Add a token. A token or an id that is there already is not added: *taken says so. */
at_status at_vocab_add(at_vocab *v, const char *text, size_t n, int64_t id, bool *taken) AT_MUST_USE;

/* Its id, or -1. */
int32_t at_vocab_find(const at_vocab *v, const char *text, size_t n);

/* For searches that try many ends: the hash of a text goes on from that of its beginning, and what is found
 * is prefix followed by text. */
static inline uint64_t at_vocab_hash(uint64_t state, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) state = (state ^ (unsigned char)text[i]) * 0x100000001b3u; /* FNV-1a */
    return state;
}
static inline uint64_t at_vocab_hash_start(void)
{
    return 0xcbf29ce484222325u;
}
/* Is the token of this id prefix followed by text? The id need not be one. */
bool at_vocab_is_joined(const at_vocab *v, int64_t id, const char *prefix, size_t n_prefix, const char *text,
                        size_t n);
int32_t at_vocab_find_joined(const at_vocab *v, uint64_t hash, const char *prefix, size_t n_prefix,
                             const char *text, size_t n);

#endif
