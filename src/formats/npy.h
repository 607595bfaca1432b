/* npy.h: NumPy's file of one array. Layer: formats. */
#ifndef AT_NPY_H
#define AT_NPY_H

#include "base/alloc.h"

/* Write [rows, cols] 32-bit floats, atomically: format version 1.0 (numpy.lib.format), which numpy.load
 * reads. */
at_status at_npy_write(at_ctx *ctx, const char *path, const float *data, int64_t rows,
                       int64_t cols) AT_MUST_USE;

#endif
