/* env.h: the environment variables that are read: one table, printed by `attune env`. Layer: base. */
#ifndef AT_ENV_H
#define AT_ENV_H

#include "base/alloc.h"

typedef struct at_env_variable {
    const char *name, *meaning;
} at_env_variable;

extern const at_env_variable at_env_variables[]; /* ends with {NULL, NULL} */

const char *at_env_get(const char *name); /* one of the table; NULL = unset or empty */

/* Where computed features and tokens are kept: ATTUNE_CACHE, else XDG_CACHE_HOME/attune, else
 * HOME/.cache/attune; NULL = nowhere. */
const char *at_env_cache_folder(at_arena *a);

#endif
