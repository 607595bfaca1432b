/* append.h: a file that grows by lines: logs. A crash loses at most what was not flushed. Layer: formats. */
#ifndef AT_APPEND_H
#define AT_APPEND_H

#include "base/alloc.h"

typedef struct at_append_file at_append_file;

#define AT_AT_END INT64_MAX

/* Open for appending at `offset`: what lies behind is cut off, so that a resumed run repeats no line.
 * AT_AT_END: nothing is cut off. */
at_status at_append_open(at_append_file **out, at_ctx *ctx, const char *path, int64_t offset) AT_MUST_USE;
at_status at_append_put(at_append_file *f, const void *bytes, size_t n) AT_MUST_USE; /* one write */
at_status at_append_sync(at_append_file *f,
                         int64_t *offset) AT_MUST_USE; /* on disk; where the next byte goes */
void at_append_close(at_append_file *f);

#endif
