/* adamw_isa.c: AdamW at memory speed: one pass over master, gradient and moments. Rows of a table that no
 * step has named have neither (engine/state.h, sparse): they cost a read of x and a write for the decay. */
#include "base/simd.h"
#include "ops/optim/adamw.h"
#include <math.h>

static vf vf_sqrt(vf x)
{
#if defined(__AVX512F__)
    return (vf)_mm512_sqrt_ps((__m512)x);
#elif defined(__AVX2__)
    return (vf)_mm256_sqrt_ps((__m256)x);
#else
    for (int i = 0; i < VL; i++) x[i] = sqrtf(x[i]);
    return x;
#endif
}

/* What the update gives where gradient and moments are zero, to the bit. */
static void decay(float *x, vf keep, int64_t lo, int64_t hi)
{
    for (int64_t i = lo; i < hi; i += VL) {
        const int64_t n = at_min(VL, hi - i);
        vf_store_n(x + i, vf_load_n(x + i, n) * keep, n);
    }
}

static void piece(const at_call *c, const at_range *r, int64_t lo, int64_t hi)
{
    const at_adamw_param *p = c->param;
    float *x = c->in[0].data, *m = c->in[2].data, *v = c->in[3].data;
    const float *g = c->in[1].data;
    at_adamw_step f;
    at_adamw_factors(c, r, &f);
    const vf scale = vf_set((float)f.scale), keep = vf_set((float)f.keep), step = vf_set((float)f.step);
    const vf root = vf_set((float)f.root), eps = vf_set((float)p->epsilon);
    const vf b1 = vf_set((float)p->beta1), b2 = vf_set((float)p->beta2);
    const vf a1 = vf_set((float)(1.0 - p->beta1)), a2 = vf_set((float)(1.0 - p->beta2));
    const bool finite = isfinite(f.scale) && isfinite(f.step) && isfinite(f.root); /* else zeros become NaN */
    for (int64_t i = lo, end; i < hi; i = end) {
        bool named;
        end = at_range_alike(&named, r, i, hi);
        named |= !finite;
        if (!named) decay(x, keep, i, end);
        for (; named && i < end; i += VL) {
            const int64_t n = at_min(VL, end - i);
            const vf gi = vf_load_n(g + i, n) * scale;
            const vf mean = b1 * vf_load_n(m + i, n) + a1 * gi;
            const vf square = b2 * vf_load_n(v + i, n) + a2 * gi * gi;
            vf_store_n(m + i, mean, n);
            vf_store_n(v + i, square, n);
            vf_store_n(x + i, vf_load_n(x + i, n) * keep - step * mean / (vf_sqrt(square) * root + eps), n);
        }
    }
}

static at_status run(const at_call *c)
{
    const at_adamw_param *p = c->param;
    if (*(const float *)c->in[6].data > 0) at_for_ranges(c, &p->ranges, piece);
    return AT_OK;
}

const at_kernel AT_SIMD(at_kernel_adamw) = {
    .name = "adamw." AT_SIMD_VARIANT,
    .op = &at_op_adamw,
    .isa = AT_SIMD_LEVEL,
    .remakes = true,
    .run = run,
};
