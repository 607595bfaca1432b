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
    pack_taps chosen; /* backward */
} pack_job;

enum { PACK_SEGMENT = 2048 }; /* floats on the stack */

static inline void pack_load(const at_arg *w, float *out, int64_t row, int64_t first, int64_t n)
{
    if (w->storage)
        w->storage->load(out, w->buffers, w->cols, row, first, n);
    else
        memcpy(out, (const float *)w->data + row * w->pitch + first, (size_t)n * sizeof(float));
}

/* One panel of GEMM_NR outputs. */
static inline void pack_forward_panel(void *arg, int64_t panel, int thread)
{
    (void)thread;
    const pack_job *j = arg;
    const int64_t K = j->ins * j->taps;
    gemm_operand *out = j->out + panel * gemm_panel_size(K);
    float segment[PACK_SEGMENT];
    if (GEMM_K_STEP > 1) memset(out, 0, (size_t)gemm_panel_size(K) * sizeof *out);
    for (int64_t lane = 0; lane < GEMM_NR; lane++) {
        const int64_t o = panel * GEMM_NR + lane;
        for (int64_t first = 0; first < K; first += PACK_SEGMENT) {
            const int64_t n = at_min(PACK_SEGMENT, K - first);
            if (o < j->outs)
                pack_load(j->w, segment, j->first_row + o, first, n);
            else
                memset(segment, 0, (size_t)n * sizeof(float));
            int64_t channel = first / j->taps, tap = first % j->taps; /* position in file order */
            for (int64_t f = 0; f < n; f++) {
                out[gemm_panel_index(tap * j->ins + channel, lane)] = gemm_operand_of(segment[f]);
                if (++tap == j->taps) tap = 0, channel++;
            }
        }
    }
}

/* The chosen taps from output o to n inputs, from all their taps in file order. */
static inline void pack_backward_lanes(const pack_job *j, gemm_operand *out, const float *segment, int64_t o,
                                       int64_t lane, int64_t n)
{
    const pack_taps *t = &j->chosen;
    int64_t k = o;
    for (int64_t row = 0; row < t->rows; row++)
        for (int64_t column = 0; column < t->columns; column++, k += j->outs) {
            const int64_t tap = t->first + row * t->row_step + column * t->column_step;
            for (int64_t i = 0; i < n; i++)
                out[gemm_panel_index(k, lane + i)] = gemm_operand_of(segment[i * j->taps + tap]);
        }
}

/* One panel of GEMM_NR inputs. */
static inline void pack_backward_panel(void *arg, int64_t panel, int thread)
{
    (void)thread;
    const pack_job *j = arg;
    const int64_t K = j->outs * j->chosen.rows * j->chosen.columns;
    const int64_t first = panel * GEMM_NR, n = at_min(GEMM_NR, j->ins - first);
    gemm_operand *out = j->out + panel * gemm_panel_size(K);
    float segment[PACK_SEGMENT];
    const int64_t step = at_max(1, PACK_SEGMENT / j->taps); /* channels a segment */
    memset(out, 0, (size_t)gemm_panel_size(K) * sizeof *out);
    for (int64_t o = 0; o < j->outs; o++)
        for (int64_t lane = 0; lane < n; lane += step) {
            const int64_t channels = at_min(step, n - lane);
            pack_load(j->w, segment, j->first_row + o, (first + lane) * j->taps, channels * j->taps);
            pack_backward_lanes(j, out, segment, o, lane, channels);
        }
}

/* Forward: all groups, one after another, into c->prepared[0]. */
static inline at_status pack_groups(const at_call *c, const at_arg *w, int64_t groups, int64_t taps)
{
    pack_job j = {.w = w, .out = c->prepared[0], .outs = w->dim[0] / groups, .ins = w->dim[1], .taps = taps};
    for (int64_t g = 0; g < groups; g++) {
        at_parallel_for(c->pool, at_ceil_div(j.outs, GEMM_NR), pack_forward_panel, &j);
        j.first_row += j.outs;
        j.out += gemm_packed_size(j.ins * taps, j.outs);
    }
    return AT_OK;
}

#endif
