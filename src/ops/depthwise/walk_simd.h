/* walk_simd.h: what the kernels of depthwise convolution share: how outputs meet inputs. For *_simd.c files.
 */
#ifndef AT_DEPTHWISE_WALK_SIMD_H
#define AT_DEPTHWISE_WALK_SIMD_H

#include "base/simd.h"
#include "engine/rows.h"
#include "ops/depthwise/depthwise.h"

enum { MAX_TAPS = 49, MAX_KERNEL = 7 };

/* How outputs meet inputs along both axes; weights [kh * kw, C]. */
typedef struct walk {
    const at_arg *from, *to;
    const float *w;
    int64_t kh, kw, stride_y, stride_x, dilation_y, dilation_x, pad_top, pad_left;
    int64_t tile_rows, tiles; /* output rows a tile; tiles a sample */
    bool accumulate, streams;
    float *partial;
} walk;

/* One row of outputs, and the rows of inputs that its taps [ky0, ky1) reach. */
typedef struct walk_row {
    int64_t ky0, ky1, from_step;
    const at_element *from; /* pixel 0 of the row of tap ky0 */
    at_element *to;
    int64_t full0, full1; /* outputs [full0, full1) have all taps along x inside the picture */
} walk_row;

static inline bool walk_supports(const at_problem *p, char reason[AT_REASON])
{
    const at_meta *w = p->op == &at_op_depthwise_dw ? &p->out[0] : &p->in[1];
    if (w->dim[2] <= MAX_KERNEL && w->dim[3] <= MAX_KERNEL) return true;
    memcpy(reason, "kernels up to 7x7", sizeof "kernels up to 7x7");
    return false;
}

static inline at_element *walk_pixel(const at_arg *a, int64_t s, int64_t y, int64_t x)
{
    return (at_element *)a->data + ((s * a->dim[1] + y) * a->dim[2] + x) * a->pitch;
}

/* Taps [first, last) along one axis that fall inside [0, size) for output o. */
AT_FORCE_INLINE void walk_inside(int64_t o, int64_t stride, int64_t dilation, int64_t pad, int64_t kernel,
                                 int64_t size, int64_t *first, int64_t *last)
{
    const int64_t start = o * stride - pad;
    *first = start >= 0 ? 0 : at_ceil_div(-start, dilation);
    *last = start >= size ? 0 : at_min(kernel, at_ceil_div(size - start, dilation));
    if (*last < *first) *last = *first;
}

static inline walk_row walk_at_row(const walk *k, int64_t s, int64_t oy)
{
    walk_row r;
    const int64_t W = k->from->dim[2], Wo = k->to->dim[2];
    walk_inside(oy, k->stride_y, k->dilation_y, k->pad_top, k->kh, k->from->dim[1], &r.ky0, &r.ky1);
    r.from = walk_pixel(k->from, s, oy * k->stride_y - k->pad_top + r.ky0 * k->dilation_y, 0);
    r.from_step = k->dilation_y * W * k->from->pitch;
    r.to = walk_pixel(k->to, s, oy, 0);
    const int64_t reach = W - 1 + k->pad_left - (k->kw - 1) * k->dilation_x; /* of the last such output */
    r.full0 = at_min(at_ceil_div(k->pad_left, k->stride_x), Wo);
    r.full1 = reach < 0 ? r.full0 : at_max(r.full0, at_min(Wo, reach / k->stride_x + 1));
    return r;
}

/* Rows of three taps without dilation, the common case, are compiled for their strides. */
static inline bool walk_is_three(const walk *k, int64_t stride)
{
    return k->kw == 3 && k->dilation_x == 1 && k->stride_x == stride;
}

#endif
