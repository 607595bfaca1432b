/* softmax_xent_simd.c: a row in three sweeps: maximum; exponentials into scratch, with their sum; gradient.
 * The losses of rows are kept and added afterwards, chunk by chunk in index order, so that the sum does not
 * depend on threads. */
#include "base/simd_math.h"
#include "engine/rows.h"
#include "ops/softmax_xent/softmax_xent.h"
#include <math.h>

enum {
    TILE_ELEMENTS = 16384,
    CARRY = 1024 /* elements that are summed in float before they are carried into doubles */
};

typedef struct row_result {
    double loss, weight;
} row_result;

typedef struct work {
    const at_call *c;
    row_result *rows;           /* in scratch */
    const float *w;             /* NULL = ones */
    double smoothing, b, sum_b; /* b: smoothing / K; sum_b: over all classes, weighted */
    int64_t K, tile_rows;
} work;

/* A NaN may be passed over: the sum of exponentials will meet it. */
static float row_max(const at_element *z, int64_t K)
{
    const vf lowest = vf_set(-INFINITY);
    vf best = lowest;
    for (int64_t j = 0; j < K; j += VL) {
        const int64_t lanes = at_min(VL, K - j);
        vf v = va_load_n(z + j, lanes);
        if (lanes < VL) v = vf_select(vi_first(lanes), v, lowest);
        best = vf_at_least(best, v);
    }
    float max = best[0];
    for (int i = 1; i < VL; i++) max = best[i] > max ? best[i] : max;
    return max;
}

/* e[j] = exp(z[j] - max); returns their sum. */
static double row_exp(const at_element *z, int64_t K, float max, float *e)
{
    const vf top = vf_set(max), zero = {0};
    double sum = 0.0;
    for (int64_t first = 0; first < K; first += CARRY) {
        const int64_t last = at_min(K, first + CARRY);
        vf part = {0};
        for (int64_t j = first; j < last; j += VL) {
            const int64_t lanes = at_min(VL, last - j);
            vf v = vf_exp(va_load_n(z + j, lanes) - top);
            if (lanes < VL) v = vf_select(vi_first(lanes), v, zero);
            vf_store(e + j, v);
            part += v;
        }
        sum += (double)vf_sum(part);
    }
    return sum;
}

/* sum_c w_c (z_c - max), for smoothing; classes of no weight may have infinite logits. */
static double row_dot(const at_element *z, const float *w, int64_t K, float max)
{
    const vf top = vf_set(max), zero = {0};
    double sum = 0.0;
    for (int64_t first = 0; first < K; first += CARRY) {
        const int64_t last = at_min(K, first + CARRY);
        vf part = {0};
        for (int64_t j = first; j < last; j += VL) {
            const int64_t lanes = at_min(VL, last - j);
            const vf weight = w ? vf_load_n(w + j, lanes) : vf_select(vi_first(lanes), vf_set(1.0f), zero);
            const vf v = weight * (va_load_n(z + j, lanes) - top);
            part += vf_select(weight == zero, zero, v);
        }
        sum += (double)vf_sum(part);
    }
    return sum;
}

static void row_gradient(const work *wk, const float *e, double factor, double a, int32_t label,
                         at_element *dz)
{
    const float own = (float)factor * e[label] - (float)wk->b * (wk->w ? wk->w[label] : 1.0f);
    const float before = wk->c->accumulate >> 2 & 1 ? at_element_value(dz[label]) : 0.0f;
    const vf f = vf_set((float)factor), b = vf_set((float)wk->b);
    const bool accumulate = wk->c->accumulate >> 2 & 1;
    for (int64_t j = 0; j < wk->K; j += VL) {
        const int64_t lanes = at_min(VL, wk->K - j);
        vf v = f * vf_load(e + j);
        if (wk->w)
            v -= b * vf_load_n(wk->w + j, lanes);
        else
            v -= b;
        if (accumulate) v += va_load_n(dz + j, lanes);
        va_store_n(dz + j, v, lanes);
    }
    dz[label] = at_element_of(own + before - (float)a); /* rounded once */
}

static at_element *gradient_row(const at_call *c, int64_t m)
{
    return (at_element *)c->out[2].data + m * c->out[2].pitch;
}

static void counted_row(const work *wk, int64_t m, int32_t label, float *e)
{
    const at_call *c = wk->c;
    const at_element *z = (const at_element *)c->in[0].data + m * c->in[0].pitch;
    const double weight = wk->w ? (double)wk->w[label] : 1.0, a = (1 - wk->smoothing) * weight;
    const float max = row_max(z, wk->K);
    const double sum = row_exp(z, wk->K, max, e), log_sum = log(sum);
    double loss = a != 0 ? a * (log_sum - (double)(at_element_value(z[label]) - max))
                         : 0.0 * sum; /* 0 times NaN is NaN */
    if (wk->b > 0) loss += wk->sum_b * log_sum - wk->b * row_dot(z, wk->w, wk->K, max);
    wk->rows[m] = (row_result){loss, weight};
    if (c->out[2].data) row_gradient(wk, e, (a + wk->sum_b) / sum, a, label, gradient_row(c, m));
}

static void skipped_row(const work *wk, int64_t m)
{
    wk->rows[m] = (row_result){0, 0};
    if (wk->c->out[2].data && !(wk->c->accumulate >> 2 & 1))
        memset(gradient_row(wk->c, m), 0, (size_t)wk->K * sizeof(at_element));
}

static void tile(void *arg, int64_t i, int thread)
{
    const work *wk = arg;
    const int64_t last = at_min((i + 1) * wk->tile_rows, wk->c->in[0].rows);
    for (int64_t m = i * wk->tile_rows; m < last; m++) {
        const int32_t label = at_int_row(wk->c, 1, m)[0];
        if (label == AT_NO_LABEL)
            skipped_row(wk, m);
        else
            counted_row(wk, m, label, at_thread_scratch(wk->c, thread));
    }
}

static void add_rows(const work *wk)
{
    const at_call *c = wk->c;
    row_result total = {0, 0};
    for (int64_t first = 0; first < c->in[0].rows; first += AT_CHUNK_ROWS) {
        row_result chunk = {0, 0};
        for (int64_t m = first; m < at_min(first + AT_CHUNK_ROWS, c->in[0].rows); m++) {
            chunk.loss += wk->rows[m].loss;
            chunk.weight += wk->rows[m].weight;
        }
        total.loss += chunk.loss;
        total.weight += chunk.weight;
    }
    if (c->out[0].data) at_put(c, 0, at_out_row(c, 0, 0), total.loss);
    if (c->out[1].data) at_put(c, 1, at_out_row(c, 1, 0), total.weight);
}

static void need(const at_problem *p, at_need *out)
{
    out->scratch = (size_t)at_meta_max_rows(&p->in[0]) * sizeof(row_result);
    out->thread_scratch = (size_t)at_round_up(at_meta_cols(&p->in[0]), VL) * sizeof(float);
}

static at_status run(const at_call *c)
{
    const at_softmax_xent_param *p = c->param;
    const int64_t rows = c->in[0].rows, K = c->in[0].cols;
    for (int64_t m = 0; m < rows; m++) { /* checked where the batch was filled */
        const int32_t label = at_int_row(c, 1, m)[0];
        if (label != AT_NO_LABEL && (label < 0 || label >= K)) return AT_E_INTERNAL;
    }
    work wk = {.c = c, .rows = c->scratch, .w = c->in[2].data, .smoothing = p->smoothing, .K = K};
    wk.b = p->smoothing / (double)K;
    for (int64_t j = 0; j < K && p->smoothing > 0; j++) wk.sum_b += wk.b * (wk.w ? (double)wk.w[j] : 1.0);
    wk.tile_rows = at_max(1, TILE_ELEMENTS / K);
    at_parallel_for(c->pool, at_ceil_div(rows, wk.tile_rows), tile, &wk);
    add_rows(&wk);
    return AT_OK;
}

const at_kernel AT_SIMD(at_kernel_softmax_xent) = {.name = "softmax_xent." AT_SIMD_VARIANT,
                                                   .op = &at_op_softmax_xent,
                                                   .isa = AT_SIMD_LEVEL,
                                                   .act = AT_SIMD_ACT,
                                                   .need = need,
                                                   .run = run};
