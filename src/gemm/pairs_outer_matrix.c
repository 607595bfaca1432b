/* pairs_outer_matrix.c: C = sum over rows of A[r,:]^T B[r,:], the product of weight gradients, by units that
 * multiply pairs of bf16. Pairs are neighbours in the sum, which here runs over rows: both operands are
 * packed first, B as panels, A transposed to blocks of 32 columns. Rows are padded with zeros to whole steps.
 *
 * Rows are cut into chunks. Large C: a chunk is packed by all threads into shared memory, then each adds its
 * tiles of C. Small C: threads take chunks, pack some rows at a time for themselves and sum all of C into
 * `partial`, which is then added up by chunk. Both add in the same order. Reading path: at_gemm_outer,
 * sum_large, serial_chunk, pack_part, add_products; then parallel_chunk. */
#include "gemm/pairs_simd.h"

#if GEMM_PAIRS

enum {
    LARGE_C = 64 << 10,                      /* sums */
    PART = 16,                               /* panels that are packed at a time */
    LOADED = PART * PAIRS_SIDE + PAIRS_SIDE, /* pitch of what a loader writes: not a multiple of 1 KiB */
    AHEAD = 2 * PAIRS_SIDE,                  /* elements of a row that are fetched before they are packed */
};

/* Rows of both operands: steps x PAIRS_BLOCK numbers a panel of 32 columns. */
typedef struct packed {
    uint16_t *a, *b, *loaded;
    int64_t steps;
    bool whole_rows; /* one thread packs all of each row */
} packed;

typedef struct area { /* of C */
    int64_t m, rows, n, cols;
} area;

typedef struct walk {
    const at_gemm_outer_job *g;
    int64_t chunks, chunk, tiles_n, parts;
    pairs_cut cut;
    packed p;          /* the chunk, where all threads share it */
    float *sum;        /* C, or where columns are not in its order yet, dense [M,N] in `partial` */
    bool add, streams; /* to what sum holds; past the caches */
} walk;

/* ---- Packing ---- */

/* rows x cols (at most 32 x 32), padded with zeros, to 16 rows of 32 pairs. */
AT_FORCE_INLINE void interleave(uint16_t *out, const uint16_t *from, int64_t pitch, int64_t rows,
                                int64_t cols, int64_t ahead)
{
    const vp low = {0, 32, 1, 33, 2,  34, 3,  35, 4,  36, 5,  37, 6,  38, 7,  39,
                    8, 40, 9, 41, 10, 42, 11, 43, 12, 44, 13, 45, 14, 46, 15, 47};
    const vp high = low + 16;
    for (int64_t r = 0; r < PAIRS_SIDE; r += 2, out += 2 * PAIRS_SIDE) {
        vp x = {0}, y = {0};
        fetch_to_l2(from + r * pitch + ahead);
        fetch_to_l2(from + (r + 1) * pitch + ahead);
        if (r < rows) x = load_elements(from + r * pitch, cols);
        if (r + 1 < rows) y = load_elements(from + (r + 1) * pitch, cols);
        *(vp *)out = AT_SHUFFLE(x, y, low);
        *(vp *)(out + PAIRS_SIDE) = AT_SHUFFLE(x, y, high);
    }
}

/* Exchange what lies off the diagonal in squares of 2 x distance: after distances 1, 2, 4, 8 rows are
 * columns.
 */
AT_FORCE_INLINE void exchange(vw *row, const uint32_t distance)
{
    const vw lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    const vw right = (vw)((lane & distance) != 0);
    const vw upper = (right & (lane + 16 - distance)) | (~right & lane),
             lower = (right & (lane + 16)) | (~right & (lane + distance));
#pragma GCC unroll 16
    for (uint32_t i = 0; i < 16; i++) {
        if (i & distance) continue;
        const vw x = row[i], y = row[i + distance];
        row[i] = AT_SHUFFLE(x, y, upper);
        row[i + distance] = AT_SHUFFLE(x, y, lower);
    }
}

/* 16 rows of 32 pairs to 32 rows of 16 pairs. */
AT_FORCE_INLINE void transpose(uint16_t *out, const uint16_t *from)
{
    for (int64_t half = 0; half < 2; half++, from += PAIRS_SIDE, out += PAIRS_BLOCK / 2) {
        vw row[16];
#pragma GCC unroll 16
        for (int64_t i = 0; i < 16; i++) row[i] = *(const vw *)(from + i * 2 * PAIRS_SIDE);
        exchange(row, 1);
        exchange(row, 2);
        exchange(row, 4);
        exchange(row, 8);
#pragma GCC unroll 16
        for (int64_t i = 0; i < 16; i++) *(vw *)(out + i * PAIRS_SIDE) = row[i];
    }
}

/* To what is packed a little later: of the same row, or the rows of the next step. */
static int64_t ahead(const packed *p, int64_t pitch)
{
    return p->whole_rows ? PAIRS_SIDE * pitch : AHEAD;
}

static void pack_a(const at_gemm_outer_job *g, const packed *p, int64_t step, int64_t row, int64_t rows,
                   int64_t panel)
{
    uint16_t pairs[PAIRS_BLOCK] __attribute__((aligned(64)));
    const int64_t col = panel * PAIRS_SIDE;
    interleave(pairs, (const uint16_t *)g->a + row * g->a_pitch + col, g->a_pitch, rows, g->M - col,
               ahead(p, g->a_pitch));
    transpose(p->a + (panel * p->steps + step) * PAIRS_BLOCK, pairs);
}

static void pack_b(const at_gemm_outer_job *g, const packed *p, int64_t step, int64_t row, int64_t rows,
                   int64_t first, int64_t last)
{
    const int64_t col = first * PAIRS_SIDE, cols = at_min(last * PAIRS_SIDE, g->N) - col;
    const uint16_t *from = p->loaded;
    int64_t pitch = LOADED, fetched = 0; /* the loader's rows are near */
    if (g->b.load) {
        g->b.load(g->b.arg, p->loaded, LOADED, row, rows, col, cols);
    } else {
        pitch = g->b.pitch;
        from = (const uint16_t *)g->b.data + row * pitch + col;
        fetched = ahead(p, pitch);
    }
    for (int64_t i = 0; i < last - first; i++)
        interleave(p->b + ((first + i) * p->steps + step) * PAIRS_BLOCK, from + i * PAIRS_SIDE, pitch, rows,
                   cols - i * PAIRS_SIDE, fetched);
}

static int64_t panels(int64_t columns)
{
    return at_ceil_div(columns, PAIRS_SIDE);
}

/* One step of up to PART panels, which are counted through A and then B. */
static void pack_part(const at_gemm_outer_job *g, const packed *p, int64_t step, int64_t row, int64_t rows,
                      int64_t part)
{
    const int64_t n_a = panels(g->M), first = part * PART, last = at_min(first + PART, n_a + panels(g->N));
    for (int64_t i = first; i < at_min(last, n_a); i++) pack_a(g, p, step, row, rows, i);
    if (last > n_a) pack_b(g, p, step, row, rows, at_max(first - n_a, 0), last - n_a);
}

/* ---- Sums ---- */

/* Steps [first, last) of the packed rows into the tile's sums: [panel][block]. */
static void add_products(const packed *p, float *sums, const area *t, int64_t first, int64_t last, bool add)
{
    const int64_t panel = p->steps * PAIRS_BLOCK;
    pairs_stripe s = {.a = p->a + t->m / PAIRS_SIDE * panel + first * PAIRS_BLOCK,
                      .block_pitch = panel / PAIRS_SIDE,
                      .pitch = PAIRS_SIDE,
                      .step = PAIRS_BLOCK,
                      .b = p->b + t->n / PAIRS_SIDE * panel + first * PAIRS_BLOCK,
                      .rows = t->rows,
                      .steps = last - first,
                      .last_start = INT64_MAX,
                      .sums = sums,
                      .sums_mask = -1,
                      .add = add};
    for (int64_t n = 0; n < t->cols; n += PAIRS_SIDE) {
        s.next = n + PAIRS_SIDE < t->cols ? s.b + panel : NULL;
        pairs_stripe_run(&s);
        s.b += panel;
        s.sums += panels(t->rows) * PAIRS_BLOCK;
    }
}

static const float *sums_at(const float *sums, const area *t, int64_t row, int64_t col)
{
    const int64_t block = col / PAIRS_SIDE * panels(t->rows) + row / PAIRS_SIDE;
    return sums + block * PAIRS_BLOCK + row % PAIRS_SIDE * PAIRS_SIDE;
}

/* The tile's sums into, or onto, the rows of w->sum. */
static void put_tile(const walk *w, const float *sums, const area *t)
{
    const int64_t N = w->g->N;
    for (int64_t i = 0; i < t->rows; i++) {
        float *to = w->sum + (t->m + i) * N + t->n;
        for (int64_t j = 0; j < t->cols; j += VL) {
            const int64_t n = at_min(VL, t->cols - j);
            vf x = vf_load(sums_at(sums, t, i, j) + j % PAIRS_SIDE);
            if (w->add) x = vf_load_n(to + j, n) + x;
            if (w->streams)
                vf_stream(to + j, x);
            else
                vf_store_n(to + j, x, n);
        }
    }
}

static int64_t rows_behind(const at_gemm_outer_job *g, int64_t row, int64_t most)
{
    return at_min(most, g->rows - row);
}

/* ---- Large C ---- */

/* Of a chunk of both operands. */
static size_t packed_bytes(int64_t rows, int64_t M, int64_t N)
{
    const int64_t most = at_min(at_round_up(rows, PAIRS_SIDE), AT_GEMM_CHUNK);
    return (size_t)(most * (panels(M) + panels(N)) * PAIRS_SIDE) * sizeof(uint16_t);
}

static void pack_task(void *arg, int64_t index, int thread)
{
    const walk *w = arg;
    const at_gemm_outer_job *g = w->g;
    const int64_t step = index / w->parts, row = w->chunk * AT_GEMM_CHUNK + step * PAIRS_SIDE;
    packed p = w->p;
    p.loaded = (uint16_t *)(void *)(g->thread_scratch + (size_t)thread * g->thread_stride);
    pack_part(g, &p, step, row, rows_behind(g, row, PAIRS_SIDE), index % w->parts);
}

static void tile_task(void *arg, int64_t index, int thread)
{
    const walk *w = arg;
    const at_gemm_outer_job *g = w->g;
    float *sums = (float *)(void *)(g->thread_scratch + (size_t)thread * g->thread_stride);
    area t = {.m = index / w->tiles_n * w->cut.m, .n = index % w->tiles_n * w->cut.n};
    t.rows = at_min(w->cut.m, g->M - t.m);
    t.cols = at_min(w->cut.n, g->N - t.n);
    tiles_begin();
    for (int64_t k = 0; k < w->p.steps; k += PAIRS_KC / PAIRS_SIDE)
        add_products(&w->p, sums, &t, k, at_min(k + PAIRS_KC / PAIRS_SIDE, w->p.steps), k > 0);
    tiles_end();
    put_tile(w, sums, &t);
    if (w->streams) vf_stream_end();
}

static void serial_chunk(walk *w, int64_t chunk)
{
    const at_gemm_outer_job *g = w->g;
    const int64_t rows = rows_behind(g, chunk * AT_GEMM_CHUNK, AT_GEMM_CHUNK);
    w->chunk = chunk;
    w->add = chunk > 0 || (g->accumulate && w->sum == g->c);
    w->p.steps = at_ceil_div(rows, PAIRS_SIDE);
    w->p.a = (uint16_t *)(void *)g->partial;
    w->p.b = w->p.a + panels(g->M) * w->p.steps * PAIRS_BLOCK;
    at_parallel_for(g->pool, w->p.steps * w->parts, pack_task, w);
    at_parallel_for(g->pool, at_ceil_div(g->M, w->cut.m) * w->tiles_n, tile_task, w);
}

static void reorder_row(void *arg, int64_t m, int thread)
{
    (void)thread;
    const walk *w = arg;
    gemm_put_columns(w->g, m, w->sum + m * w->g->N, 0, w->g->N, w->g->accumulate);
}

/* All chunks. */
static void sum_large(walk *w)
{
    const at_gemm_outer_job *g = w->g;
    const bool reorders = g->taps > 1;
    w->cut = pairs_cut_for(g->M, g->N, at_pool_threads(g->pool));
    w->tiles_n = at_ceil_div(g->N, w->cut.n);
    w->sum = reorders ? g->partial + packed_bytes(g->rows, g->M, g->N) / sizeof(float) : g->c;
    w->streams = !reorders && !g->accumulate && w->chunks == 1 && g->N % VL == 0 &&
                 vf_streams(g->c, g->M * g->N * (int64_t)sizeof(float));
    for (int64_t chunk = 0; chunk < w->chunks; chunk++) serial_chunk(w, chunk);
    if (reorders) at_parallel_for(g->pool, g->M, reorder_row, w);
}

/* ---- Small C ---- */

static void parallel_chunk(void *arg, int64_t chunk, int thread)
{
    const walk *w = arg;
    const at_gemm_outer_job *g = w->g;
    const int64_t first = chunk * AT_GEMM_CHUNK, last = first + rows_behind(g, first, AT_GEMM_CHUNK);
    const area all = {.rows = g->M, .cols = g->N};
    float *sums = (float *)(void *)(g->thread_scratch + (size_t)thread * g->thread_stride);
    packed p = {.whole_rows = true, .a = (uint16_t *)(sums + panels(g->M) * panels(g->N) * PAIRS_BLOCK)};
    p.b = p.a + panels(g->M) * PAIRS_SIDE * PAIRS_KC;
    p.loaded = p.b + panels(g->N) * PAIRS_SIDE * PAIRS_KC;
    tiles_begin();
    for (int64_t row = first; row < last; row += PAIRS_KC) {
        p.steps = at_ceil_div(at_min(PAIRS_KC, last - row), PAIRS_SIDE);
        for (int64_t i = 0; i < p.steps; i++)
            for (int64_t part = 0; part < w->parts; part++)
                pack_part(g, &p, i, row + i * PAIRS_SIDE, at_min(PAIRS_SIDE, last - row - i * PAIRS_SIDE),
                          part);
        add_products(&p, sums, &all, 0, p.steps, row > first);
    }
    tiles_end();
    for (int64_t m = 0; m < g->M; m++)
        for (int64_t n = 0; n < g->N; n += PAIRS_SIDE)
            memcpy(g->partial + (chunk * g->M + m) * g->N + n, sums_at(sums, &all, m, n),
                   (size_t)at_min(PAIRS_SIDE, g->N - n) * sizeof(float));
}

/* Row m of C: the chunks' partial rows, in order. */
static void reduce_row(void *arg, int64_t m, int thread)
{
    (void)thread;
    const walk *w = arg;
    const at_gemm_outer_job *g = w->g;
    float *sums = g->partial + m * g->N;
    for (int64_t chunk = 1; chunk < w->chunks; chunk++) gemm_add_row(sums, sums + chunk * g->M * g->N, g->N);
    gemm_put_columns(g, m, sums, 0, g->N, g->accumulate);
}

/* ---- Both ---- */

static bool is_serial(int64_t rows, int64_t M, int64_t N)
{
    return rows <= AT_GEMM_CHUNK || panels(M) * panels(N) * PAIRS_BLOCK >= LARGE_C;
}

/* Fewer rows than the most may take the other way. */
void AT_SIMD(at_gemm_outer_scratch)(int64_t rows, int64_t M, int64_t N, bool loads, size_t *shared,
                                    size_t *thread)
{
    const int64_t m = panels(M) * PAIRS_SIDE, n = panels(N) * PAIRS_SIDE,
                  loaded = loads ? PAIRS_SIDE * LOADED : 0;
    *shared = packed_bytes(rows, M, N) + (size_t)(loads ? M * N : 0) * sizeof(float);
    *thread = (size_t)at_max(at_min(m, PAIRS_MB) * at_min(n, PAIRS_NB) * 2, loaded) * sizeof(uint16_t);
    if (is_serial(rows, M, N)) return;
    const size_t partial = (size_t)(at_ceil_div(rows, AT_GEMM_CHUNK) * M * N) * sizeof(float);
    if (partial > *shared) *shared = partial;
    *thread = (size_t)(m * n * 2 + (m + n) * PAIRS_KC + loaded) * sizeof(uint16_t);
}

void AT_SIMD(at_gemm_outer)(const at_gemm_outer_job *g)
{
    walk w = {.g = g, .chunks = at_ceil_div(g->rows, AT_GEMM_CHUNK)};
    w.parts = at_ceil_div(panels(g->M) + panels(g->N), PART);
    if (g->rows == 0) {
        if (!g->accumulate) memset(g->c, 0, (size_t)(g->M * g->N) * sizeof(float));
        return;
    }
    if (is_serial(g->rows, g->M, g->N)) {
        sum_large(&w);
        return;
    }
    at_parallel_for(g->pool, w.chunks, parallel_chunk, &w);
    at_parallel_for(g->pool, g->M, reduce_row, &w);
}

#else
typedef int pairs_outer_matrix_is_not_empty;
#endif
