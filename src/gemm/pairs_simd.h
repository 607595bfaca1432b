/* pairs_simd.h: sums of products of bf16 by units that multiply pairs, by tiles (AMX) or by vectors
 * (AVX-512). For pairs_*matrix.c files.
 *
 * C is made of blocks of 32 x 32 sums (float, by rows). K runs in steps of 32, each added to the sums before
 * it. A stripe is one panel of B, up to PAIRS_KC long so that it stays in L1, against all blocks of rows of a
 * tile of C, whose A streams past from L2. Where K is longer, sums wait in memory for the panel's next part.
 * Reading path: pairs_stripe_run, stripe_block, tiles_step. */
#ifndef AT_PAIRS_SIMD_H
#define AT_PAIRS_SIMD_H

#include "gemm/gemm_simd.h"

#if GEMM_PAIRS

enum {
    PAIRS_SIDE = 32, /* rows and columns of a block, and K of a step: two tiles of 16 rows of 64 bytes */
    PAIRS_BLOCK = PAIRS_SIDE * PAIRS_SIDE,
    PAIRS_STEPS = 18, /* 36 KiB of a panel: all of K for 3 x 3 x 64 */
    PAIRS_KC = PAIRS_STEPS * PAIRS_SIDE,
    PAIRS_MB = 256, /* rows a tile of C: so many by PAIRS_KC of A stay in L2 */
    PAIRS_NB = 512, /* columns a tile: its sums stay there too */
    PAIRS_MB_LEAST = 64,
    PAIRS_NB_LEAST = 128,
    PAIRS_TILES = 4, /* a thread share the work evenly */
};

/* K is summed in as few parts as PAIRS_KC allows, about equally long. */
static inline int64_t pairs_part(int64_t K)
{
    const int64_t steps = at_max(1, at_ceil_div(K, PAIRS_SIDE));
    return at_ceil_div(steps, at_ceil_div(steps, PAIRS_STEPS)) * PAIRS_SIDE;
}

/* Tiles of C[M,N]: smaller ones where there would be too few for the threads. */
typedef struct pairs_cut {
    int64_t m, n;
} pairs_cut;

static inline pairs_cut pairs_cut_for(int64_t M, int64_t N, int threads)
{
    pairs_cut t = {PAIRS_MB, PAIRS_NB};
    while (at_ceil_div(M, t.m) * at_ceil_div(N, t.n) < PAIRS_TILES * threads) {
        if (t.n > PAIRS_NB_LEAST && (t.n > t.m || t.m == PAIRS_MB_LEAST))
            t.n /= 2;
        else if (t.m > PAIRS_MB_LEAST)
            t.m /= 2;
        else
            break;
    }
    return t;
}

typedef uint16_t vp __attribute__((vector_size(64), may_alias)); /* elements of a row of a block */
typedef uint16_t vp_unaligned __attribute__((vector_size(64), aligned(2), may_alias));

/* The first n, the others 0 and not touched. */
AT_FORCE_INLINE vp load_elements(const uint16_t *p, int64_t n)
{
    if (n >= PAIRS_SIDE) return *(const vp_unaligned *)p;
#if defined(AT_EMULATE)
    vp x = {0};
    memcpy(&x, p, (size_t)n * sizeof *p);
    return x;
#else
    return (vp)_mm512_maskz_loadu_epi16((1u << n) - 1u, p);
#endif
}

AT_FORCE_INLINE void fetch_to_l2(const uint16_t *p)
{
    __builtin_prefetch(p, 0, 2);
}

/* Where finished sums go; columns <= PAIRS_SIDE. */
typedef struct pairs_target {
    at_element *c;
    const int32_t *place; /* of each row of A: which row of C it is, or -1: none; NULL = the same */
    int64_t pitch, columns;
    const float *bias; /* NULL = none */
    bool accumulate, streams;
    at_gemm_then_fn then; /* NULL = nothing follows */
    const void *then_arg;
    int64_t row, col; /* of C, where c points to */
} pairs_target;

typedef struct pairs_stripe {
    const uint16_t *a;   /* row r of step k: a + r / 32 * 32 * block_pitch + r % 32 * pitch + step_at[k] */
    int64_t block_pitch; /* rows of different blocks, elements apart */
    int64_t pitch;       /* rows of a block */
    int64_t step_at[PAIRS_STEPS];
    const uint16_t *tail; /* [row][32]: the last step, where it is not in a; else NULL */
    const uint16_t *b;    /* the panel, from the first step on */
    const uint16_t *next; /* the panel that comes next, to be fetched; NULL = none */
    int64_t rows, steps;
    int64_t last_start; /* no block begins behind this row: it begins earlier instead and is done twice */
    bool ahead;         /* A comes from far: fetch the block after this one */
    float *sums;
    int64_t sums_mask;          /* of a block's number: its place. -1: its own; 1: all pass through two */
    bool add;                   /* to the sums that are there */
    const pairs_target *target; /* NULL: sums stay */
} pairs_stripe;

/* Steps that lie `distance` apart. */
static inline void pairs_even_steps(pairs_stripe *s, int64_t distance)
{
    for (int64_t k = 0; k < PAIRS_STEPS; k++) s->step_at[k] = k * distance;
}

/* ---- Finished rows ---- */

AT_FORCE_INLINE vf finish_vector(const pairs_target *t, const float *sums, const at_element *c, int64_t j,
                                 const int64_t n)
{
    vf x = vf_load(sums + j);
    if (t->accumulate) x = va_load_n(c + j, n) + x;
    if (t->bias) x += vf_load_n(t->bias + j, n);
    return x;
}

AT_FORCE_INLINE void finish_row(const pairs_target *t, const float *sums, at_element *c, const bool whole)
{
    if (whole) {
        va_put_two(c, finish_vector(t, sums, c, 0, VL), finish_vector(t, sums, c, VL, VL), t->streams);
        return;
    }
    for (int64_t j = 0; j < t->columns; j += VL) {
        const int64_t n = t->columns - j;
        va_put_n(c + j, finish_vector(t, sums, c, j, n), n, t->streams);
    }
}

/* A block whose sums are complete and not yet all in C. */
typedef struct pairs_pending {
    const float *sums;
    int64_t start, row, last; /* of C: the block's first row, the next to be done, behind the last */
} pairs_pending;

AT_FORCE_INLINE void finish_to(const pairs_target *target, const float *sums, int64_t row, int64_t last,
                               const bool whole)
{
    const pairs_target t = *target; /* what is stored cannot alter it */
    for (; row < last; row++, sums += PAIRS_SIDE) {
        const int64_t place = t.place ? t.place[row] : row;
        if (place >= 0) finish_row(&t, sums, t.c + place * t.pitch, whole);
    }
}

/* Not inlined: they need the registers that the loop around them fills. */
__attribute__((noinline)) static void finish_whole(const pairs_target *t, const float *sums, int64_t row,
                                                   int64_t last)
{
    finish_to(t, sums, row, last, true);
}

__attribute__((noinline)) static void finish_parts(const pairs_target *t, const float *sums, int64_t row,
                                                   int64_t last)
{
    finish_to(t, sums, row, last, false);
}

/* n rows, if there are so many. */
static inline void finish_rows(const pairs_target *t, pairs_pending *p, int64_t n)
{
    const int64_t first = p->row, last = at_min(p->last, first + n);
    if (last <= first) return;
    p->row = last;
    (t->columns == PAIRS_SIDE ? finish_whole : finish_parts)(t, p->sums + (first - p->start) * PAIRS_SIDE,
                                                             first, last);
    if (t->then) t->then(t->then_arg, t->row + first, last - first, t->col, t->columns);
}

static inline int64_t stripe_start(const pairs_stripe *s, int64_t block)
{
    return at_min(block * PAIRS_SIDE, s->last_start);
}

static inline float *stripe_sums(const pairs_stripe *s, int64_t block)
{
    return s->sums + (block & s->sums_mask) * PAIRS_BLOCK;
}

static inline pairs_pending stripe_pending(const pairs_stripe *s, int64_t block)
{
    const int64_t row = block * PAIRS_SIDE;
    return (pairs_pending){stripe_sums(s, block), stripe_start(s, block), row,
                           at_min(row + PAIRS_SIDE, s->rows)};
}

#if defined(AT_SIMD_AMX)
/* ---- Tiles ---- */

#if defined(AT_EMULATE)
typedef struct tiles {
    union {
        float sum[16][16];
        uint32_t pair[16][16];
    } tile[8] __attribute__((aligned(64)));
} tiles;

#define tile_barrier()
#define tiles_begin()
#define tiles_end()

static inline void tile_move(void *to, int64_t to_pitch, const void *from, int64_t from_pitch)
{
    for (int64_t r = 0; r < 16; r++)
        memcpy((char *)to + r * to_pitch, (const char *)from + r * from_pitch, 64);
}

#define tile_zero(t, i)             memset(&(t)->tile[i], 0, sizeof(t)->tile[i])
#define tile_load(t, i, p, bytes)   tile_move(&(t)->tile[i], 64, p, bytes)
#define tile_stream(t, i, p, bytes) tile_move(&(t)->tile[i], 64, p, bytes)
#define tile_store(t, i, p, bytes)  tile_move(p, bytes, &(t)->tile[i], 64)

/* Sums of the pairs' first members and of their second ones, then both: as the unit adds. */
static inline void tile_dot(tiles *t, int c, int a, int b)
{
    vf first_b[16], second_b[16];
    for (int k = 0; k < 16; k++) {
        const vw pairs = *(const vw *)t->tile[b].pair[k];
        first_b[k] = (vf)(pairs << 16);
        second_b[k] = (vf)(pairs & 0xffff0000u);
    }
    for (int m = 0; m < 16; m++) {
        vf first = {0}, second = {0};
        for (int k = 0; k < 16; k++) {
            const vw pair = t->tile[a].pair[m][k] + (vw){0};
            first += (vf)(pair << 16) * first_b[k];
            second += (vf)(pair & 0xffff0000u) * second_b[k];
        }
        *(vf *)t->tile[c].sum[m] += first + second;
    }
}
#else
typedef struct tiles { /* they are registers */
    char none;
} tiles;

static const struct tile_shapes {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} __attribute__((aligned(64))) tile_shapes = {
    .palette = 1, .row_bytes = {64, 64, 64, 64, 64, 64, 64, 64}, .rows = {16, 16, 16, 16, 16, 16, 16, 16}};

/* The intrinsics do not tell the compiler what they read: everything before must be in memory. */
#define tile_barrier() __asm__ volatile("" ::"m"(tile_shapes) : "memory")

#define tiles_begin()                                                                                        \
    do {                                                                                                     \
        tile_barrier();                                                                                      \
        _tile_loadconfig(&tile_shapes);                                                                      \
    } while (0)
#define tiles_end()                 _tile_release()
#define tile_zero(t, i)             _tile_zero(i)
#define tile_load(t, i, p, bytes)   _tile_loadd(i, p, bytes)
#define tile_stream(t, i, p, bytes) _tile_stream_loadd(i, p, bytes) /* does not push the panel out of L1 */
#define tile_store(t, i, p, bytes)  _tile_stored(i, p, bytes)
#define tile_dot(t, c, a, b)        _tile_dpbf16ps(c, a, b)
#endif

enum { TILE_ROW = PAIRS_SIDE * 4 }; /* bytes from row to row of sums, and from pairs to pairs of a panel */

/* Sums of a tile go out, and those of the next block come in. */
#define TILE_TURN(t, i, at)                                                                                  \
    do {                                                                                                     \
        if (out) tile_store(t, i, out + (at), TILE_ROW);                                                     \
        if (in)                                                                                              \
            tile_load(t, i, in + (at), TILE_ROW);                                                            \
        else                                                                                                 \
            tile_zero(t, i);                                                                                 \
    } while (0)

/* Tiles 0 to 3 are the sums, 4 and 5 A, 6 and 7 B. A block's first step also stores the block before, each
 * tile just before it is needed, so that the products go on. */
AT_FORCE_INLINE void tiles_step(tiles *t, const uint16_t *a, int64_t pitch, const uint16_t *b,
                                const bool first, float *out, const float *in)
{
    (void)t;
    tile_load(t, 6, b, TILE_ROW);
    tile_stream(t, 4, a, pitch * 2);
    if (first) TILE_TURN(t, 0, 0);
    tile_dot(t, 0, 4, 6);
    tile_load(t, 7, b + PAIRS_SIDE, TILE_ROW);
    if (first) TILE_TURN(t, 1, 16);
    tile_dot(t, 1, 4, 7);
    tile_stream(t, 5, a + 16 * pitch, pitch * 2);
    if (first) TILE_TURN(t, 2, 16 * PAIRS_SIDE);
    tile_dot(t, 2, 5, 6);
    if (first) TILE_TURN(t, 3, 16 * PAIRS_SIDE + 16);
    tile_dot(t, 3, 5, 7);
}

/* The last block of a stripe. */
AT_FORCE_INLINE void tiles_store(tiles *t, float *out)
{
    (void)t;
    tile_store(t, 0, out, TILE_ROW);
    tile_store(t, 1, out + 16, TILE_ROW);
    tile_store(t, 2, out + 16 * PAIRS_SIDE, TILE_ROW);
    tile_store(t, 3, out + 16 * PAIRS_SIDE + 16, TILE_ROW);
}

/* Part of the next panel, to L2: every second line, for lines come in twos. */
AT_FORCE_INLINE void fetch_next(const pairs_stripe *s, int64_t step_index, const int64_t lines)
{
    const int64_t first = step_index * lines * 32;
    if (first >= s->steps * PAIRS_BLOCK) return;
    for (int64_t i = 0; i < lines; i += 2) fetch_to_l2(s->next + first + i * 32);
}

/* Rows of A of one step. */
AT_FORCE_INLINE void fetch_rows(const uint16_t *a, int64_t pitch)
{
    for (int64_t r = 0; r < PAIRS_SIDE; r++) fetch_to_l2(a + r * pitch);
}

/* Products of a block, while the block before is stored and one before it is finished. */
AT_FORCE_INLINE void stripe_block(const pairs_stripe *s, tiles *t, int64_t block, pairs_pending *before)
{
    const int64_t start = stripe_start(s, block), whole = s->steps - (s->tail != NULL);
    const int64_t lines = at_round_up(at_ceil_div(PAIRS_SIDE, at_ceil_div(s->rows, PAIRS_SIDE)), 2);
    const int64_t rows_each = at_ceil_div(PAIRS_SIDE, at_max(1, s->steps - 1));
    const uint16_t *rows = s->a + start * s->block_pitch, *b = s->b;
    float *out = block > 0 ? stripe_sums(s, block - 1) : NULL;
    for (int64_t k = 0; k < s->steps; k++, b += PAIRS_BLOCK) {
        const uint16_t *a = rows + s->step_at[k], *from = k < whole ? a : s->tail + start * PAIRS_SIDE;
        const int64_t pitch = k < whole ? s->pitch : PAIRS_SIDE;
        if (s->next) fetch_next(s, block * s->steps + k, lines);
        if (s->ahead && k < whole) fetch_rows(a + PAIRS_SIDE * s->block_pitch, s->pitch);
        if (k == 0)
            tiles_step(t, from, pitch, b, true, out, s->add ? stripe_sums(s, block) : NULL);
        else
            tiles_step(t, from, pitch, b, false, NULL, NULL);
        if (s->target && (k > 0 || s->steps == 1)) finish_rows(s->target, before, rows_each);
    }
}

/* Stored tiles can be read only when they have reached the cache: a block that is a single step is finished
 * while the block after the next is multiplied. */
static void pairs_stripe_run(const pairs_stripe *s)
{
    tiles t;
    pairs_pending p = {0};
    const int64_t blocks = at_ceil_div(s->rows, PAIRS_SIDE), lag = s->steps > 1 ? 1 : 2;
    tile_barrier();
    for (int64_t i = 0; i < blocks; i++) {
        if (i >= lag) p = stripe_pending(s, i - lag);
        stripe_block(s, &t, i, &p);
    }
    tiles_store(&t, stripe_sums(s, blocks - 1));
    for (int64_t i = at_max(0, blocks - lag); i < blocks && s->target; i++) {
        p = stripe_pending(s, i);
        finish_rows(s->target, &p, PAIRS_SIDE);
    }
}

#else
/* ---- Vectors ---- */

#define tiles_begin()
#define tiles_end()

typedef uint32_t pair_unaligned __attribute__((aligned(2), may_alias));

/* sum + the products of pairs: second members, then first ones, as the unit adds. */
static inline vf pair_dot(vf sum, uint32_t a, vw b)
{
#if defined(AT_EMULATE)
    const vw x = a + (vw){0};
    sum += (vf)(x & 0xffff0000u) * (vf)(b & 0xffff0000u);
    return sum + (vf)(x << 16) * (vf)(b << 16);
#else
    return (vf)_mm512_dpbf16_ps((__m512)sum, (__m512bh)_mm512_set1_epi32((int)a), (__m512bh)b);
#endif
}

enum { GROUP = 8 }; /* rows: 16 sums hide the latency of the unit, and a block is four groups */

AT_FORCE_INLINE void add_step(vf (*sum)[2], const uint16_t *a, int64_t pitch, const uint16_t *b)
{
    for (int64_t k = 0; k < PAIRS_SIDE; k += 2, b += 2 * PAIRS_SIDE) {
        const vw b0 = *(const vw *)b, b1 = *(const vw *)(b + PAIRS_SIDE);
#pragma GCC unroll 8
        for (int64_t i = 0; i < GROUP; i++) {
            const uint32_t pair = *(const pair_unaligned *)(a + i * pitch + k);
            sum[i][0] = pair_dot(sum[i][0], pair, b0);
            sum[i][1] = pair_dot(sum[i][1], pair, b1);
        }
    }
}

/* Rows [row, row + GROUP) of a block. */
static void stripe_group(const pairs_stripe *s, int64_t start, int64_t row, float *sums)
{
    const int64_t whole = s->steps - (s->tail != NULL);
    const uint16_t *a = s->a + start * s->block_pitch + row * s->pitch;
    vf sum[GROUP][2];
    sums += row * PAIRS_SIDE;
#pragma GCC unroll 8
    for (int64_t i = 0; i < GROUP; i++)
#pragma GCC unroll 2
        for (int64_t j = 0; j < 2; j++)
            sum[i][j] = s->add ? vf_load(sums + i * PAIRS_SIDE + j * VL) : (vf){0};
    for (int64_t k = 0; k < s->steps; k++) {
        const uint16_t *from = k < whole ? a + s->step_at[k] : s->tail + (start + row) * PAIRS_SIDE;
        add_step(sum, from, k < whole ? s->pitch : PAIRS_SIDE, s->b + k * PAIRS_BLOCK);
    }
#pragma GCC unroll 8
    for (int64_t i = 0; i < GROUP; i++)
#pragma GCC unroll 2
        for (int64_t j = 0; j < 2; j++) vf_store(sums + i * PAIRS_SIDE + j * VL, sum[i][j]);
}

static void pairs_stripe_run(const pairs_stripe *s)
{
    const int64_t blocks = at_ceil_div(s->rows, PAIRS_SIDE);
    for (int64_t i = 0; i < blocks; i++) {
        pairs_pending p = stripe_pending(s, i);
        for (int64_t row = (p.row - p.start) / GROUP * GROUP; row < p.last - p.start; row += GROUP)
            stripe_group(s, p.start, row, stripe_sums(s, i));
        if (s->target) finish_rows(s->target, &p, PAIRS_SIDE);
    }
}
#endif

#endif
#endif
