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
} pack_job;

enum {
    PACK_BLOCK = 256, /* numbers of each weight row at once: what they become stays in the first cache */
    PACK_ROWS = 64,   /* of weights a task: backward */
    PACK_TURNED = 25  /* taps of a row that are turned at once, at most */
};

static inline void pack_load(const at_arg *w, float *out, int64_t row, int64_t first, int64_t n)
{
    if (w->storage)
        w->storage->load(out, w->buffers, w->cols, row, first, n);
    else
        memcpy(out, (const float *)w->data + row * w->pitch + first, (size_t)n * sizeof(float));
}

/* B[K,N]: zeros pad K to whole steps. */
static inline void pack_pad(gemm_operand *out, int64_t K, int64_t N)
{
    const int64_t last = K / GEMM_K_STEP * GEMM_K_STEP;
    if (last == K) return;
    for (int64_t n = 0; n < N; n += GEMM_NR, out += gemm_panel_size(K))
        memset(out + last * GEMM_NR, 0, (size_t)(GEMM_K_STEP * GEMM_NR) * sizeof *out);
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

/* t[f][lane + i] = rows[i * pitch + f] for VL rows, f < n rounded up to whole vectors. */
static inline void pack_turn_lanes(float (*t)[GEMM_NR], int64_t lane, const float *rows, int64_t pitch,
                                   int64_t n)
{
    for (int64_t f = 0; f < n; f += VL) {
        vf x[VL];
#pragma GCC unroll 16
        for (int i = 0; i < VL; i++) x[i] = vf_load(rows + i * pitch + f);
        vf_transpose(x);
#pragma GCC unroll 16
        for (int i = 0; i < VL; i++) vf_store(t[f + i] + lane, x[i]);
    }
}

/* ---- Forward: one panel of GEMM_NR outputs ---- */

/* Numbers [first, first + n) of the panel's weight rows, turned: t[f][lane]. */
static inline void pack_turn(const pack_job *j, float (*t)[GEMM_NR], int64_t panel, int64_t first, int64_t n)
{
    float rows[VL][PACK_BLOCK];
    for (int i = 0; i < VL && n % VL; i++)
        vf_store(rows[i] + n / VL * VL, (vf){0}); /* what is turned in vain */
    for (int64_t lane = 0; lane < GEMM_NR; lane += VL) {
        const int64_t o = panel * GEMM_NR + lane, there = at_min(at_max(j->outs - o, 0), VL);
        for (int64_t i = 0; i < there; i++) pack_load(j->w, rows[i], j->first_row + o + i, first, n);
        if (there < VL) memset(rows[there], 0, (size_t)(VL - there) * sizeof rows[0]);
        pack_turn_lanes(t, lane, rows[0], PACK_BLOCK, n);
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
    pack_pad(out, K, GEMM_NR);
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

/* One panel of one group, made again. */
static inline void pack_forward_part(const at_call *c, const at_arg *w, int64_t taps, int64_t panel)
{
    pack_job j = {.w = w, .out = c->prepared[0], .outs = w->dim[0], .ins = w->dim[1], .taps = taps};
    pack_forward_panel(&j, panel, 0);
}

/* ---- Backward: a task is PACK_ROWS outputs, whose weights are read in one run ---- */

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
    if (n == j->taps && n <= PACK_TURNED) {    /* all of them, in the order of files */
        float all[GEMM_NR * PACK_TURNED + VL]; /* the last VL are turned in vain */
        memset(all + columns * n, 0, (size_t)((GEMM_NR - columns) * n + VL) * sizeof *all);
        pack_load(j->w, all, row, in * n, columns * n);
        for (int64_t lane = 0; lane < GEMM_NR; lane += VL) pack_turn_lanes(t, lane, all + lane * n, n, n);
        return;
    }
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

/* The chosen taps of outputs [from, last), from even, all panels. */
static inline void pack_backward_taps(const pack_job *j, int64_t from, int64_t last)
{
    const int64_t taps = j->chosen.rows * j->chosen.columns, size = gemm_panel_size(j->outs * taps);
    float row[2][PACK_BLOCK][GEMM_NR];
    for (int64_t first = 0; first < taps; first += PACK_BLOCK)
        for (int64_t o = from; o < last; o += 2) {
            const int64_t n = at_min(PACK_BLOCK, taps - first), rows = at_min(2, last - o);
            gemm_operand *out = j->out;
            for (int64_t panel = 0; panel * GEMM_NR < j->ins; panel++, out += size) {
                for (int64_t i = 0; i < rows; i++) pack_backward_row(j, row[i], o + i, panel, first, n);
                for (int64_t f = 0, k = first * j->outs + o; f < n; f++, k += j->outs)
                    if (j->outs % 2 == 0)
                        pack_put_two(out, k, row[0][f], row[1][f]);
                    else
                        for (int64_t i = 0; i < rows; i++) pack_put(out, k + i, row[i][f]);
            }
        }
}

/* ---- Backward, one tap: likewise, and nothing is to be turned ---- */

static inline void pack_backward_rows(const pack_job *j, int64_t first, int64_t last)
{
    const int64_t size = gemm_panel_size(j->outs);
    float row[2][PACK_BLOCK];
    for (int64_t in = 0; in < j->ins; in += PACK_BLOCK) {
        const int64_t columns = at_min(PACK_BLOCK, j->ins - in);
        gemm_operand *out = j->out + in / GEMM_NR * size;
        memset(row, 0, sizeof row);
        for (int64_t o = first; o < last; o += 2) {
            const bool two = o + 1 < last;
            for (int64_t i = 0; i <= two; i++) pack_load(j->w, row[i], j->first_row + o + i, in, columns);
            for (int64_t p = 0; p < columns; p += GEMM_NR)
                if (two)
                    pack_put_two(out + p / GEMM_NR * size, o, row[0] + p, row[1] + p);
                else
                    pack_put(out + p / GEMM_NR * size, o, row[0] + p);
        }
    }
}

static inline void pack_backward_task(void *arg, int64_t task, int thread)
{
    (void)thread;
    const pack_job *j = arg;
    pack_backward_rows(j, task * PACK_ROWS, at_min((task + 1) * PACK_ROWS, j->outs));
}

/* GEMM_NR outputs of one group, made again. */
static inline void pack_backward_part(const at_call *c, const at_arg *w, int64_t part)
{
    const pack_job j = {.w = w, .out = c->prepared[0], .outs = w->dim[0], .ins = w->dim[1], .taps = 1};
    pack_backward_rows(&j, part * GEMM_NR, at_min((part + 1) * GEMM_NR, j.outs));
}

/* All groups, one after another, into c->prepared[0]. */
static inline at_status pack_backward_one(const at_call *c, const at_arg *w, int64_t groups)
{
    pack_job j = {.w = w, .out = c->prepared[0], .outs = w->dim[0] / groups, .ins = w->dim[1], .taps = 1};
    for (int64_t g = 0; g < groups; g++) {
        pack_pad(j.out, j.outs, j.ins);
        at_parallel_for(c->pool, at_ceil_div(j.outs, PACK_ROWS), pack_backward_task, &j);
        j.first_row += j.outs;
        j.out += gemm_packed_size(j.outs, j.ins);
    }
    return AT_OK;
}

#endif
