/* tensor.c: shape arithmetic, 64-bit and checked. */
#include "engine/tensor.h"
#include <stdio.h>

bool at_shape_count(int64_t *out, int rank, const int64_t *dim)
{
    int64_t n = 1;
    bool empty = false;
    for (int i = 0; i < rank; i++) {
        if (dim[i] < 0) return false;
        if (dim[i] == 0)
            empty = true; /* other dimensions may be anything */
        else if (!at_mul_ok(&n, n, dim[i]))
            return false;
    }
    *out = empty ? 0 : n;
    return true;
}

const char *at_shape_text(char out[AT_SHAPE_TEXT], int rank, const int64_t *dim)
{
    size_t n = 0;
    n += (size_t)snprintf(out, AT_SHAPE_TEXT, "[");
    for (int i = 0; i < rank && n < AT_SHAPE_TEXT; i++)
        n += (size_t)snprintf(out + n, AT_SHAPE_TEXT - n, "%s%lld", i ? "," : "", (long long)dim[i]);
    if (n < AT_SHAPE_TEXT) snprintf(out + n, AT_SHAPE_TEXT - n, "]");
    return out;
}
