/* linear_gelu_matrix.c: gelu of products, and its gradient, while their elements are in the first cache. On
 * units apart from the vectors' the product goes on meanwhile.
 *
 * The product, called between, is put where the op saves it; where it does not, in out[0], whose elements
 * then take the place of what they are made from. Where results are added to what is there, it cannot be:
 * some rows at a time pass through scratch. */
#include "ops/gelu/form_simd.h"
#include "ops/gelu/gelu.h"
#include "ops/linear/product_simd.h"
#include "ops/linear_gelu/linear_gelu.h"

enum { PART_ROWS = 32 }; /* of scratch */

typedef struct fused {
    const at_call *c;
    at_element *between;
    int64_t pitch, first; /* between's first row is this one of the op's */
} fused;

static at_element *between_at(const fused *f, int64_t m, int64_t col)
{
    return f->between + m * f->pitch + col;
}

static at_element *element_at(const fused *f, const at_arg *x, int64_t m, int64_t col)
{
    return (at_element *)x->data + (f->first + m) * x->pitch + col;
}

static bool is_erf(const fused *f)
{
    return ((const at_gelu_param *)f->c->param)->form == AT_GELU_ERF;
}

static size_t part_bytes(const at_problem *p)
{
    return (size_t)(PART_ROWS * at_meta_cols(&p->out[0])) * sizeof(at_element);
}

static void run_by_parts(at_gemm_job job, fused *f)
{
    const int64_t rows = job.M;
    job.c = f->between = f->c->scratch;
    job.c_pitch = f->pitch = job.N;
    for (; f->first < rows; f->first += PART_ROWS) {
        job.M = at_min(PART_ROWS, rows - f->first);
        AT_SIMD(at_gemm)(&job);
        job.a.data = (const at_element *)job.a.data + PART_ROWS * job.a.pitch;
    }
}

/* saved: which output is between, or 0: none is. */
static at_status run(const at_call *c, int saved, const float *bias, at_gemm_then_fn then)
{
    const bool keeps = saved && c->out[saved].data, adds = c->accumulate >> (keeps ? saved : 0) & 1;
    const at_arg *to = &c->out[keeps ? saved : 0];
    fused f = {.c = c, .between = to->data, .pitch = to->pitch};
    at_gemm_job job = linear_job(c, to);
    job.bias = bias;
    job.accumulate = adds;
    job.then = c->out[0].data && !adds ? then : NULL;
    job.then_arg = &f;
    if (keeps || !adds) AT_SIMD(at_gemm)(&job);
    if (!adds || !c->out[0].data) return AT_OK;
    job.then = then;
    job.accumulate = false;
    run_by_parts(job, &f);
    return AT_OK;
}

/* ---- y = gelu(z), z = x W^T + b, which is saved ---- */

static void forward_need(const at_problem *p, at_need *out)
{
    linear_need(p, out);
    out->scratch = part_bytes(p);
}

static void gelu_rows(const void *arg, int64_t row, int64_t rows, int64_t col, int64_t cols)
{
    const fused *f = arg;
    const bool erf = is_erf(f), add = f->c->accumulate & 1;
    for (int64_t m = row; m < row + rows; m++) {
        void *const at[] = {between_at(f, m, col), element_at(f, &f->c->out[0], m, col)};
        if (erf)
            at_elementwise_run(at, cols, add, 1, gelu_erf);
        else
            at_elementwise_run(at, cols, add, 1, gelu_tanh);
    }
}

static at_status forward(const at_call *c)
{
    return run(c, 1, c->in[2].data, gelu_rows);
}

const at_kernel AT_SIMD(at_kernel_linear_gelu) = {.name = "linear_gelu." AT_SIMD_VARIANT,
                                                  .op = &at_op_linear_gelu,
                                                  .isa = AT_SIMD_LEVEL,
                                                  .act = AT_SIMD_ACT,
                                                  .reads_storage = 2,
                                                  .need = forward_need,
                                                  .run = forward};

/* ---- dz = gelu'(z) (dy W) ---- */

static void dx_need(const at_problem *p, at_need *out)
{
    linear_need_dx(p, out);
    out->scratch = part_bytes(p);
}

static void dx_rows(const void *arg, int64_t row, int64_t rows, int64_t col, int64_t cols)
{
    const fused *f = arg;
    const bool erf = is_erf(f), add = f->c->accumulate & 1;
    for (int64_t m = row; m < row + rows; m++) {
        void *const at[] = {element_at(f, &f->c->in[2], m, col), between_at(f, m, col),
                            element_at(f, &f->c->out[0], m, col)};
        if (erf)
            at_elementwise_run(at, cols, add, 2, gelu_erf_dx);
        else
            at_elementwise_run(at, cols, add, 2, gelu_tanh_dx);
    }
}

static at_status dx(const at_call *c)
{
    return run(c, 0, NULL, dx_rows);
}

const at_kernel AT_SIMD(at_kernel_linear_dx_gelu) = {.name = "linear_dx_gelu." AT_SIMD_VARIANT,
                                                     .op = &at_op_linear_dx_gelu,
                                                     .isa = AT_SIMD_LEVEL,
                                                     .act = AT_SIMD_ACT,
                                                     .reads_storage = 2,
                                                     .need = dx_need,
                                                     .run = dx};
