/* tfevents.h: TensorBoard event files with scalars (TFRecord framing with masked CRC-32C, protobuf Event
 * messages). Appending: a crash loses at most the last record. Layer: formats. */
#ifndef AT_TFEVENTS_H
#define AT_TFEVENTS_H

#include "base/alloc.h"

typedef struct at_tfevents at_tfevents;

/* Open for appending at `offset` (0 = new file with its version record): what lies behind is cut off, so that
 * a resumed run does not repeat steps. wall_time: seconds since 1970.
 * @return IO; NOMEM; FORMAT (no record ends at offset: the file is not the one it was taken from, and is not
 * changed). */
at_status at_tfevents_open(at_tfevents **out, at_ctx *ctx, const char *path, int64_t offset,
                           double wall_time) AT_MUST_USE;

/* Append one point. tag: 1 to 512 bytes of UTF-8, else ARG; value is stored as a float. IO leaves the file as
 * it was. */
at_status at_tfevents_scalar(at_tfevents *f, const char *tag, int64_t step, double value,
                             double wall_time) AT_MUST_USE;

/* Bring what was appended to the disk. offset: where the next record begins. */
at_status at_tfevents_flush(at_tfevents *f, int64_t *offset) AT_MUST_USE;
void at_tfevents_close(at_tfevents *f); /* NULL allowed */

#endif
