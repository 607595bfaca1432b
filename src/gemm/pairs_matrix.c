/* pairs_matrix.c: C = A B with B in packed panels, by units that multiply pairs of bf16.
 *
 * A tile is up to PAIRS_MB rows by PAIRS_NB columns of C. Within it, for each PAIRS_KC of K, every panel
 * meets all rows (pairs_simd.h). A is read where it lies, but for its last step where K is not whole steps;
 * or, where that pays or it comes through a loader, from a dense copy of the tile's rows. Sums of all panels
 * wait in the thread's memory where K is longer than PAIRS_KC. Reading path: at_gemm, tile, part_of_k,
 * place_a. */
#include "gemm/pairs_simd.h"

#if GEMM_PAIRS

enum {
    DENSE = 8 * GEMM_NR,    /* so many columns pay for a dense copy of A, whose rows lie pages apart */
    A_GAP = PAIRS_SIDE,     /* between rows of the copy, which are then not a multiple of 4 KiB apart */
    AHEAD = 8,              /* rows that are fetched before they are copied */
    TAIL_ROWS = PAIRS_SIDE, /* a tile's last block may begin so far before the tile */
};

typedef struct walk {
    const at_gemm_job *g;
    pairs_cut cut;
    int64_t tiles_n;
    bool streams, stages; /* C past the caches; from a tile's rows in scratch */
    size_t stage;         /* where these are */
} walk;

typedef struct area { /* of C */
    int64_t m, rows, n, cols;
} area;

/* Are rows of C whole lines, each of which one block writes? Of GEMM_NR / 2 columns two rows are one. */
static bool fills_lines(int64_t N)
{
    return N % GEMM_NR == 0 || N == GEMM_NR / 2;
}

static int64_t copy_pitch(int64_t K)
{
    return at_min(at_round_up(K, PAIRS_SIDE), PAIRS_KC) + A_GAP;
}

static size_t copy_bytes(int64_t K)
{
    return (size_t)((PAIRS_MB + TAIL_ROWS) * copy_pitch(K)) * sizeof(uint16_t);
}

/* Rows that are not whole lines wait here, a tile of them. */
static size_t stage_bytes(int64_t N)
{
    return fills_lines(N) || N > PAIRS_NB ? 0 : (size_t)(PAIRS_MB * N) * sizeof(at_element);
}

size_t AT_SIMD(at_gemm_thread_scratch)(int64_t K, int64_t N)
{
    const int64_t waiting = PAIRS_MB * at_min(PAIRS_NB, at_round_up(N, GEMM_NR)), passing = 2 * PAIRS_BLOCK;
    return copy_bytes(K) + (size_t)(K > PAIRS_KC ? waiting : passing) * sizeof(float) + stage_bytes(N);
}

/* n elements, then zeros to whole steps: what lies behind A's rows may be NaN, and 0 * NaN is. */
static inline void copy_padded(uint16_t *out, const uint16_t *from, int64_t n)
{
    const int64_t whole = n / PAIRS_SIDE * PAIRS_SIDE;
    memcpy(out, from, (size_t)whole * sizeof *out);
    if (n > whole) *(vp_unaligned *)(out + whole) = load_elements(from + whole, n - whole);
}

/* Columns [k, k + kc) of the tile's rows. */
static void copy_a(const at_gemm_job *g, uint16_t *out, const area *t, int64_t k, int64_t kc)
{
    const int64_t pitch = copy_pitch(g->K), all = at_round_up(kc, PAIRS_SIDE);
    if (!g->a.load) {
        const uint16_t *from = (const uint16_t *)g->a.data + t->m * g->a.pitch + k;
        for (int64_t i = 0; i < t->rows; i++, from += g->a.pitch) {
            for (int64_t j = 0; j < kc; j += 32) fetch_to_l2(from + AHEAD * g->a.pitch + j);
            copy_padded(out + i * pitch, from, kc);
        }
        return;
    }
    g->a.load(g->a.arg, out, pitch, t->m, t->rows, k, kc);
    for (int64_t i = 0; i < t->rows && all > kc; i++)
        memset(out + i * pitch + kc, 0, (size_t)(all - kc) * sizeof *out);
}

static void place_copy(const at_gemm_job *g, pairs_stripe *s, uint16_t *buffer, const area *t, int64_t k,
                       int64_t kc)
{
    copy_a(g, buffer, t, k, kc);
    s->a = buffer;
    s->pitch = s->block_pitch = copy_pitch(g->K);
    s->last_start = INT64_MAX;
}

/* Read in place, a last block of less than PAIRS_SIDE rows begins earlier, within A. What its first rows give
 * is not used, so the tail may lack them. */
static void place_rows(const at_gemm_job *g, pairs_stripe *s, uint16_t *buffer, const area *t, int64_t k,
                       int64_t kc)
{
    const int64_t whole = kc / PAIRS_SIDE * PAIRS_SIDE;
    s->a = (const uint16_t *)g->a.data + t->m * g->a.pitch + k;
    s->pitch = s->block_pitch = g->a.pitch;
    s->last_start = g->M - PAIRS_SIDE - t->m;
    if (whole == kc) return;
    uint16_t *tail = buffer + TAIL_ROWS * PAIRS_SIDE;
    for (int64_t i = 0; i < t->rows; i++)
        copy_padded(tail + i * PAIRS_SIDE, s->a + i * s->pitch + whole, kc - whole);
    s->tail = tail;
}

/* One PAIRS_KC of K, for all panels of the tile. */
static void part_of_k(const walk *w, char *scratch, const area *t, at_element *c, int64_t k)
{
    const at_gemm_job *g = w->g;
    const int64_t kc = at_min(PAIRS_KC, g->K - k), panel = gemm_panel_size(g->K);
    const bool dense = g->a.load || g->M < PAIRS_SIDE || t->cols >= DENSE, one_part = g->K <= PAIRS_KC;
    pairs_stripe s = {.step = PAIRS_SIDE,
                      .rows = t->rows,
                      .steps = at_ceil_div(kc, PAIRS_SIDE),
                      .ahead = !dense,
                      .sums = (float *)(void *)(scratch + copy_bytes(g->K)),
                      .sums_mask = one_part ? 1 : -1,
                      .add = k > 0,
                      .b = (const uint16_t *)g->b + t->n / GEMM_NR * panel + k * GEMM_NR};
    (dense ? place_copy : place_rows)(g, &s, (uint16_t *)(void *)scratch, t, k, kc);
    for (int64_t n = 0; n < t->cols; n += GEMM_NR) {
        const pairs_target target = {.c = c + n,
                                     .pitch = g->c_pitch,
                                     .columns = at_min(GEMM_NR, t->cols - n),
                                     .bias = g->bias ? g->bias + t->n + n : NULL,
                                     .accumulate = g->accumulate,
                                     .streams = w->streams && !w->stages};
        s.target = k + kc == g->K ? &target : NULL;
        s.next = n + GEMM_NR < t->cols ? s.b + panel : NULL;
        pairs_stripe_run(&s);
        s.ahead = false;
        s.b += panel;
        if (!one_part) s.sums += PAIRS_MB * GEMM_NR;
    }
}

/* n elements, whole lines of which are streamed. */
static void stream_copy(at_element *to, const at_element *from, int64_t n)
{
    int64_t i = 0;
    for (; i + PAIRS_SIDE <= n; i += PAIRS_SIDE)
        vf_stream((float *)(void *)(to + i), vf_load((const float *)(const void *)(from + i)));
    memcpy(to + i, from + i, (size_t)(n - i) * sizeof *to);
}

static void tile(void *arg, int64_t index, int thread)
{
    const walk *w = arg;
    const at_gemm_job *g = w->g;
    char *scratch = g->thread_scratch + (size_t)thread * g->thread_stride;
    area t = {.m = index / w->tiles_n * w->cut.m, .n = index % w->tiles_n * w->cut.n};
    t.rows = at_min(w->cut.m, g->M - t.m);
    t.cols = at_min(w->cut.n, g->N - t.n);
    tiles_begin();
    at_element *c = (at_element *)g->c + t.m * g->c_pitch + t.n,
               *to = w->stages ? (at_element *)(void *)(scratch + w->stage) : c;
    for (int64_t k = 0; k < g->K; k += PAIRS_KC) part_of_k(w, scratch, &t, to, k);
    tiles_end();
    if (w->stages) stream_copy(c, to, t.rows * g->N);
    if (w->streams) vf_stream_end();
}

/* K = 0: the product is zero. */
static void no_terms(const at_gemm_job *g)
{
    static const float zero[GEMM_NR];
    for (int64_t m = 0; m < g->M; m++)
        for (int64_t n = 0; n < g->N; n += GEMM_NR) {
            const pairs_target t = {.columns = at_min(GEMM_NR, g->N - n),
                                    .bias = g->bias ? g->bias + n : NULL,
                                    .accumulate = g->accumulate};
            finish_row(&t, zero, (at_element *)g->c + m * g->c_pitch + n, false);
        }
}

void AT_SIMD(at_gemm)(const at_gemm_job *job)
{
    if (job->K == 0) {
        no_terms(job);
        return;
    }
    walk w = {.g = job, .cut = pairs_cut_for(job->M, job->N, at_pool_threads(job->pool))};
    w.tiles_n = at_ceil_div(job->N, w.cut.n);
    w.streams = gemm_streams(job) && (fills_lines(job->N) || w.tiles_n == 1);
    w.stages = w.streams && !fills_lines(job->N);
    w.stage = AT_SIMD(at_gemm_thread_scratch)(job->K, job->N) - stage_bytes(job->N);
    at_parallel_for(job->pool, at_ceil_div(job->M, w.cut.m) * w.tiles_n, tile, &w);
}

#else
typedef int pairs_matrix_is_not_empty;
#endif
