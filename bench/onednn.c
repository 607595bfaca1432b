/* onednn.c: a product as a oneDNN primitive (C interface of 2.6): matmul, or inner product and its gradients;
 * or a convolution and its gradients.
 *
 * Activations lie dense by rows, as a caller has them. Weights have "any" layout: oneDNN chooses, and the
 * reorder is not part of what is timed. So has the weight gradient of a product, whose reorder back is not
 * timed either: in oneDNN's favour. That of a convolution is, and so are weights that learn. */
#include "bench/onednn.h"
#include <dnnl.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_ARGS = 3 };

struct bench_onednn {
    dnnl_engine_t engine;
    dnnl_data_type_t type; /* of activations and weights; weight gradients are float */
    dnnl_stream_t stream;
    dnnl_primitive_desc_t description;
    dnnl_primitive_t primitive;
    dnnl_memory_t memory[MAX_ARGS]; /* two operands, the result */
    dnnl_exec_arg_t args[MAX_ARGS];
    dnnl_memory_desc_t plain_result;
    dnnl_primitive_t reorder; /* of weights, before or after the primitive; NULL = not timed */
    dnnl_memory_t plain_weights;
    dnnl_exec_arg_t reorder_args[2];
    bool reorders_result;
};

#define DO(call)                                                                                             \
    do {                                                                                                     \
        if ((call) != dnnl_success) return false;                                                            \
    } while (0)

/* ---- Layouts ---- */

static dnnl_memory_desc_t by_rows(dnnl_data_type_t type, int64_t rows, int64_t cols, bool transposed)
{
    dnnl_memory_desc_t d;
    const dnnl_dims_t dims = {rows, cols}, normal = {cols, 1}, swapped = {1, rows};
    dnnl_memory_desc_init_by_strides(&d, 2, dims, type, transposed ? swapped : normal);
    return d;
}

static dnnl_memory_desc_t any(dnnl_data_type_t type, int64_t rows, int64_t cols)
{
    dnnl_memory_desc_t d;
    const dnnl_dims_t dims = {rows, cols};
    dnnl_memory_desc_init_by_tag(&d, 2, dims, type, dnnl_format_tag_any);
    return d;
}

/* ---- Descriptions: what is computed. Each fills the plain layouts of both operands and of the result. ----
 */

typedef struct plan {
    dnnl_memory_desc_t a, b, c;
    int arg_a, arg_b, arg_c;                   /* which argument of the primitive each is */
    dnnl_query_t layout_a, layout_b, layout_c; /* how the primitive wants it */
} plan;

static bool describe_matmul(bench_onednn *p, plan *l, bench_product product, int64_t M, int64_t K, int64_t N)
{
    dnnl_matmul_desc_t d;
    dnnl_memory_desc_t weights;
    *l = (plan){.arg_a = DNNL_ARG_SRC,
                .arg_b = DNNL_ARG_WEIGHTS,
                .arg_c = DNNL_ARG_DST,
                .layout_a = dnnl_query_src_md,
                .layout_b = dnnl_query_weights_md,
                .layout_c = dnnl_query_dst_md};
    if (product == BENCH_FORWARD) {
        l->a = by_rows(p->type, M, K, false), l->b = by_rows(p->type, K, N, true),
        l->c = by_rows(p->type, M, N, false);
        weights = any(p->type, K, N);
    } else if (product == BENCH_DX) {
        l->a = by_rows(p->type, M, N, false), l->b = by_rows(p->type, N, K, false),
        l->c = by_rows(p->type, M, K, false);
        weights = any(p->type, N, K);
    } else {
        l->a = by_rows(p->type, N, M, true), l->b = by_rows(p->type, M, K, false),
        l->c = by_rows(dnnl_f32, N, K, false);
        weights = l->b; /* an activation */
    }
    DO(dnnl_matmul_desc_init(&d, &l->a, &weights, NULL, &l->c));
    DO(dnnl_primitive_desc_create(&p->description, &d, NULL, p->engine, NULL));
    return true;
}

static bool describe_inner_forward(const bench_onednn *p, dnnl_primitive_desc_t *out, int64_t M, int64_t K,
                                   int64_t N)
{
    dnnl_inner_product_desc_t d;
    const dnnl_memory_desc_t x = by_rows(p->type, M, K, false), w = any(p->type, N, K),
                             y = by_rows(p->type, M, N, false);
    DO(dnnl_inner_product_forward_desc_init(&d, dnnl_forward_training, &x, &w, NULL, &y));
    DO(dnnl_primitive_desc_create(out, &d, NULL, p->engine, NULL));
    return true;
}

static bool describe_inner_gradient(bench_onednn *p, plan *l, bench_product product, int64_t M, int64_t K,
                                    int64_t N)
{
    dnnl_inner_product_desc_t d;
    dnnl_primitive_desc_t forward;
    const dnnl_memory_desc_t weights = any(product == BENCH_DW ? dnnl_f32 : p->type, N, K);
    if (!describe_inner_forward(p, &forward, M, K, N)) return false;
    const dnnl_status_t described =
        product == BENCH_DX ? dnnl_inner_product_backward_data_desc_init(&d, &l->c, &weights, &l->a)
                            : dnnl_inner_product_backward_weights_desc_init(&d, &l->b, &weights, NULL, &l->a);
    const bool ok = described == dnnl_success &&
                    dnnl_primitive_desc_create(&p->description, &d, NULL, p->engine, forward) == dnnl_success;
    dnnl_primitive_desc_destroy(forward);
    return ok;
}

static bool describe_inner(bench_onednn *p, plan *l, bench_product product, int64_t M, int64_t K, int64_t N)
{
    const dnnl_memory_desc_t x = by_rows(p->type, M, K, false), w = by_rows(p->type, N, K, false),
                             y = by_rows(p->type, M, N, false);
    if (product == BENCH_FORWARD) {
        *l = (plan){x,
                    w,
                    y,
                    DNNL_ARG_SRC,
                    DNNL_ARG_WEIGHTS,
                    DNNL_ARG_DST,
                    dnnl_query_src_md,
                    dnnl_query_weights_md,
                    dnnl_query_dst_md};
        return describe_inner_forward(p, &p->description, M, K, N);
    }
    if (product == BENCH_DX)
        *l = (plan){y,
                    w,
                    x,
                    DNNL_ARG_DIFF_DST,
                    DNNL_ARG_WEIGHTS,
                    DNNL_ARG_DIFF_SRC,
                    dnnl_query_diff_dst_md,
                    dnnl_query_weights_md,
                    dnnl_query_diff_src_md};
    else
        *l = (plan){y,
                    x,
                    w,
                    DNNL_ARG_DIFF_DST,
                    DNNL_ARG_SRC,
                    DNNL_ARG_DIFF_WEIGHTS,
                    dnnl_query_diff_dst_md,
                    dnnl_query_src_md,
                    dnnl_query_diff_weights_md};
    return describe_inner_gradient(p, l, product, M, K, N);
}

/* ---- Convolutions: activations as [S,H,W,C], weights in files as [O,C,k,k] ---- */

static dnnl_memory_desc_t picture(dnnl_data_type_t type, int64_t S, int64_t C, int64_t H, int64_t W)
{
    dnnl_memory_desc_t d;
    const dnnl_dims_t dims = {S, C, H, W};
    dnnl_memory_desc_init_by_tag(&d, 4, dims, type, dnnl_nhwc);
    return d;
}

static dnnl_memory_desc_t filter(dnnl_data_type_t type, const bench_conv *c, dnnl_format_tag_t tag)
{
    dnnl_memory_desc_t d;
    const dnnl_dims_t dims = {c->O, c->C, c->k, c->k};
    dnnl_memory_desc_init_by_tag(&d, 4, dims, type, tag);
    return d;
}

static bool describe_conv_gradient(bench_onednn *p, dnnl_primitive_desc_t forward, bench_product product,
                                   const dnnl_memory_desc_t *x, const dnnl_memory_desc_t *y,
                                   const bench_conv *c)
{
    dnnl_convolution_desc_t d;
    const dnnl_dims_t stride = {c->stride, c->stride}, pad = {c->k / 2, c->k / 2};
    const dnnl_memory_desc_t w = filter(p->type, c, dnnl_format_tag_any),
                             dw = filter(dnnl_f32, c, dnnl_format_tag_any);
    if (product == BENCH_DX)
        DO(dnnl_convolution_backward_data_desc_init(&d, dnnl_convolution_direct, x, &w, y, stride, pad, pad));
    else
        DO(dnnl_convolution_backward_weights_desc_init(&d, dnnl_convolution_direct, x, &dw, NULL, y, stride,
                                                       pad, pad));
    DO(dnnl_primitive_desc_create(&p->description, &d, NULL, p->engine, forward));
    return true;
}

static bool describe_conv(bench_onednn *p, plan *l, bench_product product, const bench_conv *c)
{
    dnnl_convolution_desc_t d;
    dnnl_primitive_desc_t forward;
    const dnnl_dims_t stride = {c->stride, c->stride}, pad = {c->k / 2, c->k / 2};
    const dnnl_memory_desc_t x = picture(p->type, c->S, c->C, c->H, c->W),
                             y = picture(p->type, c->S, c->O, bench_conv_out(c, c->H),
                                         bench_conv_out(c, c->W)),
                             any_w = filter(p->type, c, dnnl_format_tag_any);
    static const plan of[] = {
        [BENCH_FORWARD] = {.arg_a = DNNL_ARG_SRC,
                           .arg_b = DNNL_ARG_WEIGHTS,
                           .arg_c = DNNL_ARG_DST,
                           .layout_a = dnnl_query_src_md,
                           .layout_b = dnnl_query_weights_md,
                           .layout_c = dnnl_query_dst_md},
        [BENCH_DX] = {.arg_a = DNNL_ARG_DIFF_DST,
                      .arg_b = DNNL_ARG_WEIGHTS,
                      .arg_c = DNNL_ARG_DIFF_SRC,
                      .layout_a = dnnl_query_diff_dst_md,
                      .layout_b = dnnl_query_weights_md,
                      .layout_c = dnnl_query_diff_src_md},
        [BENCH_DW] = {.arg_a = DNNL_ARG_DIFF_DST,
                      .arg_b = DNNL_ARG_SRC,
                      .arg_c = DNNL_ARG_DIFF_WEIGHTS,
                      .layout_a = dnnl_query_diff_dst_md,
                      .layout_b = dnnl_query_src_md,
                      .layout_c = dnnl_query_diff_weights_md},
    };
    *l = of[product];
    l->a = product == BENCH_FORWARD ? x : y;
    l->b = product == BENCH_DW ? x : filter(dnnl_f32, c, dnnl_oihw);
    l->c = product == BENCH_FORWARD ? y : product == BENCH_DX ? x : filter(dnnl_f32, c, dnnl_oihw);
    DO(dnnl_convolution_forward_desc_init(&d, dnnl_forward_training, dnnl_convolution_direct, &x, &any_w,
                                          NULL, &y, stride, pad, pad));
    DO(dnnl_primitive_desc_create(&forward, &d, NULL, p->engine, NULL));
    if (product == BENCH_FORWARD) {
        p->description = forward;
        return true;
    }
    const bool ok = describe_conv_gradient(p, forward, product, &x, &y, c);
    dnnl_primitive_desc_destroy(forward);
    return ok;
}

int64_t bench_conv_out(const bench_conv *c, int64_t size)
{
    return (size + 2 * (c->k / 2) - c->k) / c->stride + 1;
}

/* ---- Memory ---- */

static bool make_reorder(const bench_onednn *p, dnnl_primitive_t *out, dnnl_memory_t from, dnnl_memory_t to)
{
    const dnnl_memory_desc_t *from_layout, *to_layout;
    dnnl_primitive_desc_t d;
    DO(dnnl_memory_get_memory_desc(from, &from_layout));
    DO(dnnl_memory_get_memory_desc(to, &to_layout));
    DO(dnnl_reorder_primitive_desc_create(&d, from_layout, p->engine, to_layout, p->engine, NULL));
    const dnnl_status_t s = dnnl_primitive_create(out, d);
    dnnl_primitive_desc_destroy(d);
    return s == dnnl_success;
}

static bool copy(bench_onednn *p, dnnl_memory_t from, dnnl_memory_t to)
{
    dnnl_primitive_t reorder;
    if (!make_reorder(p, &reorder, from, to)) return false;
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
    dnnl_status_t s = dnnl_primitive_execute(reorder, p->stream, 2, args);
    if (s == dnnl_success) s = dnnl_stream_wait(p->stream);
    dnnl_primitive_destroy(reorder);
    return s == dnnl_success;
}

/* Memory of the layout that the primitive wants, filled from dense numbers (NULL: left as it is). */
static bool make_memory(bench_onednn *p, int i, int arg, dnnl_query_t layout, const dnnl_memory_desc_t *plain,
                        const float *data)
{
    dnnl_memory_t dense;
    const dnnl_memory_desc_t *wanted = dnnl_primitive_desc_query_md(p->description, layout, 0);
    if (!wanted) return false;
    DO(dnnl_memory_create(&p->memory[i], wanted, p->engine, DNNL_MEMORY_ALLOCATE));
    p->args[i] = (dnnl_exec_arg_t){arg, p->memory[i]};
    if (!data) return true;
    dnnl_memory_desc_t host = *plain;
    host.data_type = dnnl_f32;
    DO(dnnl_memory_create(&dense, &host, p->engine, (void *)(uintptr_t)data));
    const bool ok = copy(p, dense, p->memory[i]);
    dnnl_memory_destroy(dense);
    return ok;
}

/* ---- Life ---- */

static bool begin(bench_onednn *p, bool bf16)
{
    p->type = bf16 ? dnnl_bf16 : dnnl_f32;
    DO(dnnl_engine_create(&p->engine, dnnl_cpu, 0));
    DO(dnnl_stream_create(&p->stream, p->engine, dnnl_stream_default_flags));
    return true;
}

/* The primitive that has been described, and its memory. */
static bool complete(bench_onednn *p, const plan *l, const float *a, const float *b)
{
    DO(dnnl_primitive_create(&p->primitive, p->description));
    p->plain_result = l->c;
    return make_memory(p, 0, l->arg_a, l->layout_a, &l->a, a) &&
           make_memory(p, 1, l->arg_b, l->layout_b, &l->b, b) &&
           make_memory(p, 2, l->arg_c, l->layout_c, &l->c, NULL);
}

bench_onednn *bench_onednn_create(bench_product product, bench_primitive primitive, int64_t M, int64_t K,
                                  int64_t N, bool bf16, const float *a, const float *b)
{
    plan l;
    bench_onednn *p = calloc(1, sizeof *p);
    if (p && begin(p, bf16) &&
        (primitive == BENCH_MATMUL ? describe_matmul(p, &l, product, M, K, N)
                                   : describe_inner(p, &l, product, M, K, N)) &&
        complete(p, &l, a, b))
        return p;
    bench_onednn_destroy(p);
    return NULL;
}

/* Time the way of the weights from their plain layout, or of their gradient back to it. */
static bool time_reorder(bench_onednn *p, const plan *l, bool of_result)
{
    const dnnl_memory_t own = p->memory[of_result ? 2 : 1];
    DO(dnnl_memory_create(&p->plain_weights, of_result ? &l->c : &l->b, p->engine, DNNL_MEMORY_ALLOCATE));
    if (!of_result && !copy(p, own, p->plain_weights)) return false;
    const dnnl_memory_t from = of_result ? own : p->plain_weights, to = of_result ? p->plain_weights : own;
    p->reorders_result = of_result;
    p->reorder_args[0] = (dnnl_exec_arg_t){DNNL_ARG_FROM, from};
    p->reorder_args[1] = (dnnl_exec_arg_t){DNNL_ARG_TO, to};
    return make_reorder(p, &p->reorder, from, to);
}

bench_onednn *bench_onednn_create_conv(bench_product product, const bench_conv *c, bool learns, bool bf16,
                                       const float *a, const float *b)
{
    plan l;
    bench_onednn *p = calloc(1, sizeof *p);
    if (p && begin(p, bf16) && describe_conv(p, &l, product, c) && complete(p, &l, a, b) &&
        (!learns || time_reorder(p, &l, product == BENCH_DW)))
        return p;
    bench_onednn_destroy(p);
    return NULL;
}

void bench_onednn_destroy(bench_onednn *p)
{
    if (!p) return;
    for (int i = 0; i < MAX_ARGS; i++)
        if (p->memory[i]) dnnl_memory_destroy(p->memory[i]);
    if (p->plain_weights) dnnl_memory_destroy(p->plain_weights);
    if (p->reorder) dnnl_primitive_destroy(p->reorder);
    if (p->primitive) dnnl_primitive_destroy(p->primitive);
    if (p->description) dnnl_primitive_desc_destroy(p->description);
    if (p->stream) dnnl_stream_destroy(p->stream);
    if (p->engine) dnnl_engine_destroy(p->engine);
    free(p);
}

bool bench_onednn_run(bench_onednn *p)
{
    if (p->reorder && !p->reorders_result)
        DO(dnnl_primitive_execute(p->reorder, p->stream, 2, p->reorder_args));
    DO(dnnl_primitive_execute(p->primitive, p->stream, MAX_ARGS, p->args));
    if (p->reorder && p->reorders_result)
        DO(dnnl_primitive_execute(p->reorder, p->stream, 2, p->reorder_args));
    DO(dnnl_stream_wait(p->stream));
    return true;
}

bool bench_onednn_result(bench_onednn *p, float *out)
{
    dnnl_memory_t dense;
    dnnl_memory_desc_t host = p->plain_result;
    host.data_type = dnnl_f32;
    DO(dnnl_memory_create(&dense, &host, p->engine, out));
    const bool ok = copy(p, p->memory[2], dense);
    dnnl_memory_destroy(dense);
    return ok;
}

const char *bench_onednn_implementation(const bench_onednn *p)
{
    const char *text = "";
    dnnl_primitive_desc_query(p->description, dnnl_query_impl_info_str, 0, &text);
    return text;
}

const char *bench_onednn_version(void)
{
    static char text[32];
    const dnnl_version_t *v = dnnl_version();
    snprintf(text, sizeof text, "%d.%d.%d", v->major, v->minor, v->patch);
    return text;
}
