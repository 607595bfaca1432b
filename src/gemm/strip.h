/* strip.h: pictures laid out so that a tap is an offset. Layer: gemm.
 *
 * A product's rows are pixels, each of which reads other pixels through taps (at_gemm_taps). Here the
 * pictures stand in one long strip of positions, with zeros where taps reach outside: position (sample, line,
 * column) reads through a tap what stands `offset` positions further on, for all positions alike. So k x k
 * taps need one copy of a picture instead of k x k (im2col). Pixels that are `stride` apart are neighbours:
 * each remainder, a phase, has a strip of its own.
 *
 * What is left of the last column's zeros are the first of the next line, and likewise for lines: positions
 * that are no row of the product are few. They are computed, too, and dropped. */
#ifndef AT_STRIP_H
#define AT_STRIP_H

#include "gemm/gemm.h"

typedef struct strip_axis {
    int64_t low;    /* the pixel that position 0 of phase 0 is; negative: outside */
    int64_t phases; /* that taps use */
    int64_t reach;  /* the largest offset */
    int64_t extent; /* positions from line to line, or from picture to picture */
} strip_axis;

typedef struct strip {
    at_gemm_taps of;
    strip_axis y, x;
    int64_t reach, picture; /* positions: the largest offset; from sample to sample */
} strip;

/* Along one axis: what tap t adds to output * stride, from `low` on. */
static inline int64_t strip_distance(const at_gemm_axis *of, const strip_axis *a, int64_t t)
{
    return of->first + t * of->step - a->low;
}

static inline strip_axis strip_axis_of(const at_gemm_axis *of)
{
    strip_axis a = {.low = at_min(of->first, of->first + (of->taps - 1) * of->step), .phases = 1};
    for (int64_t t = 0; t < of->taps; t++) {
        a.phases = at_max(a.phases, strip_distance(of, &a, t) % of->stride + 1);
        a.reach = at_max(a.reach, strip_distance(of, &a, t) / of->stride);
    }
    const int64_t all = of->outputs + a.reach,
                  zeros_before = at_ceil_div(at_max(0, 1 - a.phases - a.low), of->stride),
                  zeros_behind = at_max(0, all - at_ceil_div(of->size - a.low, of->stride));
    a.extent = all - at_min(a.reach, at_min(zeros_before, zeros_behind));
    return a;
}

static inline strip strip_of(const at_gemm_taps *of)
{
    strip s = {.of = *of, .y = strip_axis_of(&of->y), .x = strip_axis_of(&of->x)};
    s.reach = s.y.reach * s.x.extent + s.x.reach;
    s.picture = s.y.extent * s.x.extent;
    return s;
}

static inline int64_t strip_phases(const strip *s)
{
    return s->y.phases * s->x.phases;
}

/* Is a strip less work than a copy for each tap? A phase of it is `copies` longer copies, of pixels that may
 * lie apart; positions that are no rows are products in vain, with `columns` columns of the other operand. To
 * copy a pixel costs as much as its products with `worth` of them. */
static inline bool strip_pays(const strip *s, int64_t copies, int64_t columns, int64_t worth)
{
    const int64_t rows = s->of.y.outputs * s->of.x.outputs, taps = s->of.y.taps * s->of.x.taps;
    return s->of.channels % 32 == 0 && taps >= 4 * copies * strip_phases(s) &&
           (s->picture - rows) * columns <= worth * rows;
}

typedef struct strip_tap {
    int64_t phase, offset;
} strip_tap;

static inline strip_tap strip_tap_at(const strip *s, int64_t tap)
{
    const at_gemm_axis *Y = &s->of.y, *X = &s->of.x;
    const int64_t y = strip_distance(Y, &s->y, tap / X->taps), x = strip_distance(X, &s->x, tap % X->taps);
    return (strip_tap){y % Y->stride * s->x.phases + x % X->stride,
                       y / Y->stride * s->x.extent + x / X->stride};
}

/* ---- Positions in order ---- */

typedef struct strip_place {
    int64_t sample, line, column;
} strip_place;

static inline strip_place strip_place_of(const strip *s, int64_t position)
{
    return (strip_place){position / s->picture, position / s->x.extent % s->y.extent, position % s->x.extent};
}

/* n positions further, at most to the next line. */
static inline void strip_go(const strip *s, strip_place *at, int64_t n)
{
    at->column += n;
    if (at->column < s->x.extent) return;
    at->column = 0;
    if (++at->line < s->y.extent) return;
    at->line = 0;
    at->sample++;
}

/* From `at` on to the end of its line: rows, the first of which is number `first`, and then positions that
 * are none. */
typedef struct strip_rows {
    int64_t first, rows, others;
} strip_rows;

static inline strip_rows strip_rows_at(const strip *s, const strip_place *at)
{
    const at_gemm_axis *y = &s->of.y, *x = &s->of.x;
    strip_rows r = {.first = (at->sample * y->outputs + at->line) * x->outputs + at->column};
    if (at->line < y->outputs && at->sample < s->of.samples) r.rows = at_max(0, x->outputs - at->column);
    r.others = s->x.extent - at->column - r.rows;
    return r;
}

/* Where row `row` stands. */
static inline int64_t strip_position(const strip *s, int64_t row)
{
    const int64_t width = s->of.x.outputs, height = s->of.y.outputs;
    return row / (width * height) * s->picture + row / width % height * s->x.extent + row % width;
}

/* From `at` on to the end of its line, in a phase: zeros, then pixels, x stride apart, then zeros. */
typedef struct strip_pixels {
    int64_t zeros, pixels, others;
    int64_t first; /* of the pixels: elements from the first one of `data` */
} strip_pixels;

static inline strip_pixels strip_pixels_at(const strip *s, int64_t phase, const strip_place *at)
{
    const at_gemm_axis *Y = &s->of.y, *X = &s->of.x;
    const int64_t y = s->y.low + at->line * Y->stride + phase / s->x.phases,
                  low = s->x.low + phase % s->x.phases, all = s->x.extent;
    if (y < 0 || y >= Y->size || at->sample >= s->of.samples)
        return (strip_pixels){.zeros = all - at->column};
    const int64_t first = at_min(at_max(at->column, at_ceil_div(at_max(0, -low), X->stride)), all),
                  last = at_min(at_max(first, at_ceil_div(at_max(0, X->size - low), X->stride)), all);
    strip_pixels r = {.zeros = first - at->column, .pixels = last - first, .others = all - last};
    r.first = ((at->sample * Y->size + y) * X->size + low + first * X->stride) * s->of.pitch;
    return r;
}

#endif
