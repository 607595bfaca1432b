/* im2col_simd.h: pictures seen through taps (at_gemm_taps) as a matrix: row (sample, y, x), column (tap along
 * y, tap along x, channel), so that a tap is one run of memory. The loader writes the few rows that the
 * product is about to use. For *_matrix.c files of this folder. */
#ifndef AT_IM2COL_SIMD_H
#define AT_IM2COL_SIMD_H

#include "gemm/gemm_simd.h"
#include "ops/conv2d/grid.h"

static inline void im2col_zero(gemm_operand *out, int64_t n)
{
    for (int64_t i = 0; i < n; i++) out[i] = 0;
}

/* n elements, from element `first` on, of the taps along x that begin at pixel ix of a line; line NULL: it
 * lies outside the picture. */
AT_FORCE_INLINE void im2col_taps(const at_gemm_taps *t, gemm_operand *out, const at_element *line, int64_t ix,
                                 int64_t first, int64_t n)
{
    if (!line) {
        im2col_zero(out, n);
        return;
    }
    int64_t x = ix + first / t->channels * t->x.step, channel = first % t->channels;
    for (int64_t now; n > 0; n -= now, out += now, x += t->x.step, channel = 0) {
        now = at_min(t->channels - channel, n);
        if (x >= 0 && x < t->x.size)
            gemm_copy(out, line + x * t->pitch + channel, now);
        else
            im2col_zero(out, now);
    }
}

/* Outputs of a line, from `at` on, all of whose taps along x are one run of memory inside the picture. */
AT_FORCE_INLINE int64_t im2col_inside(const at_gemm_taps *t, const place *at)
{
    const int64_t last = t->x.size - t->x.taps - t->x.first; /* where output * stride may be */
    if (t->x.step != 1 || t->pitch != t->channels || at->x * t->x.stride + t->x.first < 0 || last < 0)
        return 0;
    return at_max(0, at_min(t->x.outputs, last / t->x.stride + 1) - at->x);
}

static inline void im2col(const void *arg, void *out, int64_t ld, int64_t row, int64_t rows, int64_t col,
                          int64_t cols)
{
    const at_gemm_taps here = *(const at_gemm_taps *)arg, *t = &here; /* what is stored cannot alter it */
    const grid outputs = {t->y.outputs, t->x.outputs};
    const int64_t run = t->x.taps * t->channels; /* columns of one tap along y */
    const int64_t first_ky = col / run, line_size = t->x.size * t->pitch, next = t->x.stride * t->channels;
    gemm_operand *to = out;
    place at = place_of(&outputs, t->first + row);
    for (int64_t i = 0, now; i < rows; i += now, to += now * ld) {
        const int64_t inside = at_min(im2col_inside(t, &at), rows - i), ix = at.x * t->x.stride + t->x.first;
        int64_t iy = at.y * t->y.stride + t->y.first + first_ky * t->y.step;
        now = at_max(1, inside);
        for (int64_t k = 0, first = col - first_ky * run; k < cols; first = 0, iy += t->y.step) {
            const int64_t n = at_min(run - first, cols - k);
            const at_element *line = NULL;
            if (iy >= 0 && iy < t->y.size)
                line = (const at_element *)t->data + (at.s * t->y.size + iy) * line_size;
            if (line && inside)
                for (int64_t p = 0; p < inside; p++)
                    gemm_copy(to + p * ld + k, line + ix * t->channels + first + p * next, n);
            else
                for (int64_t p = 0; p < now; p++)
                    im2col_taps(t, to + p * ld + k, line, ix + p * t->x.stride, first, n);
            k += n;
        }
        at.x += now - 1;
        step(&outputs, &at);
    }
}

/* Does output i read pixel i alone? */
static inline bool im2col_is_pixel(const at_gemm_axis *a)
{
    return a->taps == 1 && a->first == 0 && a->stride == 1 && a->outputs == a->size;
}

/* Is row m of the product row m of memory? */
static inline bool im2col_is_plain(const at_gemm_taps *t)
{
    return im2col_is_pixel(&t->y) && im2col_is_pixel(&t->x);
}

static inline at_gemm_matrix im2col_matrix(const at_gemm_taps *t)
{
    if (im2col_is_plain(t))
        return (at_gemm_matrix){.data = (const at_element *)t->data + t->first * t->pitch, .pitch = t->pitch};
    return (at_gemm_matrix){.load = im2col, .arg = t, .taps = t};
}

#endif
