/* pictures.h: a set of photos as a data set: pixel_values [height, width, 3] f32 and, where known, labels
 * i32. Layer: data. Decoded and fitted pictures that will be read again are kept in memory as bytes while
 * they fit the given limit. */
#ifndef AT_PICTURES_H
#define AT_PICTURES_H

#include "data/augment.h"
#include "data/dataset.h"
#include "data/photos.h"

typedef struct at_picture_options {
    const at_preprocess *preprocess; /* borrowed */
    const at_augment_list *augment;  /* borrowed; NULL = none */
    bool labels;
    size_t memory; /* bytes for decoded pictures */
} at_picture_options;

/* The photos index[0..n) of a set (borrowed; index is copied). */
at_status at_pictures_create(at_dataset **out, at_ctx *ctx, const at_photo_set *photos, const int32_t *index,
                             int64_t n, const at_picture_options *options) AT_MUST_USE;

#endif
