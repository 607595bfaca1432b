/* plain.h: the shape of a storage with one buffer of one dtype, row after row. Included by the files of this
 * folder after they define PLAIN_NAME, PLAIN_ELEMENT, PLAIN_DTYPE, PLAIN_DECODE(x) and PLAIN_ENCODE(x). */
#include "engine/state.h"

static bool plain_bytes(int64_t out[AT_MAX_BUFFERS], int64_t rows, int64_t cols)
{
    return at_mul_ok(&out[0], rows, cols) && at_mul_ok(&out[0], out[0], sizeof(PLAIN_ELEMENT));
}

static void plain_load(at_real *out, const void *const *buffers, int64_t cols, int64_t row, int64_t first,
                       int64_t n)
{
    const PLAIN_ELEMENT *p = (const PLAIN_ELEMENT *)buffers[0] + row * cols + first;
    for (int64_t i = 0; i < n; i++) out[i] = PLAIN_DECODE(p[i]);
}

static void plain_store(void *const *buffers, const at_real *in, int64_t cols, int64_t row)
{
    PLAIN_ELEMENT *p = (PLAIN_ELEMENT *)buffers[0] + row * cols;
    for (int64_t i = 0; i < cols; i++) p[i] = PLAIN_ENCODE(in[i]);
}
