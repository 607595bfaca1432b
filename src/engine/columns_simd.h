/* columns_simd.h: what per-channel kernels share: sums over rows, and constants per channel. For *_simd.c
 * files. Layer: engine.
 *
 * Narrow gapless rows are walked as long rows: several rows side by side that make whole vectors, so that 8
 * channels fill 16 lanes; constants are repeated to the same length. Sums over rows go by fixed chunks of
 * AT_CHUNK_ROWS, so that bits do not depend on threads. Within a chunk rows are added in float, in index
 * order (long rows: side by side), and carried into doubles every so many rows, so that rounding does not
 * grow with their number.
 *
 * Reading path: at_column_sums_run, at_column_sums_tile, at_sum_rows; then at_pattern_repeat. */
#ifndef AT_COLUMNS_SIMD_H
#define AT_COLUMNS_SIMD_H

#include "base/simd.h"
#include "engine/rows.h"

enum {
    AT_NARROW = 64, /* up to so many columns gapless rows are put side by side */
    AT_LONG_ROW =
        8 * VL, /* a long row has at least so many elements: enough additions to hide their latency */
    AT_LONG_ROW_MAX = 1024, /* 63 columns and 16 lanes meet at 1008 */
    AT_COLUMN_BLOCK = 128,  /* blocks of columns are no narrower than this */
    AT_CARRY_ROWS =
        256, /* rows (or long rows) that are added in float before they are carried into doubles */
    AT_MAX_SUMS = 2,
    AT_MAX_SUMMED = 2
};

/* Elements of a long row of C columns; C itself when they are not narrow. Always a multiple of C. */
static inline int64_t at_long_row(int64_t C)
{
    if (C > AT_NARROW || C < 1) return C;
    int64_t period = C;
    while (period % VL) period += C;
    return at_round_up(AT_LONG_ROW, period);
}

/* ---- Constants per channel ---- */

/* Floats that the pattern of one constant takes in scratch. */
static inline int64_t at_pattern_room(int64_t C)
{
    return at_round_up(at_long_row(C), VL);
}

/* Repeat the first C values to the length of a long row. Elements e of any span of whole rows meet pattern[e
 * % L]. */
static inline void at_pattern_repeat(float *pattern, int64_t C)
{
    const int64_t L = at_long_row(C);
    for (int64_t e = C; e < L; e++) pattern[e] = pattern[e - C];
}

/* ---- Sums over rows ---- */

typedef struct at_column_sums {
    const at_arg *x[AT_MAX_SUMMED]; /* what is summed: same rows and columns */
    const float *centre;            /* [cols], a constant that the terms may use */
    bool first_row_is_centre;       /* instead: each chunk's first row of x[0] */
    double *partial;                /* [chunks][n_sums][cols], in scratch */
    int n_x, n_sums;
    int64_t rows, cols, n_chunks, n_blocks, width;
    bool gapless;
} at_column_sums;

/* Add the terms of one vector of each operand to sum[0] (and sum[1]). */
typedef void (*at_terms_fn)(vf *sum, const vf *x, vf centre);

static inline size_t at_column_sums_bytes(int64_t max_rows, int64_t cols, int n_sums)
{
    return (size_t)(at_ceil_div(max_rows, AT_CHUNK_ROWS) * n_sums * cols) * sizeof(double);
}

AT_FORCE_INLINE void at__add_vectors(float (*acc)[AT_LONG_ROW_MAX], const float *centre,
                                     const float *const *x, int64_t i, int64_t lanes, int n_x, int n_sums,
                                     at_terms_fn terms)
{
    vf sum[AT_MAX_SUMS] = {{0}}, v[AT_MAX_SUMMED] = {{0}};
    for (int k = 0; k < n_sums; k++) sum[k] = vf_load(acc[k] + i);
    for (int k = 0; k < n_x; k++) v[k] = vf_load_n(x[k] + i, lanes);
    terms(sum, v, vf_load(centre + i));
    for (int k = 0; k < n_sums; k++) vf_store(acc[k] + i, sum[k]);
}

/* Add `rows` rows of n elements, one after another: the memory is read in order, the sums stay in the first
 * cache. */
AT_FORCE_INLINE void at__add_rows(float (*acc)[AT_LONG_ROW_MAX], const float *centre, const float **x,
                                  const int64_t *pitch, int64_t rows, int64_t n, int n_x, int n_sums,
                                  at_terms_fn terms)
{
    for (int64_t m = 0; m < rows; m++) {
        int64_t i = 0;
        for (; i + VL <= n; i += VL) at__add_vectors(acc, centre, x, i, VL, n_x, n_sums, terms);
        if (i < n) at__add_vectors(acc, centre, x, i, n - i, n_x, n_sums, terms);
        for (int k = 0; k < n_x; k++) x[k] += pitch[k];
    }
}

/* Rows [first, first + rows) of columns [col, col + cols): out[sum * stride + column], overwritten. */
AT_FORCE_INLINE void at_sum_rows(const at_column_sums *s, int64_t first, int64_t rows, int64_t col,
                                 int64_t cols, double *out, int64_t stride, int n_x, int n_sums,
                                 at_terms_fn terms)
{
    float acc[AT_MAX_SUMS][AT_LONG_ROW_MAX], centre[AT_LONG_ROW_MAX];
    const int64_t L = s->gapless && cols == s->cols ? at_long_row(cols) : cols, abreast = L / cols;
    const float *middle =
        s->first_row_is_centre ? (const float *)s->x[0]->data + first * s->x[0]->pitch : s->centre;
    for (int64_t e = 0; e < L; e++) centre[e] = middle ? middle[col + e % cols] : 0.0f;
    for (int k = 0; k < n_sums; k++) memset(out + k * stride, 0, (size_t)cols * sizeof *out);
    const float *x[AT_MAX_SUMMED];
    int64_t pitch[AT_MAX_SUMMED];
    for (int k = 0; k < n_x; k++) {
        x[k] = (const float *)s->x[k]->data + first * s->x[k]->pitch + col;
        pitch[k] = abreast * s->x[k]->pitch;
    }
    for (int64_t left = rows; left > 0; left -= AT_CARRY_ROWS * abreast) {
        const int64_t now = at_min(left, AT_CARRY_ROWS * abreast);
        for (int k = 0; k < n_sums; k++) memset(acc[k], 0, (size_t)at_round_up(L, VL) * sizeof(float));
        at__add_rows(acc, centre, x, pitch, now / abreast, L, n_x, n_sums, terms);
        if (now % abreast) at__add_rows(acc, centre, x, pitch, 1, now % abreast * cols, n_x, n_sums, terms);
        for (int k = 0; k < n_sums; k++)
            for (int64_t p = 0; p < abreast; p++)
                for (int64_t c = 0; c < cols; c++) out[k * stride + c] += (double)acc[k][p * cols + c];
    }
}

/* The body of a tile function: a kernel's own tile passes its terms, so that they melt into the loops. */
AT_FORCE_INLINE void at_column_sums_tile(const at_column_sums *s, int64_t i, int n_x, int n_sums,
                                         at_terms_fn terms)
{
    const int64_t chunk = i / s->n_blocks, col = i % s->n_blocks * s->width;
    const int64_t first = chunk * AT_CHUNK_ROWS;
    at_sum_rows(s, first, at_min(AT_CHUNK_ROWS, s->rows - first), col, at_min(s->width, s->cols - col),
                s->partial + chunk * n_sums * s->cols + col, s->cols, n_x, n_sums, terms);
}

/* Fill in how x[0], x[1] are divided. A column's sum does not depend on the block it is in, so that the
 * number of blocks may: as few as occupy the threads, for memory is best read in long runs. */
static inline void at_column_sums_divide(at_column_sums *s, int threads)
{
    s->rows = s->x[0]->rows;
    s->cols = s->x[0]->cols;
    s->n_x = s->x[1] ? 2 : 1;
    s->gapless = true;
    for (int k = 0; k < s->n_x; k++) s->gapless &= s->x[k]->pitch == s->cols;
    s->n_chunks = at_ceil_div(s->rows, AT_CHUNK_ROWS);
    s->n_blocks = at_min(at_ceil_div(2 * threads, at_max(1, s->n_chunks)), s->cols / AT_COLUMN_BLOCK);
    s->n_blocks = at_max(s->n_blocks, at_max(1, at_ceil_div(s->cols, AT_LONG_ROW_MAX)));
    s->width = at_max(VL, at_round_up(at_ceil_div(s->cols, s->n_blocks), VL));
    s->n_blocks = at_ceil_div(s->cols, s->width);
}

/* All chunks: tile(s, ...) is the kernel's own. */
static inline void at_column_sums_run(at_column_sums *s, int n_sums, int threads, at_task_fn tile)
{
    at_column_sums_divide(s, threads);
    s->n_sums = n_sums;
    at_parallel_for(threads, s->n_chunks * s->n_blocks, tile, s);
}

/* Sum number k of a column: the chunks in index order. */
static inline double at_column_sum(const at_column_sums *s, int k, int64_t column)
{
    double sum = 0.0;
    for (int64_t chunk = 0; chunk < s->n_chunks; chunk++)
        sum += s->partial[(chunk * s->n_sums + k) * s->cols + column];
    return sum;
}

#endif
