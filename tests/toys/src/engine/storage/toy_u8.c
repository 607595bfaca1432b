/* toy_u8.c: states stored as unsigned bytes: x = (code - 128) / 64. */
#include "engine/state.h"
#include <math.h>

static bool bytes(int64_t out[AT_MAX_BUFFERS], int64_t rows, int64_t cols)
{
    return at_mul_ok(&out[0], rows, cols);
}

static void load(at_real *out, const void *const *buffers, int64_t cols, int64_t row, int64_t first,
                 int64_t n)
{
    const uint8_t *code = (const uint8_t *)buffers[0] + row * cols + first;
    for (int64_t i = 0; i < n; i++) out[i] = (at_real)(code[i] - 128) / 64;
}

static void store(void *const *buffers, const at_real *in, int64_t cols, int64_t row)
{
    for (int64_t i = 0; i < cols; i++)
        ((uint8_t *)buffers[0])[row * cols + i] = (uint8_t)(128 + lrint(64 * (double)in[i]));
}

const at_storage at_storage_toy_u8 = {
    .name = "toy-u8", .n_buffers = 1, .bytes = bytes, .load = load, .store = store, .dtype = {AT_U8}};
