/* augment.c: a recipe's list of augmentations: reading and applying it. */
#include "data/augment.h"
#include <stdio.h>

static at_status read_one(at_arena *arena, at_augment_step *out, const at_tree *item, const char *where)
{
    at_ctx *ctx = arena->ctx;
    const at_tree *named = item->kind == AT_MAP ? item->first : NULL;
    AT_REQUIRE(ctx, named && item->n == 1, AT_E_ARG,
               "%s: each augmentation is a map of one key, as in {flip: horizontal}", where);
    out->augment = at_registry_find(ctx, "augment", named->key);
    if (!out->augment) {
        const char *nearest = at_registry_nearest(ctx, "augment", named->key);
        return at_fail(ctx, AT_E_ARG, "%s: no augmentation is called \"%s\"%s%s%s", where, named->key,
                       nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "");
    }
    if (!(out->params = at_arena_alloc(arena, out->augment->size))) return AT_E_NOMEM;
    return out->augment->parse(ctx, out->params, named, where);
}

at_status at_augment_read(at_arena *arena, at_augment_list *out, const at_tree *list, const char *where)
{
    out->n = 0;
    if (!list || list->kind == AT_NULL || (list->kind == AT_STRING && strcmp(list->text, "none") == 0))
        return AT_OK;
    AT_REQUIRE(arena->ctx, list->kind == AT_LIST, AT_E_ARG,
               "%s is %s, must be a list of augmentations or none", where, at_tree_kind_name(list->kind));
    AT_REQUIRE(arena->ctx, list->n <= AT_MAX_AUGMENTS, AT_E_RANGE, "%s: at most %d augmentations", where,
               AT_MAX_AUGMENTS);
    for (const at_tree *t = list->first; t; t = t->next)
        AT_TRY(read_one(arena, &out->list[out->n++], t, where));
    return AT_OK;
}

at_status at_augment_apply(at_ctx *ctx, const at_augment_list *a, at_image *image, uint64_t seed,
                           uint64_t epoch, uint64_t sample)
{
    for (int i = 0; i < a->n; i++) {
        char site[64];
        snprintf(site, sizeof site, "augment.%s", a->list[i].augment->name);
        const at_rng_key key = at_rng_make(seed, at_hash_name(site), epoch);
        AT_TRY(a->list[i].augment->apply(ctx, a->list[i].params, image, key, sample));
    }
    return AT_OK;
}
