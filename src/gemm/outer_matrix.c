/* outer_matrix.c: C = sum over rows of A[r,:]^T B[r,:], the product of weight gradients, by multiply-adds of
 * floats. Both operands lie by rows: the micro-kernel takes GEMM_MR elements of A and GEMM_NV vectors of B a
 * row. Where C is large, or they are bf16, they are packed first as floats, for their rows lie pages apart;
 * else they are read where they are.
 *
 * Rows are cut into chunks. A tile is (chunk, some rows of C, OUTER_N columns of C), summed in the thread's
 * buffer. Small C: tiles of all chunks run in parallel into `partial`, which is then added up by chunk. Large
 * C has tiles enough without: each walks through the chunks and adds to C itself. Both add in the same order.
 */
#include "gemm/gemm_simd.h"

#if !GEMM_PAIRS
enum {
    AHEAD = 8,
    KC = 256, /* rows a block: what a tile touches of A and B stays in L2 */
    KC_PACKED =
        200, /* the same beside the packed forms and a larger tile; panels not a multiple of 4 KiB apart */
    KC_NARROW = 64, /* few columns: each row of A is read again soon, from L1 */
    NARROW = 64,    /* columns */
    OUTER_M = 8 * GEMM_MR,
    OUTER_M_PACKED = (GEMM_MR > 6 ? 8 : 16) * GEMM_MR, /* rows of C that pay for packing B */
    OUTER_N = 256,
    LARGE_C = 64 << 10, /* elements */
};

#define INLINE static inline __attribute__((always_inline))

/* c[mr, nv vectors] (+)= sum_k a[k, 0..mr) b[k, ...]; the last vector of B has `lanes` columns. c is a tile
 * buffer. */
INLINE void micro_body(const int mr, const int nv, int64_t kc, const float *a, int64_t a_pitch,
                       const float *b, int64_t b_pitch, float *c, int64_t lanes, bool add)
{
    vf acc[GEMM_MR][GEMM_NV];
#pragma GCC unroll 16
    for (int i = 0; i < mr; i++)
#pragma GCC unroll 4
        for (int j = 0; j < nv; j++) acc[i][j] = (vf){0};
    for (int64_t k = 0; k < kc; k++) {
        vf bv[GEMM_NV];
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
            float *p = c + i * OUTER_N + j * VL;
            vf x = acc[i][j];
            if (add) x = vf_load(p) + x;
            vf_store(p, x);
        }
}

typedef void (*micro_fn)(int64_t kc, const float *a, int64_t a_pitch, const float *b, int64_t b_pitch,
                         float *c, int64_t lanes, bool add);

#define MICRO(mr)                                                                                            \
    static void micro_##mr##_1(int64_t kc, const float *a, int64_t a_pitch, const float *b, int64_t b_pitch, \
                               float *c, int64_t lanes, bool add)                                            \
    {                                                                                                        \
        micro_body(mr, 1, kc, a, a_pitch, b, b_pitch, c, lanes, add);                                        \
    }                                                                                                        \
    static void micro_##mr##_2(int64_t kc, const float *a, int64_t a_pitch, const float *b, int64_t b_pitch, \
                               float *c, int64_t lanes, bool add)                                            \
    {                                                                                                        \
        micro_body(mr, 2, kc, a, a_pitch, b, b_pitch, c, lanes, add);                                        \
    }
#define ENTRY(mr) {micro_##mr##_1, micro_##mr##_2},

GEMM_FOR_EVERY_MR(MICRO)
static const micro_fn micro[GEMM_MR][GEMM_NV] = {GEMM_FOR_EVERY_MR(ENTRY)};

typedef struct walk {
    const at_gemm_outer_job *g;
    int64_t chunks, tile_m, tiles_m, tiles_n; /* tile_m: rows of C a tile */
    bool serial;                              /* each tile walks through the chunks */
    bool packed;
} walk;

typedef struct area { /* of C */
    int64_t m, rows, n, cols;
} area;

static area area_of(const walk *w, int64_t index)
{
    area t = {.m = index / w->tiles_n * w->tile_m, .n = index % w->tiles_n * OUTER_N};
    t.rows = at_min(w->tile_m, w->g->M - t.m);
    t.cols = at_min(OUTER_N, w->g->N - t.n);
    return t;
}

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
    int64_t a_panel, b_panel; /* from panel to panel */
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
                   .b_pitch = g->b.pitch,
                   .a_panel = GEMM_MR,
                   .b_panel = GEMM_NR};
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
    float *a = copy + KC * OUTER_N;
    for (int64_t i = 0; i < kc; i++) gemm_copy(a + i * OUTER_M, a_at(g, t, row + i), t->rows);
    k.a = a;
    k.a_pitch = OUTER_M;
    return k;
}

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

static block block_packed(const at_gemm_outer_job *g, float *pack, const area *t, int64_t row, int64_t kc)
{
    float *a = pack, *b = pack + OUTER_M_PACKED * KC_PACKED;
    const block to = {a, b, GEMM_MR, GEMM_NR, GEMM_MR * kc, GEMM_NR * kc, true};
    for (int64_t i = 0; i < kc; i++) {
        prefetch_row(a_at(g, t, row + i + AHEAD), t->rows);
        prefetch_row(b_at(g, t, row + i + AHEAD), t->cols);
        pack_row(a + i * GEMM_MR, to.a_panel, a_at(g, t, row + i), t->rows, GEMM_MR);
        pack_row(b + i * GEMM_NR, to.b_panel, b_at(g, t, row + i), t->cols, GEMM_NR);
    }
    return to;
}

/* One chunk of rows into the thread's tile buffer [tile_m, OUTER_N]. */
static void sum_chunk(const walk *w, float *buffer, const area *t, int64_t chunk)
{
    const at_gemm_outer_job *g = w->g;
    float *scratch = buffer + w->tile_m * OUTER_N;
    const int64_t first = chunk * AT_GEMM_CHUNK, last = at_min(first + AT_GEMM_CHUNK, g->rows);
    const int64_t step = w->packed ? KC_PACKED : g->N <= NARROW ? KC_NARROW : KC;
    for (int64_t row = first; row < last; row += step) {
        const int64_t kc = at_min(step, last - row);
        const block k = w->packed           ? block_packed(g, scratch, t, row, kc)
                        : reads_in_place(g) ? block_in_place(g, t, row)
                                            : block_with_copy(g, scratch, t, row, kc);
        for (int64_t i = 0; i < t->rows; i += GEMM_MR)
            for (int64_t j = 0; j < t->cols; j += GEMM_NR) {
                const int64_t columns = at_min(GEMM_NR, t->cols - j), nv = at_ceil_div(columns, VL);
                micro[at_min(GEMM_MR, t->rows - i) - 1][nv - 1](
                    kc, k.a + i / GEMM_MR * k.a_panel, k.a_pitch, k.b + j / GEMM_NR * k.b_panel, k.b_pitch,
                    buffer + i * OUTER_N + j, k.whole ? VL : columns - (nv - 1) * VL, row > first);
            }
    }
}

/* Column of C for column n of B: files keep convolution weights channel by channel, B has them tap by tap. */
static int64_t column_of(const at_gemm_outer_job *g, int64_t n)
{
    const int64_t channels = g->N / g->taps;
    return g->taps == 1 ? n : n % channels * g->taps + n / channels;
}

static void add_tile(const at_gemm_outer_job *g, const float *buffer, const area *t, bool add)
{
    for (int64_t i = 0; i < t->rows; i++) {
        float *c = g->c + (t->m + i) * g->N;
        const float *from = buffer + i * OUTER_N;
        for (int64_t j = 0; j < t->cols; j++) {
            float *p = &c[column_of(g, t->n + j)];
            *p = add ? *p + from[j] : from[j];
        }
    }
}

static void tile(void *arg, int64_t index, int thread)
{
    const walk *w = arg;
    const at_gemm_outer_job *g = w->g;
    float *buffer = (float *)(void *)(g->thread_scratch + (size_t)thread * g->thread_stride);
    const int64_t tiles = w->tiles_m * w->tiles_n;
    const area t = area_of(w, index % tiles);
    if (w->serial) {
        for (int64_t chunk = 0; chunk < w->chunks; chunk++) {
            sum_chunk(w, buffer, &t, chunk);
            add_tile(g, buffer, &t, chunk > 0 || g->accumulate);
        }
        return;
    }
    const int64_t chunk = index / tiles;
    sum_chunk(w, buffer, &t, chunk);
    for (int64_t i = 0; i < t.rows; i++)
        memcpy(g->partial + (chunk * g->M + t.m + i) * g->N + t.n, buffer + i * OUTER_N,
               (size_t)t.cols * sizeof(float));
}

/* Row m of C: the chunks' partial rows, in order. */
static void reduce_row(void *arg, int64_t m, int thread)
{
    (void)thread;
    const walk *w = arg;
    const at_gemm_outer_job *g = w->g;
    float *c = g->c + m * g->N;
    for (int64_t chunk = 0; chunk < w->chunks; chunk++) {
        const float *from = g->partial + (chunk * g->M + m) * g->N;
        const bool add = chunk > 0 || g->accumulate;
        for (int64_t n = 0; n < g->N; n++) {
            float *p = &c[column_of(g, n)];
            *p = add ? *p + from[n] : from[n];
        }
    }
}

static bool is_serial(int64_t rows, int64_t M, int64_t N)
{
    return M * N >= LARGE_C || rows <= AT_GEMM_CHUNK;
}

/* By the size of C alone, so that bits do not depend on the rows. */
static bool is_packed(int64_t M, int64_t N, bool loads)
{
    return !loads && (GEMM_WIDENS || (M * N >= LARGE_C && M >= OUTER_M_PACKED));
}

void AT_SIMD(at_gemm_outer_scratch)(int64_t rows, int64_t M, int64_t N, bool loads, size_t *shared,
                                    size_t *thread)
{
    *shared = is_serial(rows, M, N) ? 0 : (size_t)(at_ceil_div(rows, AT_GEMM_CHUNK) * M * N) * sizeof(float);
    int64_t floats =
        (OUTER_M + KC) * OUTER_N + (GEMM_WIDENS ? KC * OUTER_M : 0); /* a tile of C, copies of B and A */
    if (is_packed(M, N, loads)) floats = OUTER_M_PACKED * OUTER_N + (OUTER_M_PACKED + OUTER_N) * KC_PACKED;
    *thread = (size_t)floats * sizeof(float);
}

void AT_SIMD(at_gemm_outer)(const at_gemm_outer_job *g)
{
    walk w = {.g = g, .chunks = at_ceil_div(g->rows, AT_GEMM_CHUNK)};
    w.packed = is_packed(g->M, g->N, g->b.load != NULL);
    w.tile_m = w.packed ? OUTER_M_PACKED : OUTER_M;
    w.tiles_m = at_ceil_div(g->M, w.tile_m);
    w.tiles_n = at_ceil_div(g->N, OUTER_N);
    w.serial = is_serial(g->rows, g->M, g->N);
    if (g->rows == 0) {
        if (!g->accumulate) memset(g->c, 0, (size_t)(g->M * g->N) * sizeof(float));
        return;
    }
    at_parallel_for(g->pool, w.tiles_m * w.tiles_n * (w.serial ? 1 : w.chunks), tile, &w);
    if (!w.serial) at_parallel_for(g->pool, g->M, reduce_row, &w);
}

#endif
