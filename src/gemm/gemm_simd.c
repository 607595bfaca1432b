/* gemm_simd.c: C = A B with B in packed panels.
 *
 * A tile is up to MB rows by NB columns of C. Within it, for each block of KC: GEMM_MR rows of A, read where
 * they lie or through a loader into a dense buffer, stay in L1 and meet every panel of B, which streams from
 * L2. The micro-kernel keeps GEMM_MR x GEMM_NR of C in registers over the block. Reading path: at_gemm, tile,
 * block_row, micro. */
#include "gemm/gemm_simd.h"

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

INLINE void store_tile(const int mr, const int nv, vf (*acc)[GEMM_NV], float *c, int64_t c_pitch,
                       const int64_t lanes, bool add, const float *bias)
{
#pragma GCC unroll 16
    for (int i = 0; i < mr; i++)
#pragma GCC unroll 4
        for (int j = 0; j < nv; j++) {
            float *p = c + i * c_pitch + j * VL;
            const int64_t n = j + 1 < nv ? VL : lanes;
            vf x = acc[i][j];
            if (add) x = vf_load_n(p, n) + x;
            if (bias) x += vf_load_n(bias + j * VL, n);
            vf_store_n(p, x, n);
        }
}

/* C[mr, nv vectors] = A-block times panel (+ C when add, + bias). The last vector has `lanes` columns. */
INLINE void micro_body(const int mr, const int nv, int64_t kc, const float *a, int64_t lda, const float *b,
                       float *c, int64_t c_pitch, int64_t lanes, bool add, const float *bias)
{
    vf acc[GEMM_MR][GEMM_NV];
#pragma GCC unroll 16
    for (int i = 0; i < mr; i++)
#pragma GCC unroll 4
        for (int j = 0; j < nv; j++) acc[i][j] = (vf){0};
    for (int64_t k = 0; k < kc; k++) {
        vf bv[GEMM_NV];
        __builtin_prefetch(b + (k + AHEAD) * GEMM_NR); /* across page ends, where the hardware stops: +5 % */
        if (nv > 1) __builtin_prefetch(b + (k + AHEAD) * GEMM_NR + VL);
#pragma GCC unroll 4
        for (int j = 0; j < nv; j++) bv[j] = *(const vf *)(b + k * GEMM_NR + j * VL);
#pragma GCC unroll 16
        for (int i = 0; i < mr; i++) {
            const vf av = vf_set(a[i * lda + k]);
#pragma GCC unroll 4
            for (int j = 0; j < nv; j++) acc[i][j] += av * bv[j];
        }
    }
    if (lanes == VL) {
        store_tile(mr, nv, acc, c, c_pitch, VL, add, bias);
    } else {
        store_tile(mr, nv, acc, c, c_pitch, lanes, add, bias);
    }
}

typedef void (*micro_fn)(int64_t kc, const float *a, int64_t lda, const float *b, float *c, int64_t c_pitch,
                         int64_t lanes, bool add, const float *bias);

#define MICRO(mr)                                                                                            \
    static void micro_##mr##_1(int64_t kc, const float *a, int64_t lda, const float *b, float *c,            \
                               int64_t c_pitch, int64_t lanes, bool add, const float *bias)                  \
    {                                                                                                        \
        micro_body(mr, 1, kc, a, lda, b, c, c_pitch, lanes, add, bias);                                      \
    }                                                                                                        \
    static void micro_##mr##_2(int64_t kc, const float *a, int64_t lda, const float *b, float *c,            \
                               int64_t c_pitch, int64_t lanes, bool add, const float *bias)                  \
    {                                                                                                        \
        micro_body(mr, 2, kc, a, lda, b, c, c_pitch, lanes, add, bias);                                      \
    }
#define ENTRY(mr) {micro_##mr##_1, micro_##mr##_2},

GEMM_FOR_EVERY_MR(MICRO)
static const micro_fn micro[GEMM_MR][GEMM_NV] = {GEMM_FOR_EVERY_MR(ENTRY)};

static void load_a(const at_gemm_matrix *a, float *out, int64_t row, int64_t rows, int64_t k, int64_t kc)
{
    if (a->load) {
        a->load(a->arg, out, A_LD, row, rows, k, kc);
        return;
    }
    for (int64_t i = 0; i < rows; i++)
        memcpy(out + i * A_LD, a->data + (row + i) * a->pitch + k, (size_t)kc * sizeof(float));
}

/* Up to GEMM_MR rows of C against all panels of the tile, one block of K. */
static void block_row(const at_gemm_job *g, float *buffer, int64_t m, int64_t n_first, int64_t n_last,
                      int64_t k)
{
    const int64_t rows = at_min(GEMM_MR, g->M - m), kc = at_min(AT_GEMM_KC, g->K - k);
    const bool add = k > 0 || g->accumulate, last = k + kc == g->K;
    const bool dense = g->a.load || n_last - n_first >= DENSE;
    const float *a = dense ? buffer : g->a.data + m * g->a.pitch + k;
    const int64_t lda = dense ? A_LD : g->a.pitch;
    if (dense) load_a(&g->a, buffer, m, rows, k, kc);
    for (int64_t n = n_first; n < n_last; n += GEMM_NR) {
        const int64_t columns = at_min(GEMM_NR, g->N - n), nv = at_ceil_div(columns, VL);
        micro[rows - 1][nv - 1](kc, a, lda, g->b + n * g->K + k * GEMM_NR, g->c + m * g->c_pitch + n,
                                g->c_pitch, columns - (nv - 1) * VL, add,
                                last && g->bias ? g->bias + n : NULL);
    }
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
    const int64_t m_first = index / w->tiles_n * w->tile_m, m_last = at_min(m_first + w->tile_m, g->M);
    const int64_t n_first = index % w->tiles_n * NB, n_last = at_min(n_first + NB, g->N);
    for (int64_t k = 0; k < g->K; k += AT_GEMM_KC)
        for (int64_t m = m_first; m < m_last; m += GEMM_MR) block_row(g, a, m, n_first, n_last, k);
}

/* K = 0: the product is zero. */
static void no_terms(const at_gemm_job *g)
{
    for (int64_t m = 0; m < g->M; m++)
        for (int64_t n = 0; n < g->N; n++) {
            float *c = g->c + m * g->c_pitch + n;
            *c = (g->accumulate ? *c : 0.0f) + (g->bias ? g->bias[n] : 0.0f);
        }
}

size_t AT_SIMD(at_gemm_thread_scratch)(void)
{
    return GEMM_MR * A_LD * sizeof(float);
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
