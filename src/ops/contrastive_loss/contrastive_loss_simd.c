/* contrastive_loss_simd.c: rows of length 1 in scratch, then two sweeps. Over anchors: cosines with all rows,
 * the loss, dz. Over rows: d u, an anchor's from its own dz, another row's from all anchors', then dx. Every
 * sum runs in index order. */
#include "base/simd_math.h"
#include "engine/dot_simd.h"
#include "ops/contrastive_loss/contrastive_loss.h"
#include <math.h>

static const float LEAST = (float)AT_CONTRASTIVE_LEAST;

typedef struct work {
    const at_call *c;
    int64_t S, P, rows, C, stride; /* stride: floats of a row of u */
    double *loss;                  /* of each anchor; this and what follows lies in scratch */
    float *u, *length, *dz;        /* [rows][stride], [rows], [S][rows] */
    float scale;
} work;

static size_t scratch_bytes(int64_t S, int64_t rows, int64_t C)
{
    return (size_t)S * sizeof(double) + (size_t)(rows * (at_round_up(C, VL) + 1 + S)) * sizeof(float);
}

static void need(const at_problem *p, at_need *out)
{
    out->scratch =
        scratch_bytes(at_meta_max_rows(&p->in[0]), at_meta_max_rows(&p->in[1]), at_meta_cols(&p->in[1]));
    out->thread_scratch = (size_t)at_round_up(at_meta_cols(&p->in[1]), VL) * sizeof(float);
}

static void unit_row(void *arg, int64_t j, int thread)
{
    (void)thread;
    const work *w = arg;
    const at_element *x = (const at_element *)w->c->in[1].data + j * w->c->in[1].pitch;
    w->length[j] = fmaxf(sqrtf(va_dot(x, x, w->C)), LEAST);
    for (int64_t i = 0; i < w->C; i += VL) /* the lanes behind the row's end are zero */
        vf_store(w->u + j * w->stride + i, va_load_n(x + i, at_min(VL, w->C - i)) / vf_set(w->length[j]));
}

/* dz holds z, then its exponentials, then d loss / d z times the scale. */
static void anchor(void *arg, int64_t s, int thread)
{
    (void)thread;
    const work *w = arg;
    const int64_t own = s * w->P + 1;
    const float *a = w->u + s * w->P * w->stride;
    float *dz = w->dz + s * w->rows, largest = -INFINITY;
    double sum = 0.0;
    for (int64_t j = 0; j < w->rows; j++) {
        dz[j] = -INFINITY; /* not among them */
        if (!at__contrastive_counts(w->c, s, j)) continue;
        dz[j] = w->scale * vf_dot(a, w->u + j * w->stride, w->stride);
        if (!(dz[j] <= largest)) largest = dz[j]; /* a NaN is taken, and spoils the sum */
    }
    const float z_own = dz[own] - largest;
    for (int64_t j = 0; j < w->rows; j += VL) {
        const int64_t lanes = at_min(VL, w->rows - j);
        const vf e = vf_exp(vf_load_n(dz + j, lanes) - vf_set(largest));
        vf_store_n(dz + j, e, lanes);
        for (int64_t i = 0; i < lanes; i++) sum += (double)e[i];
    }
    w->loss[s] = log(sum) - (double)z_own;
    const float factor = (float)((double)w->scale / sum);
    for (int64_t j = 0; j < w->rows; j++) dz[j] *= factor;
    dz[own] -= w->scale;
}

/* du += factor u */
static void add_row(float *du, float factor, const float *u, int64_t n)
{
    if (factor == 0.0f) return; /* half of the rows of pairs: anchors */
    for (int64_t i = 0; i < n; i += VL) vf_store(du + i, vf_load(du + i) + vf_set(factor) * vf_load(u + i));
}

static void gradient_row(void *arg, int64_t j, int thread)
{
    const work *w = arg;
    const at_call *c = w->c;
    const float *u = w->u + j * w->stride;
    float *du = at_thread_scratch(c, thread);
    memset(du, 0, (size_t)w->stride * sizeof *du);
    if (j % w->P == 0)
        for (int64_t k = 0; k < w->rows; k++)
            add_row(du, w->dz[j / w->P * w->rows + k], w->u + k * w->stride, w->stride);
    else
        for (int64_t s = 0; s < w->S; s++)
            add_row(du, w->dz[s * w->rows + j], w->u + s * w->P * w->stride, w->stride);
    const vf along = vf_set(vf_dot(u, du, w->stride)), share = vf_set(1.0f / w->length[j]);
    at_element *dx = (at_element *)c->out[2].data + j * c->out[2].pitch;
    for (int64_t i = 0; i < w->C; i += VL) {
        const int64_t lanes = at_min(VL, w->C - i);
        vf v = (vf_load(du + i) - vf_load(u + i) * along) * share;
        if (c->accumulate >> 2 & 1) v += va_load_n(dx + i, lanes);
        va_store_n(dx + i, v, lanes);
    }
}

static at_status run(const at_call *c)
{
    const at_contrastive_param *p = c->param;
    work w = {.c = c, .S = c->in[0].rows, .P = c->in[0].cols, .rows = c->in[1].rows, .C = c->in[1].cols};
    w.stride = at_round_up(w.C, VL);
    w.loss = c->scratch;
    w.u = (float *)(w.loss + w.S);
    w.length = w.u + w.rows * w.stride;
    w.dz = w.length + w.rows;
    w.scale = (float)p->scale;
    at_parallel_for(c->pool, w.rows, unit_row, &w);
    at_parallel_for(c->pool, w.S, anchor, &w);
    if (c->out[2].data) at_parallel_for(c->pool, w.rows, gradient_row, &w);
    at_put_loss(c, at_sum_of_rows(w.loss, w.S), (double)w.S);
    return AT_OK;
}

const at_kernel AT_SIMD(at_kernel_contrastive_loss) = {.name = "contrastive_loss." AT_SIMD_VARIANT,
                                                       .op = &at_op_contrastive_loss,
                                                       .isa = AT_SIMD_LEVEL,
                                                       .act = AT_SIMD_ACT,
                                                       .need = need,
                                                       .run = run};
