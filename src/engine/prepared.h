/* prepared.h: operands in the form a kernel wants (packed or widened weights), made from states and kept by
 * (states, what prepares, parameters, form) until a version changes. Shared by all plans of a store, within
 * its budget; what does not fit is made anew before each use in the plan's scratch: the same bits, only
 * slower. Layer: engine. */
#ifndef AT_PREPARED_H
#define AT_PREPARED_H

#include "engine/state.h"

typedef struct at_prepared {
    struct at_prepared *next;
    at_run_fn prepare;
    const void *param; /* copied */
    size_t param_size;
    uint64_t form;
    const at_state *from[AT_MAX_IN]; /* NULL where the input is not used */
    uint64_t version;                /* sum over `from` when it was made; 0 = not made */
    at_buffer buffer;                /* in a block */
    /* Of trainable states, where parts can be made: an update makes each again while the new values are still
     * in the cache (at_prepared_remake). */
    at_part_fn part;
    int64_t part_rows;
    at_call call;                   /* what part is called with */
    struct at_prepared *next_alike; /* of the same state */
    bool stays;                     /* up to date across the commit at hand */
} at_prepared;

struct at_prepared_block { /* of memory; newest first */
    struct at_prepared_block *next;
    at_buffer buffer;
    size_t used;
};

/* Find or make the entry; *out = NULL without error when the budget does not allow it. */
at_status at_prepared_get(at_prepared **out, at_store *s, at_run_fn prepare, const void *param,
                          size_t param_size, uint64_t form, const at_state *const from[AT_MAX_IN],
                          size_t bytes) AT_MUST_USE;

/* From now on updates of the state remake it part by part, unless it is made from other states, too, or its
 * parts differ from those of others. */
void at_prepared_follow(at_prepared *p, at_part_fn part, int64_t part_rows);

/* The operands that follow a state: rows a part, 0 = there are none; and remake one part of all of them. */
int64_t at_prepared_part_rows(const at_state *t);
void at_prepared_remake(const at_state *t, int64_t part);

/* A commit changed the masters. remade: whatever was up to date has been remade with them. */
void at_prepared_commit(at_store *s, bool remade);

/* Sum of the versions of the states it is made from; differs from entry->version when it is stale. */
uint64_t at_prepared_current(const at_prepared *p);

void at_prepared_drop(at_store *s); /* all of them */

#endif
