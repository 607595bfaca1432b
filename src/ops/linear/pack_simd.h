/* pack_simd.h: weights of linear maps and convolutions, packed for the product. For *_matrix.c files of ops.
 *
 * A weight is W[out, in, taps] as files have it (taps = kernel height x width; 1 for linear maps). Forward:
 * B[(tap, in), out]; backward: B[(tap, out), in]. Read through the state's loader, so any storage serves. */
#ifndef AT_PACK_SIMD_H
#define AT_PACK_SIMD_H

#include "engine/state.h"
#include "gemm/gemm_simd.h"

/* Which taps a backward operand holds, in this order: first + i * row_step + j * column_step. */
typedef struct pack_taps {
    int64_t first, rows, row_step, columns, column_step;
} pack_taps;

typedef struct pack_job {
    const at_arg *w;
    gemm_operand *out;
    int64_t first_row, outs, ins,
        taps;         /* rows [first_row, first_row + outs) of w: a group of a convolution */
    pack_taps chosen; /* backward, of several */
    int64_t panels;   /* a task: backward, of one tap */
} pack_job;

enum {
    PACK_BLOCK = 256, /* numbers of each weight row at once: what they become stays in the first cache */
    PACK_PANELS = 8,  /* at once, at most */
    PACK_TASKS = 8    /* so many share the work evenly */
};

static inline void pack_load(const at_arg *w, float *out, int64_t row, int64_t first, int64_t n)
{
    if (w->storage)
        w->storage->load(out, w->buffers, w->cols, row, first, n);
    else
        memcpy(out, (const float *)w->data + row * w->pitch + first, (size_t)n * sizeof(float));
}

/* One k of a panel: a number for each of its columns. */
static inline void pack_put(gemm_operand *panel, int64_t k, const float *row)
{
#if GEMM_PAIRS
    for (int64_t lane = 0; lane < GEMM_NR; lane++)
        panel[gemm_panel_index(k, lane)] = gemm_operand_of(row[lane]);
#else
    memcpy(panel + k * GEMM_NR, row, GEMM_NR * sizeof *row);
#endif
}

/* k and k + 1, k even. */
static inline void pack_put_two(gemm_operand *panel, int64_t k, const float *row, const float *next)
{
#if GEMM_PAIRS
    for (int64_t lane = 0; lane < GEMM_NR; lane += VL) {
        const vw low = __builtin_convertvector(va_narrow(vf_load(row + lane)), vw),
                 high = __builtin_convertvector(va_narrow(vf_load(next + lane)), vw);
        vf_store((float *)(void *)(panel + gemm_panel_index(k, lane)), (vf)(low | high << 16));
    }
#else
    pack_put(panel, k, row);
    pack_put(panel, k + 1, next);
#endif
}

/* ---- Forward: one panel of GEMM_NR outputs ---- */

/* Numbers [first, first + n) of the panel's weight rows, turned: t[f][lane]. */
static inline void pack_turn(const pack_job *j, float (*t)[GEMM_NR], int64_t panel, int64_t first, int64_t n)
{
    float segment[PACK_BLOCK];
    for (int64_t lane = 0; lane < GEMM_NR; lane++) {
        const int64_t o = panel * GEMM_NR + lane;
        if (o < j->outs)
            pack_load(j->w, segment, j->first_row + o, first, n);
        else
            memset(segment, 0, (size_t)n * sizeof(float));
        for (int64_t f = 0; f < n; f++) t[f][lane] = segment[f];
    }
}

/* File order is (channel, tap), packed order (tap, channel). */
static inline void pack_forward_panel(void *arg, int64_t panel, int thread)
{
    (void)thread;
    const pack_job *j = arg;
    const int64_t K = j->ins * j->taps, taps = j->taps;
    gemm_operand *out = j->out + panel * gemm_panel_size(K);
    float t[PACK_BLOCK][GEMM_NR];
    if (GEMM_K_STEP > 1) memset(out, 0, (size_t)gemm_panel_size(K) * sizeof *out);
    const bool by_twos = j->ins % 2 == 0 && 2 * taps <= PACK_BLOCK;
    const int64_t step = by_twos ? PACK_BLOCK / (2 * taps) * 2 * taps : PACK_BLOCK;
    for (int64_t first = 0; first < K; first += step) {
        const int64_t n = at_min(step, K - first);
        pack_turn(j, t, panel, first, n);
        for (int64_t f = 0; f < n; f++) {
            const int64_t channel = (first + f) / taps, k = (first + f) % taps * j->ins + channel;
            if (!by_twos)
                pack_put(out, k, t[f]);
            else if (channel % 2 == 0)
                pack_put_two(out, k, t[f], t[f + taps]);
        }
    }
}

/* Forward: all groups, one after another, into c->prepared[0]. */
static inline at_status pack_forward(const at_call *c, const at_arg *w, int64_t groups, int64_t taps)
{
    pack_job j = {.w = w, .out = c->prepared[0], .outs = w->dim[0] / groups, .ins = w->dim[1], .taps = taps};
    for (int64_t g = 0; g < groups; g++) {
        at_parallel_for(c->pool, at_ceil_div(j.outs, GEMM_NR), pack_forward_panel, &j);
        j.first_row += j.outs;
        j.out += gemm_packed_size(j.ins * taps, j.outs);
    }
    return AT_OK;
}

/* ---- Backward, several taps: one panel of GEMM_NR inputs ---- */

static inline int64_t pack_tap(const pack_taps *t, int64_t f)
{
    return t->first + f / t->columns * t->row_step + f % t->columns * t->column_step;
}

/* The panel's part of weight row o as t[f][lane], for the chosen taps [first, first + n); columns beyond the
 * inputs are 0. */
static inline void pack_backward_row(const pack_job *j, float (*t)[GEMM_NR], int64_t o, int64_t panel,
                                     int64_t first, int64_t n)
{
    const int64_t in = panel * GEMM_NR, columns = at_min(GEMM_NR, j->ins - in), row = j->first_row + o;
    float segment[PACK_BLOCK];
    memset(t, 0, (size_t)n * sizeof *t);
    const int64_t step = PACK_BLOCK / j->taps; /* inputs at once */
    for (int64_t lane = 0; lane < columns && step > 0; lane += step) {
        const int64_t lanes = at_min(step, columns - lane);
        pack_load(j->w, segment, row, (in + lane) * j->taps, lanes * j->taps);
        for (int64_t f = 0; f < n; f++) {
            const int64_t tap = pack_tap(&j->chosen, first + f);
            for (int64_t i = 0; i < lanes; i++) t[f][lane + i] = segment[i * j->taps + tap];
        }
    }
    for (int64_t lane = 0; lane < columns && step == 0; lane++) /* very large kernels: one by one */
        for (int64_t f = 0; f < n; f++)
            pack_load(j->w, &t[f][lane], row, (in + lane) * j->taps + pack_tap(&j->chosen, first + f), 1);
}

static inline void pack_backward_panel(const pack_job *j, int64_t panel)
{
    const int64_t taps = j->chosen.rows * j->chosen.columns, K = j->outs * taps;
    gemm_operand *out = j->out + panel * gemm_panel_size(K);
    float even[PACK_BLOCK][GEMM_NR], odd[PACK_BLOCK][GEMM_NR];
    if (GEMM_K_STEP > 1) memset(out, 0, (size_t)gemm_panel_size(K) * sizeof *out);
    for (int64_t first = 0; first < taps; first += PACK_BLOCK)
        for (int64_t o = 0; o < j->outs; o++) {
            const int64_t n = at_min(PACK_BLOCK, taps - first);
            pack_backward_row(j, o % 2 ? odd : even, o, panel, first, n);
            for (int64_t f = 0; f < n; f++) {
                const int64_t k = (first + f) * j->outs + o;
                if (o % 2 && j->outs % 2 == 0)
                    pack_put_two(out, k - 1, even[f], odd[f]);
                else if (j->outs % 2)
                    pack_put(out, k, o % 2 ? odd[f] : even[f]);
            }
        }
}

/* ---- Backward, one tap: a weight row serves several panels at once, for its next numbers are near and the
 * next row is far ---- */

static inline void pack_backward_panels(void *arg, int64_t task, int thread)
{
    (void)thread;
    const pack_job *j = arg;
    const int64_t size = gemm_panel_size(j->outs), first = task * j->panels;
    const int64_t n = at_min(j->panels, at_ceil_div(j->ins, GEMM_NR) - first),
                  columns = at_min(n * GEMM_NR, j->ins - first * GEMM_NR);
    gemm_operand *out = j->out + first * size;
    float row[2][PACK_PANELS * GEMM_NR] = {{0}};
    if (GEMM_K_STEP > 1) memset(out, 0, (size_t)(n * size) * sizeof *out);
    for (int64_t o = 0; o < j->outs; o += 2) {
        const bool two = o + 1 < j->outs;
        for (int64_t i = 0; i <= two; i++)
            pack_load(j->w, row[i], j->first_row + o + i, first * GEMM_NR, columns);
        for (int64_t p = 0; p < n; p++)
            if (two)
                pack_put_two(out + p * size, o, row[0] + p * GEMM_NR, row[1] + p * GEMM_NR);
            else
                pack_put(out + p * size, o, row[0] + p * GEMM_NR);
    }
}

/* All groups, one after another, into c->prepared[0]. */
static inline at_status pack_backward_one(const at_call *c, const at_arg *w, int64_t groups)
{
    pack_job j = {.w = w, .out = c->prepared[0], .outs = w->dim[0] / groups, .ins = w->dim[1], .taps = 1};
    const int64_t panels = at_ceil_div(j.ins, GEMM_NR);
    j.panels = at_max(1, at_min(PACK_PANELS, panels / PACK_TASKS));
    for (int64_t g = 0; g < groups; g++) {
        at_parallel_for(c->pool, at_ceil_div(panels, j.panels), pack_backward_panels, &j);
        j.first_row += j.outs;
        j.out += gemm_packed_size(j.outs, j.ins);
    }
    return AT_OK;
}

#endif
