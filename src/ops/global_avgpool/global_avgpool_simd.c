/* global_avgpool_simd.c: means over the pixels of a sample, and their gradient, one tile a sample and block
 * of columns. */
#include "engine/columns_simd.h"
#include "ops/global_avgpool/global_avgpool.h"

enum { COLUMN_BLOCK = 512 }; /* 2 KiB of a row: long runs, yet several tiles from one wide sample */

typedef struct work {
    const at_call *c;
    at_column_sums sums;
    int64_t area, n_blocks;
} work;

static work work_of(const at_call *c, int64_t area)
{
    work w = {.c = c, .area = area, .n_blocks = at_ceil_div(c->out[0].cols, COLUMN_BLOCK)};
    return w;
}

/* ---- forward ---- */

AT_FORCE_INLINE vf forward_terms(vf *sum, const vf *x, const vf *k, const vf *u)
{
    (void)k, (void)u;
    return sum[0] += x[0];
}

static void forward_tile(void *arg, int64_t i, int thread)
{
    (void)thread;
    const work *w = arg;
    const int64_t sample = i / w->n_blocks, col = i % w->n_blocks * COLUMN_BLOCK;
    const int64_t cols = at_min(COLUMN_BLOCK, w->c->out[0].cols - col);
    double sum[COLUMN_BLOCK];
    at_sum_rows(&w->sums, sample * w->area, w->area, col, cols, sum, COLUMN_BLOCK,
                (at_sums_shape){.n_x = 1, .n_sums = 1, .terms = forward_terms});
    at_element *y = (at_element *)w->c->out[0].data + sample * w->c->out[0].pitch + col;
    const bool accumulate = w->c->accumulate & 1;
    for (int64_t k = 0; k < cols; k++) {
        const double mean = sum[k] / (double)w->area;
        y[k] = at_element_of((float)(accumulate ? (double)at_element_value(y[k]) + mean : mean));
    }
}

static at_status forward(const at_call *c)
{
    work w = work_of(c, c->in[0].dim[1] * c->in[0].dim[2]);
    w.sums =
        (at_column_sums){.x = {&c->in[0]}, .cols = c->in[0].cols, .gapless = c->in[0].pitch == c->in[0].cols};
    at_parallel_for(c->pool, c->out[0].rows * w.n_blocks, forward_tile, &w);
    return AT_OK;
}

const at_kernel AT_SIMD(at_kernel_global_avgpool) = {.name = "global_avgpool." AT_SIMD_VARIANT,
                                                     .op = &at_op_global_avgpool,
                                                     .isa = AT_SIMD_LEVEL,
                                                     .act = AT_SIMD_ACT,
                                                     .run = forward};

/* ---- gradient ---- */

/* The rows of a sample get the same values: long rows of them where they are narrow and lie without gaps. */
static void gradient_tile(void *arg, int64_t i, int thread)
{
    (void)thread;
    const work *w = arg;
    const at_arg *out = &w->c->out[0];
    const int64_t sample = i / w->n_blocks, col = i % w->n_blocks * COLUMN_BLOCK;
    const int64_t cols = at_min(COLUMN_BLOCK, out->cols - col);
    const int64_t abreast = out->pitch == out->cols && cols == out->cols ? at_long_row(cols) / cols : 1;
    const at_element *dy = (const at_element *)w->c->in[0].data + sample * w->c->in[0].pitch + col;
    const bool accumulate = w->c->accumulate & 1;
    float value[AT_LONG_ROW_MAX];
    for (int64_t k = 0; k < cols * abreast; k++) value[k] = at_element_value(dy[k % cols]) / (float)w->area;
    for (int64_t m = 0; m < w->area; m += abreast) {
        at_element *dx = (at_element *)out->data + (sample * w->area + m) * out->pitch + col;
        const int64_t n = at_min(abreast, w->area - m) * cols;
        for (int64_t k = 0; k < n; k += VL) {
            const int64_t lanes = at_min(VL, n - k);
            vf v = vf_load_n(value + k, lanes);
            if (accumulate) v += va_load_n(dx + k, lanes);
            va_store_n(dx + k, v, lanes);
        }
    }
}

static at_status gradient(const at_call *c)
{
    const at_pool_area *p = c->param;
    work w = work_of(c, p->height * p->width);
    at_parallel_for(c->pool, c->in[0].rows * w.n_blocks, gradient_tile, &w);
    return AT_OK;
}

const at_kernel AT_SIMD(at_kernel_global_avgpool_dx) = {.name = "global_avgpool_dx." AT_SIMD_VARIANT,
                                                        .op = &at_op_global_avgpool_dx,
                                                        .isa = AT_SIMD_LEVEL,
                                                        .act = AT_SIMD_ACT,
                                                        .run = gradient};
