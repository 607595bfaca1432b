/* dropout_simd.c: dropout and its gradient: words drawn a buffer at a time, compared, multiplied. */
#include "base/rng_simd.h"
#include "engine/rows.h"
#include "ops/dropout/dropout.h"
#include <math.h>

enum { BUFFER = 1024 }; /* words; stays in the first cache */

typedef struct draw {
    uint32_t occurrence;
    int32_t threshold; /* kept: the upper 24 bits of the word are at least this */
    float scale;
} draw;

/* u 2^-24 >= p exactly when u >= ceil(p 2^24) */
static draw draw_of(double p, uint32_t occurrence)
{
    return (draw){occurrence, (int32_t)ceil(p * 0x1p24), (float)(1 / (1 - p))};
}

static void apply(const draw *d, const uint32_t *words, const at_element *x, at_element *y, int64_t n,
                  bool accumulate)
{
    const vf scale = vf_set(d->scale);
    const vi threshold = d->threshold - (vi){0};
    for (int64_t i = 0; i < n; i += VL) {
        const int64_t lanes = at_min(VL, n - i);
        const vu32 word = *(const vu32_unaligned *)(words + i);
        const vi kept = (vi)(word >> 8) >= threshold;
        vf v = va_load_n(x + i, lanes) * (vf)((vi)scale & kept);
        if (accumulate) v += va_load_n(y + i, lanes);
        va_store_n(y + i, v, lanes);
    }
}

/* Elements [index, index + n) of one sample. */
static void sample_run(const at_call *c, const draw *d, int32_t sample, int64_t index, const at_element *x,
                       at_element *y, int64_t n)
{
    uint32_t words[BUFFER + AT_RNG_GROUP + VL];
    for (int64_t i = 0; i < n; i += BUFFER) {
        const int64_t now = at_min(BUFFER, n - i), skip = (index + i) & 3;
        at_rng_fill(words, c->key, (uint64_t)sample, d->occurrence, (uint64_t)(index + i) >> 2, skip + now);
        apply(d, words + skip, x + i, y + i, now, c->accumulate & 1);
    }
}

/* A span is a run of whole rows, which may belong to several samples. */
static void mask_span(const at_call *c, const draw *d, void *const *at, int64_t n)
{
    const int64_t C = c->out[0].cols, each = c->out[0].rows / c->in[1].rows * C; /* elements of a sample */
    const at_element *x = at[0];
    at_element *y = at[1];
    int64_t element = (x - (const at_element *)c->in[0].data) / c->in[0].pitch * C;
    for (int64_t i = 0; i < n;) {
        const int64_t sample = element / each, index = element % each, now = at_min(n - i, each - index);
        sample_run(c, d, at_int_row(c, 1, sample)[0], index, x + i, y + i, now);
        i += now;
        element += now;
    }
}

static void forward_span(const at_call *c, void *const *at, int64_t n)
{
    const draw d = draw_of(((const at_dropout_param *)c->param)->p, c->occurrence);
    mask_span(c, &d, at, n);
}

static at_status forward(const at_call *c)
{
    at_for_spans(c, 1, 1, forward_span);
    return AT_OK;
}

static void gradient_span(const at_call *c, void *const *at, int64_t n)
{
    const at_dropout_dx_param *p = c->param;
    const draw d = draw_of(p->p, (uint32_t)p->occurrence);
    mask_span(c, &d, at, n);
}

static at_status gradient(const at_call *c)
{
    at_for_spans(c, 1, 1, gradient_span);
    return AT_OK;
}

const at_kernel AT_SIMD(at_kernel_dropout) = {
    .name = "dropout." AT_SIMD_VARIANT,
    .op = &at_op_dropout,
    .isa = AT_SIMD_LEVEL,
    .act = AT_SIMD_ACT,
    .run = forward,
};

const at_kernel AT_SIMD(at_kernel_dropout_dx) = {
    .name = "dropout_dx." AT_SIMD_VARIANT,
    .op = &at_op_dropout_dx,
    .isa = AT_SIMD_LEVEL,
    .act = AT_SIMD_ACT,
    .run = gradient,
};
