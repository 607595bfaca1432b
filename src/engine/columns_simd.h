/* columns_simd.h: what per-channel kernels share: sums over rows, and constants per channel. For *_simd.c
 * files. Layer: engine.
 *
 * Narrow gapless rows are walked as long rows: several rows side by side that make whole vectors, so that 8
 * channels fill 16 lanes; constants are repeated to the same length. Sums over rows go by parts: fixed runs
 * of rows, whole fractions of a chunk (AT_CHUNK_ROWS) that depend on the number of columns only, so that bits
 * do not depend on threads. Within a part rows are added in float, in index order (long rows: side by side),
 * and carried into doubles every so many rows, so that rounding does not grow with their number; parts are
 * added in index order. Parts rather than blocks of columns, for memory is read fastest in one run: half rows
 * of 1280 columns took twice as long.
 *
 * Reading path: at_column_sums_run, at_column_sums_tile, at_sum_rows; then at_channel_span. */
#ifndef AT_COLUMNS_SIMD_H
#define AT_COLUMNS_SIMD_H

#include "engine/rows.h"
#include "engine/stream_simd.h"

enum {
    AT_NARROW = 64, /* up to so many columns gapless rows are put side by side */
    AT_LONG_ROW =
        8 * VL, /* a long row has at least so many elements: enough additions to hide their latency */
    AT_LONG_ROW_MAX =
        2048, /* wider rows are cut into blocks of columns; 63 columns and 16 lanes meet at 1008 */
    AT_CARRY_ROWS =
        256, /* rows (or long rows) that are added in float before they are carried into doubles */
    AT_PART_ELEMENTS = 1 << 18,
    AT_MAX_SUMS = 2,
    AT_MAX_OPERANDS = 2,
    AT_MAX_CONSTANTS = 3,
    AT_UNIFORM = 2 /* numbers that are the same for all channels, as bounds */
};

/* Elements of a long row of C columns; C itself when they are not narrow. Always a multiple of C. */
static inline int64_t at_long_row(int64_t C)
{
    if (C > AT_NARROW || C < 1) return C;
    int64_t period = C;
    while (period % VL) period += C;
    return at_round_up(AT_LONG_ROW, period);
}

/* ---- Elementwise work with constants per channel ----
 * A constant is a pattern in scratch: its C values, repeated to the length of a long row, so that element e
 * of a span of whole rows meets pattern[e % L]. Patterns stand at the start of scratch, one behind the other.
 */

enum { AT_MAX_PATTERNS = 5, AT_PREFETCH = 1024 /* elements */ };

/* Floats that one pattern takes. */
static inline int64_t at_pattern_room(int64_t C)
{
    return at_round_up(at_long_row(C), VL);
}

static inline size_t at_patterns_bytes(int64_t C, int n_patterns)
{
    return (size_t)at_round_up(n_patterns * at_pattern_room(C) * (int64_t)sizeof(float), AT_ALIGN);
}

static inline float *at_pattern(const at_call *c, int64_t C, int k)
{
    return (float *)c->scratch + k * at_pattern_room(C);
}

/* Repeat the first C values of each. */
static inline void at_patterns_repeat(const at_call *c, int64_t C, int n_patterns)
{
    const int64_t L = at_long_row(C);
    for (int k = 0; k < n_patterns; k++) {
        float *pattern = at_pattern(c, C, k);
        for (int64_t e = C; e < L; e++) pattern[e] = pattern[e - C];
    }
}

static inline void at_set_uniform(vf u[AT_UNIFORM], const double *uniform)
{
    for (int j = 0; j < AT_UNIFORM; j++) u[j] = vf_set(uniform ? (float)uniform[j] : 0.0f);
}

/* The result from one vector of each operand and of each pattern; u: numbers that are the same for all
 * channels. */
typedef vf (*at_channel_fn)(const vf *x, const vf *k, const vf *u);

AT_FORCE_INLINE void at__channel_vector(void *const *at, const float *pattern, int64_t room, int64_t e,
                                        int64_t i, int64_t lanes, bool accumulate, bool streams, const vf *u,
                                        int n_x, int n_k, at_channel_fn f)
{
    vf x[AT_MAX_OPERANDS], k[AT_MAX_PATTERNS];
    for (int j = 0; j < n_x; j++) {
        const at_element *from = (const at_element *)at[j] + e + i;
        __builtin_prefetch(from + AT_PREFETCH); /* the many loads keep the processor from running far ahead */
        x[j] = va_load_n(from, lanes);
    }
    for (int j = 0; j < n_k; j++) k[j] = vf_load(pattern + j * room + i);
    vf v = f(x, k, u);
    at_element *to = (at_element *)at[n_x] + e + i;
    if (accumulate) v += va_load_n(to, lanes);
    va_put_n(to, v, lanes, streams);
}

/* The body of a span function: n_x operands, then the output, which is out[0]. uniform: AT_UNIFORM numbers or
 * NULL. */
AT_FORCE_INLINE void at_channel_span(const at_call *c, void *const *at, int64_t n, const double *uniform,
                                     int n_x, int n_k, at_channel_fn f)
{
    vf u[AT_UNIFORM];
    at_set_uniform(u, uniform);
    const int64_t C = c->out[0].cols, L = at_long_row(C), room = at_pattern_room(C);
    const float *pattern = c->scratch;
    const bool accumulate = c->accumulate & 1;
    bool streams = at_streams(c, &c->out[0]);
    for (int j = 0; j < n_x; j++) streams &= at[j] != at[n_x]; /* its lines are in the cache */
    for (int64_t e = 0; e < n; e += L) {
        const int64_t now = at_min(L, n - e);
        int64_t i = 0;
        for (; i + VL <= now; i += VL)
            at__channel_vector(at, pattern, room, e, i, VL, accumulate, streams, u, n_x, n_k, f);
        if (i < now) at__channel_vector(at, pattern, room, e, i, now - i, accumulate, false, u, n_x, n_k, f);
    }
    if (streams) vf_stream_end();
}

/* ---- Sums over rows ---- */

typedef struct at_column_sums {
    const at_arg *x[AT_MAX_OPERANDS];        /* what is summed: same rows and columns */
    const float *constant[AT_MAX_CONSTANTS]; /* [cols] each, for the terms */
    bool first_row_is_constant;              /* instead: constant 0 is each part's first row of x[0] */
    const double *uniform;                   /* AT_UNIFORM numbers for the terms; NULL = zeros */
    const at_arg *y;                         /* where the values of the terms go; NULL = nowhere */
    bool accumulate;                         /* y += them */
    double *partial;                         /* [parts][n_sums][cols], in scratch */
    int n_x, n_sums;
    int64_t rows, cols, part_rows, n_parts;
    bool gapless;
} at_column_sums;

/* Add the terms of one vector of each operand to sum[0] (and sum[1]); k: of each constant, u: the uniform
 * numbers. Returns what y gets. */
typedef vf (*at_terms_fn)(vf *sum, const vf *x, const vf *k, const vf *u);

/* What a kernel's loops are compiled for. */
typedef struct at_sums_shape {
    int n_x, n_sums, n_k;
    bool stores; /* y gets what the terms return */
    at_terms_fn terms;
} at_sums_shape;

/* A row (or long row) in the making: sums and constants of its columns, and where its operands are. */
typedef struct at_sums_row {
    float acc[AT_MAX_SUMS][AT_LONG_ROW_MAX], constant[AT_MAX_CONSTANTS][AT_LONG_ROW_MAX];
    vf u[AT_UNIFORM];
    const at_element *x[AT_MAX_OPERANDS];
    at_element *y;
    int64_t pitch[AT_MAX_OPERANDS], y_pitch;
    bool accumulate;
} at_sums_row;

/* Rows of a part: a chunk, halved until it has few enough elements. */
static inline int64_t at_part_rows(int64_t cols)
{
    int64_t rows = AT_CHUNK_ROWS;
    while (rows > AT_CARRY_ROWS && rows * cols > AT_PART_ELEMENTS) rows /= 2;
    return rows;
}

static inline size_t at_column_sums_bytes(int64_t max_rows, int64_t cols, int n_sums)
{
    return (size_t)(at_max(1, at_ceil_div(max_rows, at_part_rows(cols))) * n_sums * cols) * sizeof(double);
}

AT_FORCE_INLINE void at__add_vectors(at_sums_row *r, int64_t i, int64_t lanes, const at_sums_shape shape)
{
    vf sum[AT_MAX_SUMS] = {{0}}, x[AT_MAX_OPERANDS] = {{0}}, k[AT_MAX_CONSTANTS] = {{0}};
    for (int j = 0; j < shape.n_sums; j++) sum[j] = vf_load(r->acc[j] + i);
    for (int j = 0; j < shape.n_x; j++) x[j] = va_load_n(r->x[j] + i, lanes);
    for (int j = 0; j < shape.n_k; j++) k[j] = vf_load(r->constant[j] + i);
    vf y = shape.terms(sum, x, k, r->u);
    for (int j = 0; j < shape.n_sums; j++)
        vf_store_n(r->acc[j] + i, sum[j], lanes); /* other lanes: other rows */
    if (!shape.stores) return;
    if (r->accumulate) y += va_load_n(r->y + i, lanes);
    va_store_n(r->y + i, y, lanes);
}

/* Add `rows` rows of n elements, one after another: the memory is read in order, the sums stay in the first
 * cache. */
AT_FORCE_INLINE void at__add_rows(at_sums_row *r, int64_t rows, int64_t n, const at_sums_shape shape)
{
    for (int64_t m = 0; m < rows; m++) {
        int64_t i = 0;
        for (; i + VL <= n; i += VL) at__add_vectors(r, i, VL, shape);
        if (i < n) at__add_vectors(r, i, n - i, shape);
        for (int j = 0; j < shape.n_x; j++) r->x[j] += r->pitch[j];
        if (shape.stores) r->y += r->y_pitch;
    }
}

/* Point a row at columns [col, col + cols) of row `first`, `abreast` rows side by side. */
AT_FORCE_INLINE void at__start_row(at_sums_row *r, const at_column_sums *s, int64_t first, int64_t col,
                                   int64_t cols, int64_t abreast, const at_sums_shape shape)
{
    at_set_uniform(r->u, s->uniform);
    for (int j = 0; j < shape.n_k; j++) {
        const float *from = s->constant[j];
        const at_element *row = (const at_element *)s->x[0]->data + first * s->x[0]->pitch + col;
        for (int64_t e = 0; e < abreast * cols; e++)
            r->constant[j][e] = j == 0 && s->first_row_is_constant ? at_element_value(row[e % cols])
                                : from                             ? from[col + e % cols]
                                                                   : 0.0f;
    }
    for (int j = 0; j < shape.n_x; j++) {
        r->x[j] = (const at_element *)s->x[j]->data + first * s->x[j]->pitch + col;
        r->pitch[j] = abreast * s->x[j]->pitch;
    }
    if (!shape.stores) return;
    r->y = (at_element *)s->y->data + first * s->y->pitch + col;
    r->y_pitch = abreast * s->y->pitch;
    r->accumulate = s->accumulate;
}

/* Rows [first, first + rows) of columns [col, col + cols): out[sum * stride + column], overwritten. */
AT_FORCE_INLINE void at_sum_rows(const at_column_sums *s, int64_t first, int64_t rows, int64_t col,
                                 int64_t cols, double *out, int64_t stride, const at_sums_shape shape)
{
    at_sums_row r;
    const int64_t L = s->gapless && cols == s->cols ? at_long_row(cols) : cols, abreast = L / cols;
    at__start_row(&r, s, first, col, cols, abreast, shape);
    for (int k = 0; k < shape.n_sums; k++) memset(out + k * stride, 0, (size_t)cols * sizeof *out);
    for (int64_t left = rows; left > 0; left -= AT_CARRY_ROWS * abreast) {
        const int64_t now = at_min(left, AT_CARRY_ROWS * abreast);
        for (int k = 0; k < shape.n_sums; k++)
            memset(r.acc[k], 0, (size_t)at_round_up(L, VL) * sizeof(float));
        at__add_rows(&r, now / abreast, L, shape);
        if (now % abreast) at__add_rows(&r, 1, now % abreast * cols, shape);
        for (int k = 0; k < shape.n_sums; k++)
            for (int64_t p = 0; p < abreast; p++)
                for (int64_t c = 0; c < cols; c++) out[k * stride + c] += (double)r.acc[k][p * cols + c];
    }
}

/* The body of a tile function: a kernel's own tile passes its shape, so that the terms melt into the loops.
 */
AT_FORCE_INLINE void at_column_sums_tile(const at_column_sums *s, int64_t i, const at_sums_shape shape)
{
    const int64_t part = s->n_parts - 1 - i; /* the first rows last: what comes next begins with them */
    const int64_t first = part * s->part_rows, rows = at_min(s->part_rows, s->rows - first);
    double *out = s->partial + part * shape.n_sums * s->cols;
    for (int64_t col = 0; col < s->cols; col += AT_LONG_ROW_MAX)
        at_sum_rows(s, first, rows, col, at_min(AT_LONG_ROW_MAX, s->cols - col), out + col, s->cols, shape);
}

/* The sums of all parts of x[0] (and x[1]): tile is the kernel's own. */
static inline void at_column_sums_run(at_column_sums *s, int n_sums, at_pool *pool, at_task_fn tile)
{
    s->n_sums = n_sums;
    s->n_x = s->x[1] ? 2 : 1;
    s->rows = s->x[0]->rows;
    s->cols = s->x[0]->cols;
    s->gapless = true;
    for (int k = 0; k < s->n_x; k++) s->gapless &= s->x[k]->pitch == s->cols;
    if (s->y) s->gapless &= s->y->pitch == s->cols;
    s->part_rows = at_part_rows(s->cols);
    s->n_parts = at_ceil_div(s->rows, s->part_rows);
    at_parallel_for(pool, s->n_parts, tile, s);
}

/* Add the parts, in index order, and return the sums [n_sums][cols], which lie in scratch. */
static inline const double *at_column_sums_add(at_column_sums *s)
{
    const int64_t n = s->n_sums * s->cols;
    double *sum = s->partial;
    if (s->n_parts == 0) memset(sum, 0, (size_t)n * sizeof *sum);
    for (int64_t part = 1; part < s->n_parts; part++)
        for (int64_t i = 0; i < n; i++) sum[i] += s->partial[part * n + i];
    return sum;
}

#endif
