/* gemm_matrix.c: C = A B with B in packed panels, by multiply-adds of floats.
 *
 * A tile is up to MB rows by NB columns of C. Within it, for each block of KC: GEMM_MR rows of A, read where
 * they lie or as floats in a dense buffer, stay in L1 and meet every panel of B, which streams from L2. The
 * micro-kernel keeps GEMM_MR x GEMM_NR of C in registers over the block; or, where C has one vector of
 * columns more than a panel, fewer rows of both panels at once. Sums of blocks wait in C itself, or, where C
 * is bf16 and would round them, in the thread's buffer. Reading path: at_gemm, tile, block_row, micro. */
#include "gemm/gemm_simd.h"

#if !GEMM_PAIRS

enum {
    AHEAD = 16,
    A_LD = AT_GEMM_KC + 16, /* rows of the A buffer: not a multiple of 4 KiB apart */
    MB = 24 * GEMM_MR,      /* rows a tile: enough to pay for reading B's panels from L3 */
    MB_LEAST = 4 * GEMM_MR, /* the same where there are few */
    TILES = 16,             /* so many share the work evenly */
    NB = 16 * GEMM_NR,      /* columns a tile: KC x NB floats of B stay in L2 */
    DENSE = 8 * GEMM_NR,    /* so many columns of C pay for a dense copy of A's rows, which lie pages apart */
};

#define INLINE static inline __attribute__((always_inline))

enum { APART = GEMM_WIDENS }; /* sums of blocks are kept apart from C, which would round them */

/* Where a block's sums go. */
typedef struct target {
    float *sums; /* APART: of the blocks of K so far, NB apart */
    bool first, last;
    at_element *c;
    int64_t c_pitch;
    bool add;          /* to what C holds */
    bool streams;      /* C goes past the caches */
    const float *bias; /* NULL = none, or not yet */
} target;

INLINE void put_vector(const target *t, int64_t i, int64_t j, vf x, const int64_t lanes)
{
    if (APART) {
        float *sum = t->sums + i * NB + j;
        if (!t->first) x = vf_load_n(sum, lanes) + x;
        if (!t->last) {
            vf_store_n(sum, x, lanes);
            return;
        }
    }
    at_element *c = t->c + i * t->c_pitch + j;
    if (t->add) x = va_load_n(c, lanes) + x;
    if (t->bias) x += vf_load_n(t->bias + j, lanes);
    va_put_n(c, x, lanes, t->streams);
}

/* A tile that is not full, from memory: one function for all of them, which would be most of the code. */
static __attribute__((noinline)) void store_part(int mr, int nv, vf (*acc)[GEMM_NV + 1], const target *t,
                                                 int64_t lanes)
{
    for (int i = 0; i < mr; i++)
        for (int j = 0; j < nv; j++) put_vector(t, i, j * VL, acc[i][j], j + 1 < nv ? VL : lanes);
}

INLINE void store_tile(const int mr, const int nv, vf (*acc)[GEMM_NV + 1], const target *t, int64_t lanes)
{
    if (lanes < VL || mr < (nv > GEMM_NV ? GEMM_MR_OF_3 : GEMM_MR)) {
        vf part[GEMM_MR][GEMM_NV + 1];
#pragma GCC unroll 16
        for (int i = 0; i < mr; i++)
#pragma GCC unroll 4
            for (int j = 0; j < nv; j++) part[i][j] = acc[i][j];
        store_part(mr, nv, part, t, lanes);
        return;
    }
#pragma GCC unroll 16
    for (int i = 0; i < mr; i++)
#pragma GCC unroll 4
        for (int j = 0; j < nv; j++) put_vector(t, i, j * VL, acc[i][j], VL);
}

/* C[mr, nv vectors] = A-block times panel; the third vector is the first one of the panel behind, `next`
 * floats on. The last vector has `lanes` columns. */
INLINE void micro_body(const int mr, const int nv, int64_t kc, const float *a, int64_t lda, const float *b,
                       int64_t next, const target *t, int64_t lanes)
{
    vf acc[GEMM_MR][GEMM_NV + 1];
#pragma GCC unroll 16
    for (int i = 0; i < mr; i++)
#pragma GCC unroll 4
        for (int j = 0; j < nv; j++) acc[i][j] = (vf){0};
    for (int64_t k = 0; k < kc; k++) {
        vf bv[GEMM_NV + 1];
        __builtin_prefetch(b + (k + AHEAD) * GEMM_NR); /* across page ends, where the hardware stops: +5 % */
        if (nv > 1) __builtin_prefetch(b + (k + AHEAD) * GEMM_NR + VL);
#pragma GCC unroll 4
        for (int j = 0; j < nv; j++) bv[j] = *(const vf *)(b + k * GEMM_NR + (j < GEMM_NV ? j * VL : next));
#pragma GCC unroll 16
        for (int i = 0; i < mr; i++) {
            const vf av = vf_set(a[i * lda + k]);
#pragma GCC unroll 4
            for (int j = 0; j < nv; j++) acc[i][j] += av * bv[j];
        }
    }
    store_tile(mr, nv, acc, t, lanes);
}

typedef void (*micro_fn)(int64_t kc, const float *a, int64_t lda, const float *b, int64_t next,
                         const target *t, int64_t lanes);

#define MICRO(mr, nv)                                                                                        \
    static void micro_##mr##_##nv(int64_t kc, const float *a, int64_t lda, const float *b, int64_t next,     \
                                  const target *t, int64_t lanes)                                            \
    {                                                                                                        \
        micro_body(mr, nv, kc, a, lda, b, next, t, lanes);                                                   \
    }
#define MICROS(mr)  MICRO(mr, 1) MICRO(mr, 2)
#define MICRO_3(mr) MICRO(mr, 3)
#define ENTRY(mr)   {micro_##mr##_1, micro_##mr##_2},
#define ENTRY_3(mr) micro_##mr##_3,

GEMM_FOR_EVERY_MR(MICROS)
GEMM_FOR_EVERY_MR_OF_3(MICRO_3)
static const micro_fn micro[GEMM_MR][GEMM_NV] = {GEMM_FOR_EVERY_MR(ENTRY)};
static const micro_fn micro_3[GEMM_MR_OF_3] = {GEMM_FOR_EVERY_MR_OF_3(ENTRY_3)};

/* The panel behind the first would keep half of the registers idle. */
static bool takes_three(int64_t N)
{
    return N > GEMM_NR && N <= GEMM_NR + VL;
}

static int64_t rows_at_once(int64_t N)
{
    return takes_three(N) ? GEMM_MR_OF_3 : GEMM_MR;
}

static void load_a(const at_gemm_matrix *a, float *out, int64_t row, int64_t rows, int64_t k, int64_t kc)
{
    if (a->load) {
        a->load(a->arg, out, A_LD, row, rows, k, kc);
        return;
    }
    for (int64_t i = 0; i < rows; i++)
        gemm_copy(out + i * A_LD, (const at_element *)a->data + (row + i) * a->pitch + k, kc);
}

/* A may be read where it lies: it holds floats, and too few columns of C use it to pay for a dense copy. */
static bool reads_in_place(const at_gemm_job *g, int64_t columns)
{
    return !APART && !g->a.load && columns < DENSE;
}

/* Whole lines, each written once. */
static bool streams(const at_gemm_job *g)
{
    return !APART && g->K <= AT_GEMM_KC && g->N % GEMM_NR == 0 && gemm_streams(g);
}

/* Up to rows_at_once rows of C against all panels of the tile, one block of K. */
static void block_row(const at_gemm_job *g, float *buffer, float *sums, int64_t m, int64_t rows,
                      int64_t n_first, int64_t n_last, int64_t k)
{
    const int64_t kc = at_min(AT_GEMM_KC, g->K - k);
    const int64_t panel = gemm_panel_size(g->K), width = takes_three(g->N) ? GEMM_NR + VL : GEMM_NR;
    const float *a = buffer;
    int64_t lda = A_LD;
    if (reads_in_place(g, n_last - n_first)) {
        a = (const float *)g->a.data + m * g->a.pitch + k;
        lda = g->a.pitch;
    } else {
        load_a(&g->a, buffer, m, rows, k, kc);
    }
    target t = {.first = k == 0, .last = k + kc == g->K, .c_pitch = g->c_pitch};
    t.add = g->accumulate || (!APART && !t.first);
    t.streams = streams(g);
    for (int64_t n = n_first; n < n_last; n += width) {
        const int64_t columns = at_min(width, g->N - n), nv = at_ceil_div(columns, VL);
        const micro_fn run = nv > GEMM_NV ? micro_3[rows - 1] : micro[rows - 1][nv - 1];
        t.sums = sums + (n - n_first);
        t.c = (at_element *)g->c + m * g->c_pitch + n;
        t.bias = t.last && g->bias ? g->bias + n : NULL;
        run(kc, a, lda, (const float *)g->b + n / GEMM_NR * panel + k * GEMM_NR, panel, &t,
            columns - (nv - 1) * VL);
    }
    if (t.last && g->then) g->then(g->then_arg, m, rows, n_first, n_last - n_first);
}

typedef struct walk {
    at_gemm_job g;
    int64_t tile_m, tiles_n;
} walk;

static void tile(void *arg, int64_t index, int thread)
{
    const walk *w = arg;
    const at_gemm_job *g = &w->g;
    float *a = (float *)(void *)(g->thread_scratch + (size_t)thread * g->thread_stride);
    float *sums = a + GEMM_MR * A_LD;
    const int64_t m_first = index / w->tiles_n * w->tile_m, m_last = at_min(m_first + w->tile_m, g->M);
    const int64_t n_first = index % w->tiles_n * NB, n_last = at_min(n_first + NB, g->N);
    const int64_t most = rows_at_once(g->N);
    for (int64_t k = 0; k < g->K; k += AT_GEMM_KC)
        for (int64_t m = m_first; m < m_last; m += most)
            block_row(g, a, sums + (APART ? (m - m_first) * NB : 0), m, at_min(most, m_last - m), n_first,
                      n_last, k);
    if (streams(g)) vf_stream_end();
}

/* K = 0: the product is zero. */
static void no_terms(const at_gemm_job *g)
{
    for (int64_t m = 0; m < g->M; m++)
        for (int64_t n = 0; n < g->N; n++) {
            at_element *c = (at_element *)g->c + m * g->c_pitch + n;
            const float sum = (g->accumulate ? at_element_value(*c) : 0.0f) + (g->bias ? g->bias[n] : 0.0f);
            *c = at_element_of(sum);
        }
    if (g->then) g->then(g->then_arg, 0, g->M, 0, g->N);
}

size_t AT_SIMD(at_gemm_thread_scratch)(int64_t K, int64_t N, const at_gemm_taps *taps)
{
    (void)N, (void)taps;
    const int64_t sums = APART && K > AT_GEMM_KC ? MB * NB : 0;
    return (size_t)(GEMM_MR * A_LD + sums) * sizeof(float);
}

void AT_SIMD(at_gemm)(const at_gemm_job *job)
{
    if (job->K == 0) {
        no_terms(job);
        return;
    }
    walk w = {.g = *job, .tile_m = MB, .tiles_n = at_ceil_div(job->N, NB)};
    while (w.tile_m > MB_LEAST && at_ceil_div(job->M, w.tile_m) * w.tiles_n < TILES) w.tile_m /= 2;
    at_parallel_for(job->pool, at_ceil_div(job->M, w.tile_m) * w.tiles_n, tile, &w);
}

#endif
