/* resample.h: the inside of at_image_resize: the weights of an axis and the passes that apply them.
 * Layer: data; private to axis.c, resize.c, resize_isa.c and preprocess.c. */
#ifndef AT_RESAMPLE_H
#define AT_RESAMPLE_H

#include "data/pixels.h"

enum {
    AT_WEIGHT_BITS = 22, /* fraction bits of a weight: 32 less 8 of the pixel less 2 of head room */
    AT_WEIGHT_HALF = 1 << (AT_WEIGHT_BITS - 1),
    AT_TAP_GROUP = 4,      /* windows are padded by weights 0 to a multiple of this */
    AT_ROW_SLACK = 16,     /* bytes behind a row that a horizontal pass may read */
    AT_RESAMPLER_ROWS = 8, /* the most rows that a horizontal pass takes at once */
};

/* ---- Weights: output i is the sum over t < count[i] of k[i][t] * input[low + first[i] + t] ---- */

/* Four weights in digits: weight = 256 high + low. */
typedef struct at_digits {
    int16_t high[AT_TAP_GROUP], low[AT_TAP_GROUP];
} at_digits;

typedef struct at_axis {
    int n, taps;        /* outputs; length of a row of k, a multiple of AT_TAP_GROUP */
    int low, used;      /* the inputs that count: low <= i < low + used */
    int *first, *count; /* [n] */
    int32_t *k;         /* [n, taps] weights times 2^AT_WEIGHT_BITS; NULL for AT_NEAREST, which copies */
    at_digits *digits;  /* [n, taps / AT_TAP_GROUP], the same weights */
} at_axis;

/* The outputs from <= i < from + n of `in` pixels resized to `out`. All lengths are 1..AT_IMAGE_SIDE. */
at_status at__axis_init(at_ctx *ctx, at_axis *a, int in, int out, int from, int n,
                        at_filter filter) AT_MUST_USE;
void at__axis_deinit(at_ctx *ctx, at_axis *a);

/* ---- Passes ---- */

/* One way to run them; the best that the processor has is taken, and all give the same bytes. */
typedef struct at_resampler {
    const char *name;
    at_isa isa;
    int rows; /* that horizontal takes at once */
    /* Rows of x->used pixels to rows of x->n. Up to AT_ROW_SLACK bytes behind each input row are read, not
     * used. */
    void (*horizontal)(unsigned char *const *to, const unsigned char *const *from, const at_axis *x);
    /* n bytes of output row i; from: the first row of its window, the others lie `pitch` bytes apart. */
    void (*vertical)(unsigned char *to, const unsigned char *from, size_t pitch, const at_axis *y, int i,
                     int64_t n);
} at_resampler;

/* The plain passes, which all others must equal. */
void at__resample_row(unsigned char *to, const unsigned char *from, const at_axis *x);
void at__resample_column(unsigned char *to, const unsigned char *from, size_t pitch, const at_axis *y, int i,
                         int64_t n);

static inline unsigned char at_weighed_byte(int32_t sum)
{
    const int32_t x = sum >> AT_WEIGHT_BITS;
    return (unsigned char)(x < 0 ? 0 : x > 255 ? 255 : x);
}

/* ---- A part of a resized picture ---- */

/* Of a picture resized to width x height only the rectangle at (x, y) is computed. */
typedef struct at_resize_part {
    int width, height, x, y, part_width, part_height;
    at_filter filter;
} at_resize_part;

/* Refuse (RANGE) a size that no resize may have. */
at_status at__resize_check(at_ctx *ctx, int64_t width, int64_t height) AT_MUST_USE;

/* Into rows of `to` that lie `pitch` bytes apart; the size has been checked. */
at_status at__resize_part(at_ctx *ctx, unsigned char *to, size_t pitch, const at_image *in,
                          const at_resize_part *part) AT_MUST_USE;

#endif
