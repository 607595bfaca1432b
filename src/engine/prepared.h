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

/* Sum of the versions of the states it is made from; differs from entry->version when it is stale. */
uint64_t at_prepared_current(const at_prepared *p);

void at_prepared_drop(at_store *s); /* all of them */

#endif
