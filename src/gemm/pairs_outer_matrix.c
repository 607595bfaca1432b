/* pairs_outer_matrix.c: C = sum over rows of A[r,:]^T B[r,:], the product of weight gradients, by units that
 * multiply pairs of bf16. Pairs are neighbours in the sum, which here runs over rows: both operands are
 * packed first, B as panels, A transposed to blocks of 32 columns. Rows are padded with zeros to whole steps.
 * Where B is pictures seen through many taps, the sum runs over positions of their strip (strip.h), A being
 * zero where these are no rows: a panel for each tap is the same packed pixels, read from another pair on. Of
 * the strip there are two packings, for taps with an even and with an odd offset.
 *
 * Rows are cut into chunks. Large C: a chunk is packed by all threads into shared memory, then each adds its
 * tiles of C. Small C: threads take chunks, pack some rows at a time for themselves and sum all of C into
 * `partial`, which is then added up by chunk. Both add in the same order. Reading path: at_gemm_outer,
 * sum_large, serial_chunk, pack_part, add_products; then parallel_chunk. */
#include "gemm/pairs_simd.h"
#include "gemm/strip.h"

#if GEMM_PAIRS

enum {
    LARGE_C = 64 << 10,                      /* sums */
    PART = 16,                               /* panels that are packed at a time */
    LOADED = PART * PAIRS_SIDE + PAIRS_SIDE, /* pitch of what a loader writes: not a multiple of 1 KiB */
    AHEAD = 2 * PAIRS_SIDE,                  /* elements of a row that are fetched before they are packed */
    STRIP_WORTH =
        64, /* columns of A: to gather and pack a pixel takes as long as its products with so many */
};

/* Rows of both operands: steps x PAIRS_BLOCK numbers a panel of 32 columns. B of a strip: b_steps x
 * PAIRS_BLOCK numbers for each phase, parity of offsets and 32 channels. */
typedef struct packed {
    uint16_t *a, *b, *loaded;
    int64_t steps, b_steps;
    bool whole_rows; /* one thread packs all of each row */
} packed;

typedef struct area { /* of C */
    int64_t m, rows, n, cols;
} area;

typedef struct walk {
    const at_gemm_outer_job *g;
    const strip *strip; /* of B; NULL: none */
    int64_t rows;       /* of the sum: positions of the strip, if there is one */
    int64_t chunks, chunk, tiles_n, parts;
    pairs_cut cut;
    packed p;          /* the chunk, where all threads share it */
    float *sum;        /* C, or where columns are not in its order yet, dense [M,N] in `partial` */
    bool add, streams; /* to what sum holds; past the caches */
} walk;

/* ---- Packing ---- */

/* Where rows of a step lie; NULL: a row of zeros. One more than a step has, for pairs that begin with the
 * second. */
typedef struct row_list {
    const uint16_t *row[PAIRS_SIDE + 1];
} row_list;

static row_list rows_in_place(const uint16_t *from, int64_t pitch, int64_t rows)
{
    row_list r = {{0}};
    for (int64_t i = 0; i < rows; i++) r.row[i] = from + i * pitch;
    return r;
}

/* Rows of A at positions of a strip. */
static row_list rows_at_positions(const at_gemm_outer_job *g, const strip *s, int64_t position)
{
    row_list r = {{0}};
    strip_place at = strip_place_of(s, position);
    for (int64_t i = 0; i < PAIRS_SIDE;) {
        const strip_rows now = strip_rows_at(s, &at);
        const uint16_t *from = (const uint16_t *)g->a + now.first * g->a_pitch;
        for (int64_t j = 0; j < now.rows && i < PAIRS_SIDE; j++) r.row[i++] = from + j * g->a_pitch;
        i += now.others;
        strip_go(s, &at, now.rows + now.others);
    }
    return r;
}

/* Pixels at positions of a strip. */
static row_list pixels_at_positions(const strip *s, int64_t phase, int64_t position)
{
    row_list r = {{0}};
    strip_place at = strip_place_of(s, position);
    for (int64_t i = 0; i <= PAIRS_SIDE;) {
        const strip_pixels now = strip_pixels_at(s, phase, &at);
        const uint16_t *from = (const uint16_t *)s->of.data + now.first;
        const int64_t pitch = s->of.x.stride * s->of.pitch;
        i += now.zeros;
        for (int64_t j = 0; j < now.pixels && i <= PAIRS_SIDE; j++) r.row[i++] = from + j * pitch;
        i += now.others;
        strip_go(s, &at, now.zeros + now.pixels + now.others);
    }
    return r;
}

AT_FORCE_INLINE vp load_row(const uint16_t *row, int64_t col, int64_t cols, int64_t ahead)
{
    vp x = {0};
    if (!row) return x;
    fetch_to_l2(row + col + ahead);
    return load_elements(row + col, cols);
}

/* Columns [col, col + cols) of 32 rows (cols: more than 32 are not taken), padded with zeros, to 16 rows of
 * 32 pairs: those of even columns, then those of odd ones, which takes half as long as the order of columns.
 */
AT_FORCE_INLINE void interleave(uint16_t *out, const uint16_t *const *row, int64_t col, int64_t cols,
                                int64_t ahead)
{
    for (int64_t r = 0; r < PAIRS_SIDE; r += 2, out += 2 * PAIRS_SIDE) {
        const vw x = (vw)load_row(row[r], col, cols, ahead), y = (vw)load_row(row[r + 1], col, cols, ahead);
        *(vw *)out = (x & 0xffffu) | y << 16;
        *(vw *)(out + PAIRS_SIDE) = x >> 16 | (y & 0xffff0000u);
    }
}

typedef uint64_t vq __attribute__((vector_size(64), may_alias));

/* Exchange what lies off the diagonal in squares of 2 x distance: after distances 1, 2, 4, 8 rows are
 * columns. One port shuffles; distance 8 is left to loads, distance 1 to shifts.
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

AT_FORCE_INLINE void exchange_neighbours(vw *row)
{
#pragma GCC unroll 8
    for (int i = 0; i < 16; i += 2) {
        const vq x = (vq)row[i], y = (vq)row[i + 1];
        row[i] = (vw)((x & 0xffffffffu) | y << 32);
        row[i + 1] = (vw)(x >> 32 | (y & 0xffffffff00000000u));
    }
}

/* 8 pairs from each. */
AT_FORCE_INLINE vw load_halves(const uint16_t *low, const uint16_t *high)
{
#if defined(AT_EMULATE)
    vw x;
    memcpy(&x, low, sizeof x / 2);
    memcpy((char *)&x + sizeof x / 2, high, sizeof x / 2);
    return x;
#else
    const __m256i first = _mm256_load_si256((const void *)low), last = _mm256_load_si256((const void *)high);
    return (vw)_mm512_inserti64x4(_mm512_castsi256_si512(first), last, 1);
#endif
}

/* 16 rows of 32 pairs, as above, to 32 rows of 16 pairs, in the order of columns. */
AT_FORCE_INLINE void transpose(uint16_t *out, const uint16_t *from)
{
    for (int64_t half = 0; half < 2; half++, from += PAIRS_SIDE, out += PAIRS_SIDE) {
        vw row[16];
#pragma GCC unroll 8
        for (int64_t i = 0; i < 8; i++) {
            const uint16_t *upper = from + i * 2 * PAIRS_SIDE, *lower = upper + 8 * 2 * PAIRS_SIDE;
            row[i] = load_halves(upper, lower);
            row[i + 8] = load_halves(upper + 16, lower + 16);
        }
        exchange(row, 4);
        exchange(row, 2);
        exchange_neighbours(row);
#pragma GCC unroll 16
        for (int64_t i = 0; i < 16; i++) *(vw *)(out + i * 2 * PAIRS_SIDE) = row[i];
    }
}

/* To what is packed a little later: of the same row, or the rows of the next step. */
static int64_t ahead(const packed *p, int64_t pitch)
{
    return p->whole_rows ? PAIRS_SIDE * pitch : AHEAD;
}

static void pack_a(const at_gemm_outer_job *g, const packed *p, int64_t step, const row_list *rows,
                   int64_t panel)
{
    uint16_t pairs[PAIRS_BLOCK] __attribute__((aligned(64)));
    const int64_t col = panel * PAIRS_SIDE;
    interleave(pairs, rows->row, col, g->M - col, ahead(p, g->a_pitch));
    transpose(p->a + (panel * p->steps + step) * PAIRS_BLOCK, pairs);
}

static void pack_b(const at_gemm_outer_job *g, const packed *p, int64_t step, int64_t row, int64_t rows,
                   int64_t first, int64_t last)
{
    const int64_t col = first * PAIRS_SIDE, cols = at_min(last * PAIRS_SIDE, g->N) - col;
    int64_t fetched = 0; /* the loader's rows are near */
    row_list from;
    if (g->b.load) {
        g->b.load(g->b.arg, p->loaded, LOADED, row, rows, col, cols);
        from = rows_in_place(p->loaded, LOADED, rows);
    } else {
        from = rows_in_place((const uint16_t *)g->b.data + row * g->b.pitch + col, g->b.pitch, rows);
        fetched = ahead(p, g->b.pitch);
    }
    for (int64_t i = 0; i < last - first; i++)
        interleave(p->b + ((first + i) * p->steps + step) * PAIRS_BLOCK, from.row, i * PAIRS_SIDE,
                   cols - i * PAIRS_SIDE, fetched);
}

static int64_t panels(int64_t columns)
{
    return at_ceil_div(columns, PAIRS_SIDE);
}

/* One step of up to PART panels, which are counted through A and then B; of a strip's B there are none. */
static void pack_part(const walk *w, const packed *p, int64_t step, int64_t row, int64_t rows, int64_t part)
{
    const at_gemm_outer_job *g = w->g;
    const int64_t n_a = panels(g->M), n_b = w->strip ? 0 : panels(g->N);
    const int64_t first = part * PART, last = at_min(first + PART, n_a + n_b);
    if (first < n_a) {
        const row_list from =
            w->strip ? rows_at_positions(g, w->strip, row)
                     : rows_in_place((const uint16_t *)g->a + row * g->a_pitch, g->a_pitch, rows);
        for (int64_t i = first; i < at_min(last, n_a); i++) pack_a(g, p, step, &from, i);
    }
    if (last > n_a) pack_b(g, p, step, row, rows, at_max(first - n_a, 0), last - n_a);
}

/* ---- Strips ---- */

/* Steps of pixels that `steps` of positions reach; the last one holds what is left of an odd offset. */
static int64_t strip_steps(const strip *s, int64_t steps)
{
    return steps + s->reach / PAIRS_SIDE + 1;
}

static int64_t strip_packed_size(const strip *s, int64_t steps)
{
    return strip_phases(s) * 2 * panels(s->of.channels) * strip_steps(s, steps) * PAIRS_BLOCK;
}

/* 32 channels of a phase, for offsets of one parity. */
static uint16_t *strip_panel(const packed *p, const strip *s, int64_t phase, int64_t parity, int64_t panel)
{
    return p->b + ((phase * 2 + parity) * panels(s->of.channels) + panel) * p->b_steps * PAIRS_BLOCK;
}

/* One step of one phase; position: of the first one packed. */
static void pack_strip(const packed *p, const strip *s, int64_t phase, int64_t step, int64_t position)
{
    const row_list from = pixels_at_positions(s, phase, position + step * PAIRS_SIDE);
    for (int64_t i = 0; i < panels(s->of.channels); i++)
        for (int64_t parity = 0; parity < 2; parity++)
            interleave(strip_panel(p, s, phase, parity, i) + step * PAIRS_BLOCK, from.row + parity,
                       i * PAIRS_SIDE, PAIRS_SIDE, PAIRS_SIDE * s->of.x.stride * s->of.pitch);
}

/* Columns [32 i, 32 i + 32) of B. */
static const uint16_t *panel_of_b(const walk *w, const packed *p, int64_t i)
{
    if (!w->strip) return p->b + i * p->steps * PAIRS_BLOCK;
    const int64_t n = panels(w->strip->of.channels);
    const strip_tap tap = strip_tap_at(w->strip, i / n);
    return strip_panel(p, w->strip, tap.phase, tap.offset % 2, i % n) + tap.offset / 2 * 2 * PAIRS_SIDE;
}

/* ---- Sums ---- */

/* Steps [first, last) of the packed rows into the tile's sums: [panel][block]. */
static void add_products(const walk *w, const packed *p, float *sums, const area *t, int64_t first,
                         int64_t last, bool add)
{
    const int64_t panel = p->steps * PAIRS_BLOCK, begin = first * PAIRS_BLOCK;
    pairs_stripe s = {.a = p->a + t->m / PAIRS_SIDE * panel + begin,
                      .block_pitch = panel / PAIRS_SIDE,
                      .pitch = PAIRS_SIDE,
                      .rows = t->rows,
                      .steps = last - first,
                      .last_start = INT64_MAX,
                      .sums = sums,
                      .sums_mask = -1,
                      .add = add};
    pairs_even_steps(&s, PAIRS_BLOCK);
    s.next = panel_of_b(w, p, t->n / PAIRS_SIDE) + begin;
    for (int64_t n = 0; n < t->cols; n += PAIRS_SIDE) {
        s.b = s.next;
        s.next = n + PAIRS_SIDE < t->cols ? panel_of_b(w, p, (t->n + n) / PAIRS_SIDE + 1) + begin : NULL;
        pairs_stripe_run(&s);
        s.sums += panels(t->rows) * PAIRS_BLOCK;
    }
}

/* Columns [col, col + 2 VL) of a row, col a multiple of that. */
static void load_sums(vf out[2], const float *sums, const area *t, int64_t row, int64_t col)
{
    const int64_t block = col / PAIRS_SIDE * panels(t->rows) + row / PAIRS_SIDE;
    const float *from = sums + block * PAIRS_BLOCK + row % PAIRS_SIDE * PAIRS_SIDE;
    const vf even = vf_load(from), odd = vf_load(from + VL);
    const vi low = {0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23};
    out[0] = AT_SHUFFLE(even, odd, low);
    out[1] = AT_SHUFFLE(even, odd, low + 8);
}

/* The tile's sums into, or onto, the rows of w->sum. */
static void put_tile(const walk *w, const float *sums, const area *t)
{
    const int64_t N = w->g->N;
    for (int64_t i = 0; i < t->rows; i++) {
        float *to = w->sum + (t->m + i) * N + t->n;
        vf x[2] = {{0}};
        for (int64_t j = 0; j < t->cols; j += VL) {
            const int64_t n = at_min(VL, t->cols - j), odd = j / VL % 2;
            if (!odd) load_sums(x, sums, t, i, j);
            if (w->add) x[odd] = vf_load_n(to + j, n) + x[odd];
            if (w->streams)
                vf_stream(to + j, x[odd]);
            else
                vf_store_n(to + j, x[odd], n);
        }
    }
}

static int64_t rows_behind(const walk *w, int64_t row, int64_t most)
{
    return at_min(most, w->rows - row);
}

/* ---- Large C ---- */

/* Of a chunk of both operands, the steps of `rows`; s: of B, or NULL. */
static size_t packed_bytes(const strip *s, int64_t rows, int64_t M, int64_t N)
{
    const int64_t steps = at_ceil_div(at_min(rows, AT_GEMM_CHUNK), PAIRS_SIDE),
                  b = s ? strip_packed_size(s, steps) : steps * panels(N) * PAIRS_BLOCK;
    return (size_t)(steps * panels(M) * PAIRS_BLOCK + b) * sizeof(uint16_t);
}

static void pack_task(void *arg, int64_t index, int thread)
{
    const walk *w = arg;
    const at_gemm_outer_job *g = w->g;
    const int64_t step = index / w->parts, chunk = w->chunk * AT_GEMM_CHUNK, row = chunk + step * PAIRS_SIDE;
    packed p = w->p;
    p.loaded = (uint16_t *)(void *)(g->thread_scratch + (size_t)thread * g->thread_stride);
    if (step < p.steps) {
        pack_part(w, &p, step, row, rows_behind(w, row, PAIRS_SIDE), index % w->parts);
        return;
    }
    index -= p.steps * w->parts;
    pack_strip(&p, w->strip, index / p.b_steps, index % p.b_steps, chunk);
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
    const int64_t part = pairs_part(w->p.steps * PAIRS_SIDE) / PAIRS_SIDE;
    for (int64_t k = 0; k < w->p.steps; k += part)
        add_products(w, &w->p, sums, &t, k, at_min(k + part, w->p.steps), k > 0);
    tiles_end();
    put_tile(w, sums, &t);
    if (w->streams) vf_stream_end();
}

static void serial_chunk(walk *w, int64_t chunk)
{
    const at_gemm_outer_job *g = w->g;
    packed *p = &w->p;
    w->chunk = chunk;
    w->add = chunk > 0 || (g->accumulate && w->sum == g->c);
    p->steps = at_ceil_div(rows_behind(w, chunk * AT_GEMM_CHUNK, AT_GEMM_CHUNK), PAIRS_SIDE);
    p->a = (uint16_t *)(void *)g->partial;
    p->b = p->a + panels(g->M) * p->steps * PAIRS_BLOCK;
    int64_t tasks = p->steps * w->parts;
    if (w->strip) {
        p->b_steps = strip_steps(w->strip, p->steps);
        tasks += strip_phases(w->strip) * p->b_steps;
    }
    at_parallel_for(g->pool, tasks, pack_task, w);
    at_parallel_for(g->pool, at_ceil_div(g->M, w->cut.m) * w->tiles_n, tile_task, w);
}

static void reorder_row(void *arg, int64_t m, int thread)
{
    (void)thread;
    const walk *w = arg;
    gemm_put_row(w->g, m, w->sum + m * w->g->N);
}

/* All chunks. */
static void sum_large(walk *w)
{
    const at_gemm_outer_job *g = w->g;
    const bool reorders = g->taps > 1;
    w->cut = pairs_cut_for(g->M, g->N, at_pool_threads(g->pool));
    w->tiles_n = at_ceil_div(g->N, w->cut.n);
    w->sum = reorders ? g->partial + packed_bytes(w->strip, w->rows, g->M, g->N) / sizeof(float) : g->c;
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
    const int64_t first = chunk * AT_GEMM_CHUNK, last = first + rows_behind(w, first, AT_GEMM_CHUNK);
    const area all = {.rows = g->M, .cols = g->N};
    float *sums = (float *)(void *)(g->thread_scratch + (size_t)thread * g->thread_stride);
    packed p = {.whole_rows = true, .a = (uint16_t *)(sums + panels(g->M) * panels(g->N) * PAIRS_BLOCK)};
    p.b = p.a + panels(g->M) * PAIRS_SIDE * PAIRS_KC;
    p.loaded = p.b + panels(g->N) * PAIRS_SIDE * PAIRS_KC;
    tiles_begin();
    const int64_t part_rows = pairs_part(last - first);
    for (int64_t row = first; row < last; row += part_rows) {
        p.steps = at_ceil_div(at_min(part_rows, last - row), PAIRS_SIDE);
        for (int64_t i = 0; i < p.steps; i++)
            for (int64_t part = 0; part < w->parts; part++)
                pack_part(w, &p, i, row + i * PAIRS_SIDE, at_min(PAIRS_SIDE, last - row - i * PAIRS_SIDE),
                          part);
        if (w->strip) p.b_steps = strip_steps(w->strip, p.steps);
        for (int64_t i = 0; w->strip && i < strip_phases(w->strip) * p.b_steps; i++)
            pack_strip(&p, w->strip, i / p.b_steps, i % p.b_steps, row);
        add_products(w, &p, sums, &all, 0, p.steps, row > first);
    }
    tiles_end();
    for (int64_t m = 0; m < g->M; m++)
        for (int64_t n = 0; n < g->N; n += PAIRS_SIDE) {
            float *to = g->partial + (chunk * g->M + m) * g->N + n;
            vf x[2];
            load_sums(x, sums, &all, m, n);
            for (int i = 0; i < 2; i++) vf_store_n(to + i * VL, x[i], at_max(0, g->N - n - i * VL));
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

/* ---- Both ---- */

static bool is_serial(int64_t rows, int64_t M, int64_t N)
{
    return rows <= AT_GEMM_CHUNK || panels(M) * panels(N) * PAIRS_BLOCK >= LARGE_C;
}

static bool takes_strip(const strip *s, int64_t M)
{
    return strip_pays(s, 2, M, STRIP_WORTH);
}

/* Of pixels in whole pictures. */
static int64_t positions(const strip *s, int64_t rows)
{
    return rows / (s->of.y.outputs * s->of.x.outputs) * s->picture;
}

/* Fewer rows than the most may take the other way. */
void AT_SIMD(at_gemm_outer_scratch)(int64_t rows, int64_t M, int64_t N, bool loads, const at_gemm_taps *taps,
                                    size_t *shared, size_t *thread)
{
    strip of = {0};
    const strip *taken = NULL;
    if (taps) {
        of = strip_of(taps);
        if (takes_strip(&of, M)) taken = &of, rows = positions(taken, rows);
    }
    const int64_t m = panels(M) * PAIRS_SIDE, n = panels(N) * PAIRS_SIDE,
                  loaded = loads ? PAIRS_SIDE * LOADED : 0;
    *shared = packed_bytes(taken, rows, M, N) + (size_t)(loads ? M * N : 0) * sizeof(float);
    *thread = (size_t)at_max(at_min(m, PAIRS_MB) * at_min(n, PAIRS_NB) * 2, loaded) * sizeof(uint16_t);
    if (is_serial(rows, M, N)) return;
    const size_t partial = (size_t)(at_ceil_div(rows, AT_GEMM_CHUNK) * M * N) * sizeof(float);
    if (partial > *shared) *shared = partial;
    const int64_t b = taken ? strip_packed_size(taken, PAIRS_STEPS) : n * PAIRS_KC + loaded;
    *thread = (size_t)(m * n * 2 + m * PAIRS_KC + b) * sizeof(uint16_t);
}

void AT_SIMD(at_gemm_outer)(const at_gemm_outer_job *g)
{
    walk w = {.g = g, .rows = g->rows};
    if (g->rows == 0) {
        if (!g->accumulate) memset(g->c, 0, (size_t)(g->M * g->N) * sizeof(float));
        return;
    }
    const strip s = g->b.taps ? strip_of(g->b.taps) : (strip){0};
    if (g->b.taps && takes_strip(&s, g->M)) {
        w.strip = &s;
        w.rows = positions(&s, g->rows);
    }
    w.chunks = at_ceil_div(w.rows, AT_GEMM_CHUNK);
    w.parts = at_ceil_div(panels(g->M) + (w.strip ? 0 : panels(g->N)), PART);
    if (is_serial(w.rows, g->M, g->N)) {
        sum_large(&w);
        return;
    }
    at_parallel_for(g->pool, w.chunks, parallel_chunk, &w);
    at_parallel_for(g->pool, g->M, reduce_row, &w);
}

#else
typedef int pairs_outer_matrix_is_not_empty;
#endif
