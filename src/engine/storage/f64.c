/* f64.c: states stored as plain AT_F64 numbers. */
#include "base/dtype.h"
#define PLAIN_ELEMENT   double
#define PLAIN_DTYPE     AT_F64
#define PLAIN_DECODE(x) ((at_real)(x))
#define PLAIN_ENCODE(x) ((double)(x))
#include "engine/storage/plain.h"

const at_storage at_storage_f64 = {.name = "f64",
                                   .n_buffers = 1,
                                   .bytes = plain_bytes,
                                   .load = plain_load,
                                   .store = plain_store,
                                   .dtype = {PLAIN_DTYPE}};
