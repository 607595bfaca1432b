/* adamw_isa.c: AdamW at memory speed: one pass over master, gradient and moments. Where gradient and moments
 * are zero they stay so, and are not written: rows of a table that no text named cost a read of x and a write
 * for the decay, and their moments take no memory (engine/state.h, sparse). */
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
    const bool finite = isfinite(f.scale) && isfinite(f.step) && isfinite(f.root);
    for (int64_t i = lo; i < hi; i += VL) {
        const int64_t n = at_min(VL, hi - i);
        const vf raw = vf_load_n(g + i, n), m0 = vf_load_n(m + i, n), v0 = vf_load_n(v + i, n);
        if (finite && !vi_any((vi)raw | (vi)m0 | (vi)v0)) { /* +0: what follows would give the same bits */
            vf_store_n(x + i, vf_load_n(x + i, n) * keep, n);
            continue;
        }
        const vf gi = raw * scale;
        const vf mean = b1 * m0 + a1 * gi;
        const vf square = b2 * v0 + a2 * gi * gi;
        vf_store_n(m + i, mean, n);
        vf_store_n(v + i, square, n);
        vf_store_n(x + i, vf_load_n(x + i, n) * keep - step * mean / (vf_sqrt(square) * root + eps), n);
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
    .run = run,
};
