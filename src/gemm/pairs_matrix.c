/* pairs_matrix.c: C = A B with B in packed panels, by units that multiply pairs of bf16.
 *
 * A tile is up to PAIRS_MB rows by PAIRS_NB columns of C. Within it, for each part of K, every panel
 * meets all rows (pairs_simd.h). A is read where it lies, but for its last step where K is not whole steps;
 * or, where that pays or it comes through a loader, from a dense copy of the tile's rows; or, where it is
 * pictures seen through many taps, from their strip (strip.h), of whose positions the tile then has up to
 * PAIRS_MB. Sums of all panels wait in the thread's memory where K is longer than PAIRS_KC. Reading path:
 * at_gemm, tile, part_of_k, place_rows. */
#include "gemm/pairs_simd.h"
#include "gemm/strip.h"

#if GEMM_PAIRS

enum {
    DENSE = 8 * GEMM_NR,    /* so many columns pay for a dense copy of A, whose rows lie pages apart */
    A_GAP = PAIRS_SIDE,     /* between rows of the copy, which are then not a multiple of 4 KiB apart */
    AHEAD = 8,              /* rows that are fetched before they are copied */
    TAIL_ROWS = PAIRS_SIDE, /* a tile's last block may begin so far before the tile */
    STRIP_WORTH = 32,       /* columns of B: to copy a pixel takes as long as its products with so many */
};

typedef struct walk {
    const at_gemm_job *g;
    pairs_cut cut;
    int64_t tiles_n;
    bool streams, stages; /* C past the caches; from a tile's rows in scratch */
    const strip *strip;   /* NULL: A is rows of C */
    int64_t first, rows;  /* of A: rows of C, or positions of the strip */
} walk;

typedef struct area { /* of C; rows of A, counted from w->first */
    int64_t m, rows, n, cols;
} area;

/* Are rows of C whole lines, each of which one block writes? Of GEMM_NR / 2 columns two rows are one. */
static bool fills_lines(int64_t N)
{
    return N % GEMM_NR == 0 || N == GEMM_NR / 2;
}

static int64_t copy_pitch(int64_t K)
{
    return pairs_part(K) + A_GAP;
}

static size_t copy_bytes(int64_t K)
{
    return (size_t)((PAIRS_MB + TAIL_ROWS) * copy_pitch(K)) * sizeof(uint16_t);
}

static bool takes_strip(const strip *s, int64_t N)
{
    return strip_pays(s, 1, at_min(N, PAIRS_NB), STRIP_WORTH);
}

/* Elements from position to position, so that those of a tile are not a multiple of 512 bytes apart. */
static int64_t strip_pitch(const strip *s)
{
    return s->of.channels + A_GAP;
}

/* Of one phase. */
static int64_t strip_size(const strip *s)
{
    return (PAIRS_MB + PAIRS_SIDE + s->reach) * strip_pitch(s);
}

static size_t strip_bytes(const strip *s)
{
    return (size_t)at_round_up(strip_phases(s) * strip_size(s), PAIRS_SIDE) * sizeof(uint16_t);
}

/* Rows that are not whole lines wait here, a tile of them. */
static size_t stage_bytes(int64_t N)
{
    return fills_lines(N) || N > PAIRS_NB ? 0 : (size_t)(PAIRS_MB * N) * sizeof(at_element);
}

/* Sums. */
static size_t sums_bytes(int64_t K, int64_t N)
{
    const int64_t waiting = PAIRS_MB * at_min(PAIRS_NB, at_round_up(N, GEMM_NR)), passing = 2 * PAIRS_BLOCK;
    return (size_t)(K > PAIRS_KC ? waiting : passing) * sizeof(float);
}

size_t AT_SIMD(at_gemm_thread_scratch)(int64_t K, int64_t N, const at_gemm_taps *taps)
{
    size_t operand = copy_bytes(K);
    if (taps) {
        const strip s = strip_of(taps);
        if (takes_strip(&s, N)) operand = strip_bytes(&s);
    }
    return sums_bytes(K, N) + stage_bytes(N) + operand;
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

/* ---- Strips ---- */

static uint16_t *zero_rows(uint16_t *out, int64_t pitch, int64_t rows, int64_t n)
{
    for (int64_t i = 0; i < rows; i++, out += pitch) memset(out, 0, (size_t)n * sizeof *out);
    return out;
}

/* n elements a row: whole vectors. */
static uint16_t *copy_rows(uint16_t *out, int64_t pitch, const uint16_t *from, int64_t from_pitch,
                           int64_t rows, int64_t n)
{
    for (int64_t i = 0; i < rows; i++, out += pitch, from += from_pitch)
        for (int64_t j = 0; j < n; j += PAIRS_SIDE) *(vp *)(out + j) = *(const vp_unaligned *)(from + j);
    return out;
}

/* The tile's positions, and what they reach, of all phases. */
static void copy_strip(const strip *s, uint16_t *buffer, int64_t first, int64_t rows)
{
    const int64_t pitch = strip_pitch(s), C = s->of.channels, from_pitch = s->of.x.stride * s->of.pitch;
    for (int64_t phase = 0; phase < strip_phases(s); phase++) {
        uint16_t *out = buffer + phase * strip_size(s);
        strip_place at = strip_place_of(s, first);
        for (int64_t left = at_round_up(rows, PAIRS_SIDE) + s->reach; left > 0;) {
            const strip_pixels r = strip_pixels_at(s, phase, &at);
            const int64_t zeros = at_min(r.zeros, left), pixels = at_min(r.pixels, left - zeros),
                          others = at_min(r.others, left - zeros - pixels);
            out = zero_rows(out, pitch, zeros, C);
            out = copy_rows(out, pitch, (const uint16_t *)s->of.data + r.first, from_pitch, pixels, C);
            out = zero_rows(out, pitch, others, C);
            left -= zeros + pixels + others;
            strip_go(s, &at, zeros + pixels + others);
        }
    }
}

static void place_strip(const strip *t, pairs_stripe *s, const uint16_t *buffer, int64_t k)
{
    const int64_t C = t->of.channels;
    s->a = buffer;
    s->pitch = s->block_pitch = strip_pitch(t);
    s->last_start = INT64_MAX;
    for (int64_t i = 0; i < s->steps; i++, k += PAIRS_SIDE) {
        const strip_tap tap = strip_tap_at(t, k / C);
        s->step_at[i] = tap.phase * strip_size(t) + tap.offset * strip_pitch(t) + k % C;
    }
}

/* Which rows of C the tile's positions are, counted from the first of them, *first. How many they are. */
static int64_t rows_of_positions(const walk *w, const area *t, int32_t *place, int64_t *first)
{
    strip_place at = strip_place_of(w->strip, w->first + t->m);
    int64_t n = 0;
    for (int64_t i = 0; i < t->rows;) {
        const strip_rows r = strip_rows_at(w->strip, &at);
        const int64_t rows = at_min(r.rows, t->rows - i), others = at_min(r.others, t->rows - i - rows);
        if (n == 0) *first = r.first - w->strip->of.first;
        for (int64_t j = 0; j < rows; j++) place[i++] = (int32_t)n++;
        for (int64_t j = 0; j < others; j++) place[i++] = -1;
        strip_go(w->strip, &at, rows + others);
    }
    return n;
}

/* ---- Tiles of C ---- */

/* One part of K, for all panels of the tile. c, place: see pairs_target. */
static void part_of_k(const walk *w, char *scratch, const area *t, at_element *c, const int32_t *place,
                      int64_t k)
{
    const at_gemm_job *g = w->g;
    const int64_t kc = at_min(pairs_part(g->K), g->K - k), panel = gemm_panel_size(g->K);
    const bool dense = g->a.load || g->M < PAIRS_SIDE || t->cols >= DENSE, one_part = g->K <= PAIRS_KC;
    char *operand = scratch + sums_bytes(g->K, g->N) + stage_bytes(g->N);
    pairs_stripe s = {.rows = t->rows,
                      .steps = at_ceil_div(kc, PAIRS_SIDE),
                      .ahead = !dense,
                      .sums = (float *)(void *)scratch,
                      .sums_mask = one_part ? 1 : -1,
                      .add = k > 0,
                      .b = (const uint16_t *)g->b + t->n / GEMM_NR * panel + k * GEMM_NR};
    pairs_even_steps(&s, PAIRS_SIDE);
    if (w->strip)
        place_strip(w->strip, &s, (const uint16_t *)(void *)operand, k);
    else
        (dense ? place_copy : place_rows)(g, &s, (uint16_t *)(void *)operand, t, k, kc);
    for (int64_t n = 0; n < t->cols; n += GEMM_NR) {
        const pairs_target target = {.c = c + n,
                                     .place = place,
                                     .pitch = g->c_pitch,
                                     .columns = at_min(GEMM_NR, t->cols - n),
                                     .bias = g->bias ? g->bias + t->n + n : NULL,
                                     .accumulate = g->accumulate,
                                     .streams = w->streams && !w->stages,
                                     .then = g->then,
                                     .then_arg = g->then_arg,
                                     .row = t->m,
                                     .col = t->n + n};
        s.target = k + kc == g->K ? &target : NULL;
        s.next = n + GEMM_NR < t->cols ? s.b + panel : NULL;
        pairs_stripe_run(&s);
        s.ahead = false;
        s.b += panel;
        if (!one_part) s.sums += PAIRS_MB * GEMM_NR;
    }
}

/* n elements, whole lines of which are streamed; the rows of a strip's tile begin anywhere. */
static void stream_copy(at_element *to, const at_element *from, int64_t n)
{
    const int64_t before = (int64_t)(-(uintptr_t)to / sizeof *to % PAIRS_SIDE);
    int64_t i = at_min(n, before);
    memcpy(to, from, (size_t)i * sizeof *to);
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
    t.rows = at_min(w->cut.m, w->rows - t.m);
    t.cols = at_min(w->cut.n, g->N - t.n);
    int32_t place[PAIRS_MB];
    int64_t first = t.m, rows = t.rows; /* of C */
    if (w->strip) {
        rows = rows_of_positions(w, &t, place, &first);
        if (rows == 0) return;
        copy_strip(w->strip, (uint16_t *)(void *)(scratch + sums_bytes(g->K, g->N) + stage_bytes(g->N)),
                   w->first + t.m, t.rows);
    }
    at_element *c = (at_element *)g->c + first * g->c_pitch + t.n,
               *to = w->stages ? (at_element *)(void *)(scratch + sums_bytes(g->K, g->N)) : c;
    tiles_begin();
    for (int64_t k = 0; k < g->K; k += pairs_part(g->K))
        part_of_k(w, scratch, &t, to, w->strip ? place : NULL, k);
    tiles_end();
    if (w->stages) stream_copy(c, to, rows * g->N);
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
    if (g->then) g->then(g->then_arg, 0, g->M, 0, g->N);
}

void AT_SIMD(at_gemm)(const at_gemm_job *job)
{
    if (job->K == 0) {
        no_terms(job);
        return;
    }
    walk w = {.g = job, .rows = job->M};
    const strip s = job->a.taps ? strip_of(job->a.taps) : (strip){0};
    if (job->a.taps && takes_strip(&s, job->N)) {
        w.strip = &s;
        w.first = strip_position(&s, s.of.first);
        w.rows = job->M == 0 ? 0 : strip_position(&s, s.of.first + job->M - 1) + 1 - w.first;
    }
    w.cut = pairs_cut_for(w.rows, job->N, at_pool_threads(job->pool));
    w.tiles_n = at_ceil_div(job->N, w.cut.n);
    w.streams = gemm_streams(job) && (fills_lines(job->N) || w.tiles_n == 1);
    w.stages = w.streams && !fills_lines(job->N);
    at_parallel_for(job->pool, at_ceil_div(w.rows, w.cut.m) * w.tiles_n, tile, &w);
}

#else
typedef int pairs_matrix_is_not_empty;
#endif
