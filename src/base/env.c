/* env.c: the only file that calls getenv. */
#include "base/env.h"
#include <stdlib.h>

const at_env_variable at_env_variables[] = {
    {"ATTUNE_CACHE", "folder for computed features and tokens"},
    {"XDG_CACHE_HOME", "the user's cache folder; they go to attune/ below it"},
    {"HOME", "without the two above, they go to .cache/attune below it"},
    {NULL, NULL},
};

const char *at_env_get(const char *name)
{
    for (const at_env_variable *v = at_env_variables; v->name; v++)
        if (strcmp(v->name, name) == 0) {
            const char *value = getenv(name);
            return value && *value ? value : NULL;
        }
    return NULL;
}

const char *at_env_cache_folder(at_arena *a)
{
    const char *own = at_env_get("ATTUNE_CACHE"), *xdg = at_env_get("XDG_CACHE_HOME"),
               *home = at_env_get("HOME");
    if (own) return own;
    if (xdg) return at_arena_printf(a, "%s/attune", xdg);
    return home ? at_arena_printf(a, "%s/.cache/attune", home) : NULL;
}
