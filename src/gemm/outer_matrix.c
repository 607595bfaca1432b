/* outer_matrix.c: C = sum over rows of A[r,:]^T B[r,:], the product of weight gradients, by multiply-adds of
 * floats. Both operands lie by rows: the micro-kernel takes GEMM_MR elements of A and GEMM_NV vectors of B a
 * row.
 *
 * Small C: rows are cut into chunks. A tile is (chunk, some rows of C, TILE_N columns of C), read where the
 * operands lie or from a copy, and summed in the thread's buffer. Tiles of all chunks run in parallel into
 * `partial`, which is then added up by chunk; of one chunk, into C.
 * Large C: its operands' rows lie pages apart. KC rows at a time are packed by all threads into `partial`,
 * every element once, as floats; then each tile of C adds their product to itself (Goto and van de Geijn,
 * Anatomy of high-performance matrix multiplication, 2008). Reading path: at_gemm_outer, then tile; then
 * large_block. */
#include "gemm/gemm_simd.h"

#if !GEMM_PAIRS
enum {
    AHEAD = 8,
    KC = 256,       /* rows a block: a panel of B stays in L1, what a tile touches of A in L2 */
    KC_NARROW = 64, /* few columns: each row of A is read again soon, from L1 */
    NARROW = 64,    /* columns */
    TILE_M = (GEMM_MR > 6 ? 8 : 11) * GEMM_MR, /* 64 and more: loaders load B anew for each tile */
    TILE_N = 256,
    LARGE_M = (GEMM_MR > 6 ? 8 : 16) * GEMM_MR, /* a tile of a large C */
    LARGE_N = 128,
    LARGE_C = 64 << 10,          /* elements */
    PACKED = 128,                /* columns packed at a time, rounded down to whole panels */
    PACKED_A = PACKED / GEMM_MR, /* panels */
    PACKED_B = PACKED / GEMM_NR,
};

#define INLINE static inline __attribute__((always_inline))

/* c[mr, nv vectors] (+)= sum_k a[k, 0..mr) b[k, ...]; the last vector of B has `lanes` columns. */
INLINE void micro_body(const int mr, const int nv, int64_t kc, const float *a, int64_t a_pitch,
                       const float *b, int64_t b_pitch, float *c, int64_t c_pitch, int64_t lanes, bool add)
{
    vf acc[GEMM_MR][GEMM_NV];
#pragma GCC unroll 16
    for (int i = 0; i < mr; i++)
#pragma GCC unroll 4
        for (int j = 0; j < nv; j++) acc[i][j] = (vf){0};
#pragma GCC unroll 16
    for (int i = 0; i < mr; i++) {
        __builtin_prefetch(c + i * c_pitch, 1);
        __builtin_prefetch(c + i * c_pitch + nv * VL - 1, 1);
    }
    for (int64_t k = 0; k < kc; k++) {
        vf bv[GEMM_NV];
        __builtin_prefetch(a + AHEAD * a_pitch);
        __builtin_prefetch(b + AHEAD * b_pitch);
#pragma GCC unroll 4
        for (int j = 0; j < nv; j++) bv[j] = j + 1 < nv ? vf_load(b + j * VL) : vf_load_n(b + j * VL, lanes);
#pragma GCC unroll 16
        for (int i = 0; i < mr; i++) {
            const vf av = vf_set(a[i]);
#pragma GCC unroll 4
            for (int j = 0; j < nv; j++) acc[i][j] += av * bv[j];
        }
        a += a_pitch;
        b += b_pitch;
    }
#pragma GCC unroll 16
    for (int i = 0; i < mr; i++)
#pragma GCC unroll 4
        for (int j = 0; j < nv; j++) {
            float *p = c + i * c_pitch + j * VL;
            vf x = acc[i][j];
            if (add) x = vf_load(p) + x;
            vf_store(p, x);
        }
}

typedef void (*micro_fn)(int64_t kc, const float *a, int64_t a_pitch, const float *b, int64_t b_pitch,
                         float *c, int64_t c_pitch, int64_t lanes, bool add);

#define MICRO(mr)                                                                                            \
    static void micro_##mr##_1(int64_t kc, const float *a, int64_t a_pitch, const float *b, int64_t b_pitch, \
                               float *c, int64_t c_pitch, int64_t lanes, bool add)                           \
    {                                                                                                        \
        micro_body(mr, 1, kc, a, a_pitch, b, b_pitch, c, c_pitch, lanes, add);                               \
    }                                                                                                        \
    static void micro_##mr##_2(int64_t kc, const float *a, int64_t a_pitch, const float *b, int64_t b_pitch, \
                               float *c, int64_t c_pitch, int64_t lanes, bool add)                           \
    {                                                                                                        \
        micro_body(mr, 2, kc, a, a_pitch, b, b_pitch, c, c_pitch, lanes, add);                               \
    }
#define ENTRY(mr) {micro_##mr##_1, micro_##mr##_2},

GEMM_FOR_EVERY_MR(MICRO)
static const micro_fn micro[GEMM_MR][GEMM_NV] = {GEMM_FOR_EVERY_MR(ENTRY)};

typedef struct walk {
    const at_gemm_outer_job *g;
    int64_t chunks, tiles_m, tiles_n;
} walk;

typedef struct area { /* of C */
    int64_t m, rows, n, cols;
} area;

static area area_of(const at_gemm_outer_job *g, int64_t tiles_n, int64_t index, int64_t most_rows,
                    int64_t most_cols)
{
    area t = {.m = index / tiles_n * most_rows, .n = index % tiles_n * most_cols};
    t.rows = at_min(most_rows, g->M - t.m);
    t.cols = at_min(most_cols, g->N - t.n);
    return t;
}

/* ---- Small C ---- */

/* B's block is read in place when whole vectors may be read; else (and for loaders) from a zero-padded copy.
 */
static bool reads_in_place(const at_gemm_outer_job *g)
{
    if (g->b.load || GEMM_WIDENS) return false;
#if defined(__AVX512F__)
    return true; /* masked loads */
#else
    return g->N % VL == 0;
#endif
}

/* A block of rows of both operands as the micro-kernel meets it. */
typedef struct block {
    const float *a, *b;
    int64_t a_pitch, b_pitch; /* from row to row */
    bool whole;               /* B may be read in whole vectors */
} block;

static const at_element *a_at(const at_gemm_outer_job *g, const area *t, int64_t row)
{
    return (const at_element *)g->a + row * g->a_pitch + t->m;
}

static const at_element *b_at(const at_gemm_outer_job *g, const area *t, int64_t row)
{
    return (const at_element *)g->b.data + row * g->b.pitch + t->n;
}

/* Elements are floats. */
static block block_in_place(const at_gemm_outer_job *g, const area *t, int64_t row)
{
    return (block){.a = (const void *)a_at(g, t, row),
                   .b = (const void *)b_at(g, t, row),
                   .a_pitch = g->a_pitch,
                   .b_pitch = g->b.pitch};
}

/* B dense and padded with zeros to whole vectors; A, where it must be widened, behind it. */
static block block_with_copy(const at_gemm_outer_job *g, float *copy, const area *t, int64_t row, int64_t kc)
{
    block k = block_in_place(g, t, row);
    k.b = copy;
    k.b_pitch = at_round_up(t->cols, VL);
    k.whole = true;
    if (g->b.load) g->b.load(g->b.arg, copy, k.b_pitch, row, kc, t->n, t->cols);
    for (int64_t i = 0; i < kc; i++) {
        if (!g->b.load) gemm_copy(copy + i * k.b_pitch, b_at(g, t, row + i), t->cols);
        for (int64_t j = t->cols; j < k.b_pitch; j++) copy[i * k.b_pitch + j] = 0.0f;
    }
    if (!GEMM_WIDENS) return k;
    float *a = copy + KC * TILE_N;
    for (int64_t i = 0; i < kc; i++) gemm_copy(a + i * TILE_M, a_at(g, t, row + i), t->rows);
    k.a = a;
    k.a_pitch = TILE_M;
    return k;
}

/* One chunk of rows into the thread's tile buffer [TILE_M, TILE_N]. */
static void sum_chunk(const at_gemm_outer_job *g, float *buffer, const area *t, int64_t chunk)
{
    float *copy = buffer + TILE_M * TILE_N;
    const int64_t first = chunk * AT_GEMM_CHUNK, last = at_min(first + AT_GEMM_CHUNK, g->rows);
    const int64_t step = g->N <= NARROW ? KC_NARROW : KC;
    for (int64_t row = first; row < last; row += step) {
        const int64_t kc = at_min(step, last - row);
        const block k = reads_in_place(g) ? block_in_place(g, t, row) : block_with_copy(g, copy, t, row, kc);
        for (int64_t i = 0; i < t->rows; i += GEMM_MR)
            for (int64_t j = 0; j < t->cols; j += GEMM_NR) {
                const int64_t columns = at_min(GEMM_NR, t->cols - j), nv = at_ceil_div(columns, VL);
                micro[at_min(GEMM_MR, t->rows - i) - 1][nv - 1](
                    kc, k.a + i, k.a_pitch, k.b + j, k.b_pitch, buffer + i * TILE_N + j, TILE_N,
                    k.whole ? VL : columns - (nv - 1) * VL, row > first);
            }
    }
}

static void tile(void *arg, int64_t index, int thread)
{
    const walk *w = arg;
    const at_gemm_outer_job *g = w->g;
    float *buffer = (float *)(void *)(g->thread_scratch + (size_t)thread * g->thread_stride);
    const int64_t tiles = w->tiles_m * w->tiles_n, chunk = index / tiles;
    const area t = area_of(g, w->tiles_n, index % tiles, TILE_M, TILE_N);
    sum_chunk(g, buffer, &t, chunk);
    for (int64_t i = 0; i < t.rows; i++) {
        const float *from = buffer + i * TILE_N;
        if (w->chunks == 1)
            gemm_put_columns(g, t.m + i, from, t.n, t.cols, g->accumulate);
        else
            memcpy(g->partial + (chunk * g->M + t.m + i) * g->N + t.n, from, (size_t)t.cols * sizeof(float));
    }
}

/* Row m of C: the chunks' partial rows, in order. */
static void reduce_row(void *arg, int64_t m, int thread)
{
    (void)thread;
    const walk *w = arg;
    const at_gemm_outer_job *g = w->g;
    float *sums = g->partial + m * g->N;
    for (int64_t chunk = 1; chunk < w->chunks; chunk++) gemm_add_row(sums, sums + chunk * g->M * g->N, g->N);
    gemm_put_row(g, m, sums);
}

/* ---- Large C ---- */

typedef struct large {
    const at_gemm_outer_job *g;
    float *a, *b; /* panels of the block's rows */
    float *sum;   /* [M,N]: C itself, unless its columns lie in another order */
    int64_t row, kc;
    int64_t parts_a, tiles_n;
    bool add; /* to the sum */
} large;

/* Rows lie pages apart, where the processor does not look ahead by itself. */
INLINE void prefetch_row(const at_element *row, int64_t n)
{
    for (int64_t i = 0; i < n; i += 64 / (int64_t)sizeof *row) __builtin_prefetch(row + i);
}

/* One row's n elements into panels of `width`, padded with zeros. */
INLINE void pack_row(float *out, int64_t panel, const at_element *from, int64_t n, const int width)
{
    for (; n >= width; n -= width, out += panel, from += width)
        for (int i = 0; i < width; i++) out[i] = at_element_value(from[i]);
    for (int64_t i = 0; n > 0 && i < width; i++) out[i] = i < n ? at_element_value(from[i]) : 0.0f;
}

/* Rows of [kc, n] elements into panels. */
INLINE void pack_rows(float *out, const at_element *from, int64_t pitch, int64_t kc, int64_t n,
                      const int width)
{
    for (int64_t i = 0; i < kc; i++, out += width, from += pitch) {
        prefetch_row(from + AHEAD * pitch, n);
        pack_row(out, width * kc, from, n, width);
    }
}

static void pack_loaded(const large *w, float *out, float *copy, int64_t col, int64_t cols)
{
    w->g->b.load(w->g->b.arg, copy, cols, w->row, w->kc, col, cols);
    for (int64_t i = 0; i < w->kc; i++, copy += cols)
        for (int64_t j = 0; j < cols; j += GEMM_NR) {
            float *to = out + j * w->kc + i * GEMM_NR;
            const int64_t n = at_min(GEMM_NR, cols - j);
            for (int64_t l = 0; l < n; l++) to[l] = copy[j + l];
            for (int64_t l = n; l < GEMM_NR; l++) to[l] = 0.0f;
        }
}

/* Parts of A, then of B. */
static void pack_part(void *arg, int64_t part, int thread)
{
    const large *w = arg;
    const at_gemm_outer_job *g = w->g;
    if (part < w->parts_a) {
        const int64_t m = part * PACKED_A * GEMM_MR, n = at_min(PACKED_A * GEMM_MR, g->M - m);
        pack_rows(w->a + m * w->kc, (const at_element *)g->a + w->row * g->a_pitch + m, g->a_pitch, w->kc, n,
                  GEMM_MR);
        return;
    }
    const int64_t n = (part - w->parts_a) * PACKED_B * GEMM_NR, cols = at_min(PACKED_B * GEMM_NR, g->N - n);
    if (g->b.load)
        pack_loaded(w, w->b + n * w->kc,
                    (float *)(void *)(g->thread_scratch + (size_t)thread * g->thread_stride), n, cols);
    else
        pack_rows(w->b + n * w->kc, (const at_element *)g->b.data + w->row * g->b.pitch + n, g->b.pitch,
                  w->kc, cols, GEMM_NR);
}

/* The last columns of C, where whole vectors would reach into the next row. */
static void edge(const large *w, micro_fn run, const float *a, const float *b, float *c, int64_t rows,
                 int64_t cols)
{
    float sums[GEMM_MR * GEMM_NR];
    run(w->kc, a, GEMM_MR, b, GEMM_NR, sums, GEMM_NR, VL, false);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < cols; j++) {
            float *p = &c[i * w->g->N + j];
            *p = w->add ? *p + sums[i * GEMM_NR + j] : sums[i * GEMM_NR + j];
        }
}

static void large_tile(void *arg, int64_t index, int thread)
{
    (void)thread;
    const large *w = arg;
    const area t = area_of(w->g, w->tiles_n, index, LARGE_M, LARGE_N);
    for (int64_t j = 0; j < t.cols; j += GEMM_NR)
        for (int64_t i = 0; i < t.rows; i += GEMM_MR) {
            const int64_t rows = at_min(GEMM_MR, t.rows - i), cols = at_min(GEMM_NR, t.cols - j);
            const float *a = w->a + (t.m + i) * w->kc, *b = w->b + (t.n + j) * w->kc;
            float *c = w->sum + (t.m + i) * w->g->N + t.n + j;
            const micro_fn run = micro[rows - 1][at_ceil_div(cols, VL) - 1];
            if (cols % VL)
                edge(w, run, a, b, c, rows, cols);
            else
                run(w->kc, a, GEMM_MR, b, GEMM_NR, c, w->g->N, VL, w->add);
        }
}

static void reorder_row(void *arg, int64_t m, int thread)
{
    (void)thread;
    const large *w = arg;
    gemm_put_row(w->g, m, w->sum + m * w->g->N);
}

static void sum_large(const at_gemm_outer_job *g)
{
    const bool reorders = g->taps > 1;
    const int64_t a_columns = at_round_up(g->M, GEMM_MR), b_columns = at_round_up(g->N, GEMM_NR);
    large w = {
        .g = g, .parts_a = at_ceil_div(g->M, PACKED_A * GEMM_MR), .tiles_n = at_ceil_div(g->N, LARGE_N)};
    w.a = g->partial;
    w.b = w.a + a_columns * KC;
    w.sum = reorders ? w.b + b_columns * KC : g->c;
    for (w.row = 0; w.row < g->rows; w.row += KC) {
        w.kc = at_min(KC, g->rows - w.row);
        w.add = w.row > 0 || (g->accumulate && !reorders);
        at_parallel_for(g->pool, w.parts_a + at_ceil_div(g->N, PACKED_B * GEMM_NR), pack_part, &w);
        at_parallel_for(g->pool, at_ceil_div(g->M, LARGE_M) * w.tiles_n, large_tile, &w);
    }
    if (reorders) at_parallel_for(g->pool, g->M, reorder_row, &w);
}

/* ---- Both ---- */

/* By the size of C alone, so that bits do not depend on the rows. */
static bool is_large(int64_t M, int64_t N)
{
    return M * N >= LARGE_C;
}

void AT_SIMD(at_gemm_outer_scratch)(int64_t rows, int64_t M, int64_t N, bool loads, const at_gemm_taps *taps,
                                    size_t *shared, size_t *thread)
{
    (void)taps;
    const int64_t chunks = at_ceil_div(rows, AT_GEMM_CHUNK);
    int64_t all = chunks > 1 ? chunks * M * N : 0,
            own =
                (TILE_M + KC) * TILE_N + (GEMM_WIDENS ? KC * TILE_M : 0); /* a tile of C, copies of B and A */
    if (is_large(M, N)) {
        all = KC * (at_round_up(M, GEMM_MR) + at_round_up(N, GEMM_NR)) + (loads ? M * N : 0);
        own = loads ? KC * PACKED : 0;
    }
    *shared = (size_t)all * sizeof(float);
    *thread = (size_t)own * sizeof(float);
}

void AT_SIMD(at_gemm_outer)(const at_gemm_outer_job *g)
{
    if (g->rows == 0) {
        if (!g->accumulate) memset(g->c, 0, (size_t)(g->M * g->N) * sizeof(float));
        return;
    }
    if (is_large(g->M, g->N)) {
        sum_large(g);
        return;
    }
    walk w = {.g = g,
              .chunks = at_ceil_div(g->rows, AT_GEMM_CHUNK),
              .tiles_m = at_ceil_div(g->M, TILE_M),
              .tiles_n = at_ceil_div(g->N, TILE_N)};
    at_parallel_for(g->pool, w.tiles_m * w.tiles_n * w.chunks, tile, &w);
    if (w.chunks > 1) at_parallel_for(g->pool, g->M, reduce_row, &w);
}

#endif
