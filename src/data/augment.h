/* augment.h: random changes of training pictures. Layer: data. One file each in augment/, `const at_augment
 * at_augment_NAME`; a recipe's `augment` is a list of one-key maps: [{flip: horizontal}].
 * What is drawn depends on (seed, "augment.NAME", epoch, sample) alone. */
#ifndef AT_AUGMENT_H
#define AT_AUGMENT_H

#include "base/rng.h"
#include "data/pixels.h"

typedef struct at_augment {
    const char *name, *doc;
    size_t size; /* of the params struct */
    /* The value behind the name; `where` stands in messages. */
    at_status (*parse)(at_ctx *ctx, void *params, const at_tree *value, const char *where);
    /* Change the picture (its size stays). key: of this augmentation and epoch. */
    at_status (*apply)(at_ctx *ctx, const void *params, at_image *image, at_rng_key key, uint64_t sample);
} at_augment;

typedef struct at_augment_step {
    const at_augment *augment;
    void *params;
} at_augment_step;

enum { AT_MAX_AUGMENTS = 16 };

typedef struct at_augment_list {
    at_augment_step list[AT_MAX_AUGMENTS];
    int n;
} at_augment_list;

/* Read a recipe's list. NULL or an empty list: nothing is changed. */
at_status at_augment_read(at_arena *arena, at_augment_list *out, const at_tree *list,
                          const char *where) AT_MUST_USE;

at_status at_augment_apply(at_ctx *ctx, const at_augment_list *a, at_image *image, uint64_t seed,
                           uint64_t epoch, uint64_t sample) AT_MUST_USE;

#endif
