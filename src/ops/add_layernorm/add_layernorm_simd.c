/* add_layernorm_simd.c: a row at a time: its sum goes to where it is saved, or to the thread's scratch, and
 * is in the first cache when it is normalised. */
#include "engine/rows.h"
#include "ops/add_layernorm/add_layernorm.h"
#include "ops/layernorm/layernorm.h"
#include "ops/layernorm/moments_simd.h"

enum { TILE_ROWS = 16 };

static at_element *row_at(const at_arg *x, int64_t m)
{
    return (at_element *)x->data + m * x->pitch;
}

/* y = a + b, or y += a + b */
static void add_row(const at_element *a, const at_element *b, at_element *y, int64_t C, bool add)
{
    for (int64_t i = 0; i < C; i += VL) {
        const int64_t lanes = at_min(VL, C - i);
        vf v = va_load_n(a + i, lanes) + va_load_n(b + i, lanes);
        if (add) v += va_load_n(y + i, lanes);
        va_store_n(y + i, v, lanes);
    }
}

static void tile(void *arg, int64_t index, int thread)
{
    const at_call *c = arg;
    const double eps = ((const at_layernorm_param *)c->param)->eps;
    const int64_t C = c->in[0].cols;
    const bool adds = c->accumulate >> AT_ADD_LAYERNORM_SUM & 1,
               keeps = c->out[AT_ADD_LAYERNORM_SUM].data && !adds;
    for (int64_t m = index * TILE_ROWS; m < at_min((index + 1) * TILE_ROWS, c->in[0].rows); m++) {
        const at_element *a = row_at(&c->in[0], m), *b = row_at(&c->in[1], m);
        at_element *sum = keeps ? row_at(&c->out[AT_ADD_LAYERNORM_SUM], m) : at_thread_scratch(c, thread);
        add_row(a, b, sum, C, false);
        if (c->out[AT_ADD_LAYERNORM_SUM].data && adds)
            add_row(a, b, row_at(&c->out[AT_ADD_LAYERNORM_SUM], m), C, true);
        const moments s = moments_of(sum, C, eps);
        if (c->out[AT_ADD_LAYERNORM_MEAN].data)
            at_put(c, AT_ADD_LAYERNORM_MEAN, at_out_row(c, AT_ADD_LAYERNORM_MEAN, m),
                   (double)s.centre + (double)s.shift);
        if (c->out[AT_ADD_LAYERNORM_RSTD].data)
            at_put(c, AT_ADD_LAYERNORM_RSTD, at_out_row(c, AT_ADD_LAYERNORM_RSTD, m), s.rstd);
        if (c->out[0].data)
            moments_normalise(&s, sum, C, c->in[2].data, c->in[3].data, row_at(&c->out[0], m),
                              c->accumulate & 1);
    }
}

static void need(const at_problem *p, at_need *out)
{
    out->thread_scratch = (size_t)at_meta_cols(&p->in[0]) * sizeof(at_element);
}

static at_status run(const at_call *c)
{
    at_parallel_for(c->pool, at_ceil_div(c->in[0].rows, TILE_ROWS), tile, (void *)(uintptr_t)c);
    return AT_OK;
}

const at_kernel AT_SIMD(at_kernel_add_layernorm) = {.name = "add_layernorm." AT_SIMD_VARIANT,
                                                    .op = &at_op_add_layernorm,
                                                    .isa = AT_SIMD_LEVEL,
                                                    .act = AT_SIMD_ACT,
                                                    .need = need,
                                                    .run = run};
