/* blocks_simd.h: what the attention kernels share: one head of one sample, cut into blocks of its rows, and
 * the products of such blocks. For *_simd.c files of this folder.
 *
 * Everything here is float and lies in the thread's scratch: rows of a head side by side, their columns
 * padded with zeros to whole vectors (D -> width). Blocks begin at fixed rows of the sample and every row's
 * sums run in a fixed order, so that a row has the same bits whatever else is in the batch. Short samples use
 * a corner of each block. */
#ifndef AT_BLOCKS_SIMD_H
#define AT_BLOCKS_SIMD_H

#include "base/rng_simd.h"
#include "base/simd_math.h"
#include "engine/op.h"
#include "ops/attention/attention.h"

enum {
    BLOCK = 64, /* rows of queries, and of keys */
    GROUP = 4   /* rows that are computed together, so that their chains of operations overlap; divides VL */
};

/* One head of one sample. */
typedef struct one_head {
    const at_call *c;
    const at_attention_param *p;
    int64_t sample, first, rows; /* the sample's rows */
    int64_t head, D, width;
    uint64_t stream;     /* of its draws */
    uint32_t occurrence; /* likewise */
} one_head;

/* Rows [at, at + n) of the sample. */
typedef struct rows_of {
    int64_t at, n;
} rows_of;

static inline rows_of block_at(const one_head *t, int64_t at)
{
    return (rows_of){at, at_min(BLOCK, t->rows - at)};
}

/* The first head of task number `task`; *n heads follow one another in it. There is a task for each head of
 * each sample, but the first one of a short sample does all its heads, whose rows are then read from memory
 * once. */
static inline one_head heads_of_task(int64_t *n, const at_call *c, const at_attention_param *p, int64_t task)
{
    const int64_t s = task / p->heads, head = task % p->heads;
    const int32_t *offsets = at_int_row(c, AT_ATTENTION_OFFSETS, 0);
    one_head t = {
        .c = c, .p = p, .sample = s, .first = offsets[s], .rows = offsets[s + 1] - offsets[s], .head = head};
    t.D = c->in[AT_ATTENTION_QUERY].cols / p->heads;
    t.width = at_round_up(t.D, VL);
    *n = t.rows > BLOCK ? 1 : head == 0 ? p->heads : 0;
    return t;
}

static inline void key_draws(one_head *t, int sample_id, uint32_t occurrence)
{
    t->occurrence = occurrence;
    if (t->p->dropout > 0)
        t->stream = at_attention_stream(at_int_row(t->c, sample_id, t->sample)[0], t->head);
}

/* Does any row of queries attend to any row of keys? */
static inline bool is_seen(const one_head *t, rows_of queries, rows_of keys)
{
    const int64_t last_query = queries.at + queries.n - 1, last_key = keys.at + keys.n - 1;
    return keys.at < at_attention_last(t->p, last_query, t->rows) &&
           at_attention_first(t->p, queries.at) <= last_key;
}

/* ---- Rows in and out ---- */

static inline const at_element *head_row(const one_head *t, const at_arg *x, int64_t row)
{
    return (const at_element *)x->data + (t->first + row) * x->pitch + t->head * t->D;
}

/* Ask for all heads of the sample's rows in inputs [first, last), in the order of memory: heads read them in
 * pieces that lie far apart, and would wait for each. (Forced: GCC drops calls of what only prefetches.) */
AT_FORCE_INLINE void prefetch_rows(const one_head *t, int first, int last)
{
    for (int in = first; in < last; in++) {
        const at_arg *x = &t->c->in[in];
        const size_t bytes = (size_t)x->cols * sizeof(at_element);
        for (int64_t i = 0; i < t->rows; i++) {
            const char *row = (const char *)((const at_element *)x->data + (t->first + i) * x->pitch);
            for (size_t at = 0; at < bytes; at += 64) __builtin_prefetch(row + at);
        }
    }
}

/* to[r * width + d] = factor x, and zeros up to a whole vector of rows. */
static inline void load_rows(const one_head *t, float *to, const at_arg *x, rows_of r, float factor)
{
    const vf f = vf_set(factor);
    for (int64_t i = 0; i < r.n; i++) {
        const at_element *from = head_row(t, x, r.at + i);
        int64_t d = 0;
        for (; d + VL <= t->D; d += VL) vf_store(to + i * t->width + d, f * va_load(from + d));
        if (d < t->D) vf_store(to + i * t->width + d, f * va_load_n(from + d, t->D - d));
    }
    const int64_t room = at_round_up(r.n, VL);
    memset(to + r.n * t->width, 0, (size_t)((room - r.n) * t->width) * sizeof *to);
}

/* to[d * BLOCK + r] = rows[r * width + d], in whole vectors both ways. */
static inline void transpose(const one_head *t, float *to, const float *rows, int64_t n)
{
    for (int64_t r = 0; r < n; r += VL)
        for (int64_t d = 0; d < t->width; d += VL) {
            vf x[VL];
            for (int i = 0; i < VL; i++) x[i] = vf_load(rows + (r + i) * t->width + d);
            vf_transpose(x);
            for (int i = 0; i < VL; i++) vf_store(to + (d + i) * BLOCK + r, x[i]);
        }
}

AT_FORCE_INLINE void store_lanes(at_element *to, vf x, bool adds, const int64_t lanes)
{
    if (adds) x += va_load_n(to, lanes);
    va_store_n(to, x, lanes);
}

/* out[o] of these rows gets, or is added, factor times them. */
static inline void store_rows(const one_head *t, int o, rows_of r, const float *from, float factor)
{
    const at_arg *y = &t->c->out[o];
    const bool adds = t->c->accumulate >> o & 1;
    const vf f = vf_set(factor);
    for (int64_t i = 0; i < r.n; i++, from += t->width) {
        at_element *to = (at_element *)y->data + (t->first + r.at + i) * y->pitch + t->head * t->D;
        int64_t d = 0;
        for (; d + VL <= t->D; d += VL) store_lanes(to + d, f * vf_load(from + d), adds, VL);
        if (d < t->D) store_lanes(to + d, f * vf_load(from + d), adds, t->D - d);
    }
}

/* ---- Lanes taken together, by halves ---- */

AT_FORCE_INLINE vf swap_halves(vf x, int half)
{
    return AT_SHUFFLE(x, x, vi_lanes() ^ half);
}

static inline float vf_total(vf x)
{
#pragma GCC unroll 4
    for (int half = VL / 2; half > 0; half /= 2) x += swap_halves(x, half);
    return x[0];
}

static inline float vf_largest(vf x)
{
#pragma GCC unroll 4
    for (int half = VL / 2; half > 0; half /= 2) x = vf_at_least(x, swap_halves(x, half));
    return x[0];
}

/* ---- Products ---- */

/* An operand whose elements are broadcast: (m, k) at x[m * row + k * col]. */
typedef struct strided {
    const float *x;
    int64_t row, col;
} strided;

/* GROUP rows and `vectors` vectors of C (+)= A B. */
AT_FORCE_INLINE void product_group(float *c, int64_t c_pitch, strided a, const float *b, int64_t b_pitch,
                                   int64_t K, bool onto, const int vectors)
{
    vf sum[GROUP][3];
    for (int r = 0; r < GROUP; r++)
        for (int v = 0; v < vectors; v++) {
            const vf zero = {0};
            sum[r][v] = onto ? vf_load(c + r * c_pitch + v * VL) : zero;
        }
    for (int64_t k = 0; k < K; k++) {
        vf right[3];
        for (int v = 0; v < vectors; v++) right[v] = vf_load(b + k * b_pitch + v * VL);
        for (int r = 0; r < GROUP; r++) {
            const vf left = vf_set(a.x[r * a.row + k * a.col]);
            for (int v = 0; v < vectors; v++) sum[r][v] += left * right[v];
        }
    }
    for (int r = 0; r < GROUP; r++)
        for (int v = 0; v < vectors; v++) vf_store(c + r * c_pitch + v * VL, sum[r][v]);
}

/* C[M,N] (+)= A[M,K] B[K,N]: M rounded up to whole groups, N to whole vectors, of which 2 or 3 at a time keep
 * the processor busy. */
static inline void product(float *c, int64_t c_pitch, strided a, const float *b, int64_t b_pitch, int64_t M,
                           int64_t N, int64_t K, bool onto)
{
    for (int64_t m = 0; m < M; m += GROUP, c += GROUP * c_pitch, a.x += GROUP * a.row)
        for (int64_t n = 0, left; n < N; n += left * VL) {
            left = at_ceil_div(N - n, VL);
            if (left == 3)
                product_group(c + n, c_pitch, a, b + n, b_pitch, K, onto, 3);
            else if (left >= 2)
                product_group(c + n, c_pitch, a, b + n, b_pitch, K, onto, 2), left = 2;
            else
                product_group(c + n, c_pitch, a, b + n, b_pitch, K, onto, 1);
        }
}

/* ---- Which pairs there are ---- */

typedef struct lane_range {
    vi first, last; /* keys of the block that a query attends to: [first, last) */
} lane_range;

static inline vi vi_set(int32_t x)
{
    return x - (vi){0};
}

static inline lane_range range_of(const one_head *t, int64_t query, rows_of keys)
{
    const int64_t first = at_attention_first(t->p, query), last = at_attention_last(t->p, query, t->rows);
    return (lane_range){vi_set((int32_t)(first - keys.at)), vi_set((int32_t)(last - keys.at))};
}

/* -1 where key `at` + lane of the block is in the range. */
static inline vi is_in(lane_range r, int64_t at)
{
    const vi lane = vi_lanes() + vi_set((int32_t)at);
    return (lane >= r.first) & (lane < r.last);
}

/* z of one query and the keys of a block; `words` has room for BLOCK + AT_RNG_GROUP of them. */
static inline void draw(const one_head *t, int64_t query, rows_of keys, uint32_t *words)
{
    at_rng_fill(words, t->c->key, t->stream, t->occurrence, at_attention_index(query, keys.at) >> 2, keys.n);
}

/* u 2^-24 >= p exactly when u >= ceil(p 2^24) */
static inline vf kept(const one_head *t, const uint32_t *words, int64_t at)
{
    const double p = t->p->dropout, threshold = p * 0x1p24;
    const int32_t least = (int32_t)threshold + (threshold > (int32_t)threshold);
    const vi is_kept = (vi)(*(const vu32_unaligned *)(words + at) >> 8) >= vi_set(least);
    return (vf)((vi)vf_set((float)(1 / (1 - p))) & is_kept);
}

#endif
