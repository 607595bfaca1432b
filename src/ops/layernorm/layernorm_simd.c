/* layernorm_simd.c: a row at a time, which stays in the first cache. The gradient sums dweight and dbias by
 * parts, fixed runs of rows, in float, and adds the parts in index order in double. */
#include "engine/rows.h"
#include "ops/layernorm/layernorm.h"
#include "ops/layernorm/moments_simd.h"

enum { TILE_ROWS = 16, PART_ROWS = 64 };

static const at_element *in_row(const at_call *c, int in, int64_t m)
{
    return (const at_element *)c->in[in].data + m * c->in[in].pitch;
}

static at_element *out_row(const at_call *c, int64_t m)
{
    return (at_element *)c->out[0].data + m * c->out[0].pitch;
}

static vf weight_of(const at_call *c, int64_t i, int64_t lanes)
{
    return c->in[1].data ? vf_load_n((const float *)c->in[1].data + i, lanes) : vf_set(1.0f);
}

/* ---- forward ---- */

static void forward_tile(void *arg, int64_t tile, int thread)
{
    (void)thread;
    const at_call *c = arg;
    const double eps = ((const at_layernorm_param *)c->param)->eps;
    for (int64_t m = tile * TILE_ROWS; m < at_min((tile + 1) * TILE_ROWS, c->in[0].rows); m++) {
        const moments s = moments_of(in_row(c, 0, m), c->in[0].cols, eps);
        if (c->out[1].data) at_put(c, 1, at_out_row(c, 1, m), (double)s.centre + (double)s.shift);
        if (c->out[2].data) at_put(c, 2, at_out_row(c, 2, m), s.rstd);
        if (c->out[0].data)
            moments_normalise(&s, in_row(c, 0, m), c->in[0].cols, c->in[1].data, c->in[2].data, out_row(c, m),
                              c->accumulate & 1);
    }
}

static at_status forward(const at_call *c)
{
    at_parallel_for(c->pool, at_ceil_div(c->in[0].rows, TILE_ROWS), forward_tile, (void *)(uintptr_t)c);
    return AT_OK;
}

const at_kernel AT_SIMD(at_kernel_layernorm) = {.name = "layernorm." AT_SIMD_VARIANT,
                                                .op = &at_op_layernorm,
                                                .isa = AT_SIMD_LEVEL,
                                                .act = AT_SIMD_ACT,
                                                .run = forward};

/* ---- gradient ---- */

/* Floats from the sums of one part to those of the next: dweight, then dbias. */
static int64_t part_stride(int64_t C)
{
    return 2 * at_round_up(C, VL);
}

/* What dx takes away from g: mean_C(g) and mean_C(g h). */
typedef struct row_means {
    float sum, along;
} row_means;

AT_FORCE_INLINE row_means sum_row(const at_call *c, int64_t m, float *dweight, float *dbias)
{
    const int64_t C = c->in[0].cols;
    const at_element *x = in_row(c, 0, m), *dy = in_row(c, 4, m);
    const vf mean = vf_set(at_row(c, 2, m)[0]), rstd = vf_set(at_row(c, 3, m)[0]);
    vf sum = {0}, along = {0};
    for (int64_t i = 0; i < C; i += VL) {
        const int64_t lanes = at_min(VL, C - i);
        const vf d = va_load_n(dy + i, lanes), h = (va_load_n(x + i, lanes) - mean) * rstd;
        const vf g = d * weight_of(c, i, lanes);
        sum += g;
        along += moments_only_first(g * h, lanes);
        if (!dweight) continue;
        vf_store(dweight + i, vf_load(dweight + i) + d * h);
        vf_store(dbias + i, vf_load(dbias + i) + d);
    }
    return (row_means){vf_sum(sum) / (float)C, vf_sum(along) / (float)C};
}

static void dx_row(const at_call *c, int64_t m, row_means means)
{
    const at_element *x = in_row(c, 0, m), *dy = in_row(c, 4, m);
    at_element *dx = out_row(c, m);
    const vf mean = vf_set(at_row(c, 2, m)[0]), rstd = vf_set(at_row(c, 3, m)[0]), sum = vf_set(means.sum),
             along = vf_set(means.along);
    for (int64_t i = 0; i < c->in[0].cols; i += VL) {
        const int64_t lanes = at_min(VL, c->in[0].cols - i);
        const vf h = (va_load_n(x + i, lanes) - mean) * rstd;
        vf v = rstd * (va_load_n(dy + i, lanes) * weight_of(c, i, lanes) - sum - h * along);
        if (c->accumulate & 1) v += va_load_n(dx + i, lanes);
        va_store_n(dx + i, v, lanes);
    }
}

static bool are_sums_wanted(const at_call *c)
{
    return c->out[1].data || c->out[2].data;
}

static void gradient_part(void *arg, int64_t part, int thread)
{
    (void)thread;
    const at_call *c = arg;
    const int64_t C = c->in[0].cols, stride = part_stride(C);
    float *dweight = are_sums_wanted(c) ? (float *)c->scratch + part * stride : NULL;
    if (dweight) memset(dweight, 0, (size_t)stride * sizeof(float));
    for (int64_t m = part * PART_ROWS; m < at_min((part + 1) * PART_ROWS, c->in[0].rows); m++) {
        const row_means means =
            dweight ? sum_row(c, m, dweight, dweight + stride / 2) : sum_row(c, m, NULL, NULL);
        if (c->out[0].data) dx_row(c, m, means);
    }
}

static void add_parts(const at_call *c, int64_t parts)
{
    const int64_t stride = part_stride(c->in[0].cols);
    for (int o = 1; o < 3; o++) {
        const float *partial = (const float *)c->scratch + (o - 1) * stride / 2;
        for (int64_t i = 0; i < c->in[0].cols && c->out[o].data; i++) {
            double sum = 0.0;
            for (int64_t part = 0; part < parts; part++) sum += (double)partial[part * stride + i];
            at_put(c, o, &at_out_row(c, o, 0)[i], sum);
        }
    }
}

static void gradient_need(const at_problem *p, at_need *out)
{
    const int64_t parts = at_ceil_div(at_meta_max_rows(&p->in[0]), PART_ROWS);
    out->scratch = (size_t)(parts * part_stride(at_meta_cols(&p->in[0]))) * sizeof(float);
}

static at_status gradient(const at_call *c)
{
    const int64_t parts = at_ceil_div(c->in[0].rows, PART_ROWS);
    at_parallel_for(c->pool, parts, gradient_part, (void *)(uintptr_t)c);
    add_parts(c, parts);
    return AT_OK;
}

const at_kernel AT_SIMD(at_kernel_layernorm_dx) = {.name = "layernorm_dx." AT_SIMD_VARIANT,
                                                   .op = &at_op_layernorm_dx,
                                                   .isa = AT_SIMD_LEVEL,
                                                   .act = AT_SIMD_ACT,
                                                   .need = gradient_need,
                                                   .run = gradient};
