/* bf16.c: states stored as plain AT_BF16 numbers. */
#include "base/dtype.h"
#define PLAIN_ELEMENT   uint16_t
#define PLAIN_DTYPE     AT_BF16
#define PLAIN_DECODE(x) ((at_real)at_bf16_to_f32(x))
#define PLAIN_ENCODE(x) (at_f32_to_bf16((float)(x)))
#include "engine/storage/plain.h"

const at_storage at_storage_bf16 = {.name = "bf16",
                                    .n_buffers = 1,
                                    .bytes = plain_bytes,
                                    .load = plain_load,
                                    .store = plain_store,
                                    .dtype = {PLAIN_DTYPE}};
