/* f32.c: states stored as plain AT_F32 numbers. */
#include "base/dtype.h"
#define PLAIN_ELEMENT   float
#define PLAIN_DTYPE     AT_F32
#define PLAIN_DECODE(x) ((at_real)(x))
#define PLAIN_ENCODE(x) ((float)(x))
#include "engine/storage/plain.h"

const at_storage at_storage_f32 = {.name = "f32",
                                   .n_buffers = 1,
                                   .bytes = plain_bytes,
                                   .load = plain_load,
                                   .store = plain_store,
                                   .dtype = {PLAIN_DTYPE}};
