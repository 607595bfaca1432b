/* f16.c: states stored as plain AT_F16 numbers. */
#include "base/dtype.h"
#define PLAIN_ELEMENT   uint16_t
#define PLAIN_DTYPE     AT_F16
#define PLAIN_DECODE(x) ((at_real)at_f16_to_f32(x))
#define PLAIN_ENCODE(x) (at_f32_to_f16((float)(x)))
#include "engine/storage/plain.h"

const at_storage at_storage_f16 = {.name = "f16",
                                   .n_buffers = 1,
                                   .bytes = plain_bytes,
                                   .load = plain_load,
                                   .store = plain_store,
                                   .dtype = {PLAIN_DTYPE}};
