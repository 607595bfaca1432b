/* photos_internal.h: what the files of photos.h share. Layer: data, private to it. */
#ifndef AT_PHOTOS_INTERNAL_H
#define AT_PHOTOS_INTERNAL_H

#include "data/photos.h"

at_status at__list_folders(at_arena *a, const char ***names, int64_t *n, const char *folder) AT_MUST_USE;
at_status at__list_photos(at_arena *a, const char ***paths, int64_t *n, const char *folder) AT_MUST_USE;

#endif
