/* photos.h: a folder of photos, one sub-folder a class, as samples with labels and splits. Layer: data. */
#ifndef AT_PHOTOS_H
#define AT_PHOTOS_H

#include "data/contents.h"
#include "formats/file.h"

typedef struct at_photo {
    const char *path;
    int label;
    bool hashed;
    uint8_t digest[AT_DIGEST_BYTES]; /* of the file's bytes */
} at_photo;

typedef struct at_photo_set {
    at_arena arena;
    const char *folder;
    const char **classes; /* sorted bytewise */
    int n_classes;
    at_photo *photos; /* by class, then by name, bytewise */
    int64_t n;
    at_contents contents; /* of the photos in their order; at_photos_hash */
} at_photo_set;

/* What a data folder offers: itself when it holds classes, else its split folders, whose names may be in any
 * case: train, training; val, valid, validation; test, testing. Members are NULL where absent. */
typedef struct at_photo_splits {
    const char *train, *valid, *test; /* paths in the arena */
} at_photo_splits;

at_status at_photos_find_splits(at_arena *arena, at_photo_splits *out, const char *folder) AT_MUST_USE;

/* Read the class folders of one split. Files ending in jpg, jpeg, png (any case) count; hidden files and all
 * others are ignored. classes == NULL: they are found, at least 2, each with at least one photo. Given:
 * labels follow them; a class folder that they lack is an error that names it, a class without photos is not.
 */
at_status at_photos_read(at_ctx *ctx, at_photo_set *out, const char *folder, const char *const *classes,
                         int n_classes) AT_MUST_USE;

/* Photos without labels (label -1): files as given, and of folders all photos in them and in their
 * sub-folders. An error when there is none. */
at_status at_photos_list(at_ctx *ctx, at_photo_set *out, const char *const *paths, int n_paths) AT_MUST_USE;

void at_photos_deinit(at_photo_set *s);

/* Hash the files of the photos that are not hashed yet. */
at_status at_photos_hash(at_ctx *ctx, at_photo_set *s) AT_MUST_USE;

/* Look at the header of every file, before any is decoded: FORMAT names the first that is no picture, or too
 * large a one. */
at_status at_photos_probe(at_ctx *ctx, const at_photo_set *s) AT_MUST_USE;

/* Files of equal content in two sets: report (may be NULL) is called for each pair; returns how many. Both
 * hashed. */
int64_t at_photos_duplicates(const at_photo_set *a, const at_photo_set *b,
                             void (*report)(void *data, const char *path_a, const char *path_b), void *data);

#endif
