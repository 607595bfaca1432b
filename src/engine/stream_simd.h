/* stream_simd.h: does a kernel write its output past the caches? For *_simd.c files. Layer: engine. */
#ifndef AT_STREAM_SIMD_H
#define AT_STREAM_SIMD_H

#include "base/simd.h"
#include "engine/op.h"

/* Where it is large, whole vectors fill its rows, and nothing is added to it. */
static inline bool at_streams(const at_call *c, const at_arg *out)
{
    return !(c->accumulate & 1) && out->pitch == out->cols && out->cols % VL == 0 &&
           vf_streams(out->data, out->rows * out->cols * (int64_t)sizeof(at_element));
}

#endif
