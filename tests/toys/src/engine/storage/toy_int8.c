/* toy_int8.c: states stored as 8-bit integers with a scale for each row: x = scale[row] * code. */
#include "engine/state.h"
#include <math.h>

static bool bytes(int64_t out[AT_MAX_BUFFERS], int64_t rows, int64_t cols)
{
    return at_mul_ok(&out[0], rows, cols) && at_mul_ok(&out[1], rows, sizeof(float));
}

static void load(at_real *out, const void *const *buffers, int64_t cols, int64_t row, int64_t first,
                 int64_t n)
{
    const int8_t *code = (const int8_t *)buffers[0] + row * cols + first;
    const float scale = ((const float *)buffers[1])[row];
    for (int64_t i = 0; i < n; i++) out[i] = (at_real)(scale * (float)code[i]);
}

static void store(void *const *buffers, const at_real *in, int64_t cols, int64_t row)
{
    double largest = 0.0;
    for (int64_t i = 0; i < cols; i++) largest = fmax(largest, fabs((double)in[i]));
    const double scale = largest > 0 ? largest / 127.0 : 1.0;
    ((float *)buffers[1])[row] = (float)scale;
    for (int64_t i = 0; i < cols; i++)
        ((int8_t *)buffers[0])[row * cols + i] = (int8_t)lrint((double)in[i] / scale);
}

const at_storage at_storage_toy_int8 = {.name = "toy-int8",
                                        .n_buffers = 2,
                                        .bytes = bytes,
                                        .load = load,
                                        .store = store,
                                        .dtype = {AT_I8, AT_F32}};
