/* onednn.c: a product as a oneDNN primitive (C interface of 2.6): matmul, or inner product and its gradients.
 *
 * Activations lie dense by rows, as a caller has them. Weights have "any" layout: oneDNN chooses, and the
 * reorder is not part of what is timed. So has the weight gradient, whose reorder back is not timed either:
 * in oneDNN's favour. */
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

/* ---- Memory ---- */

static bool copy(bench_onednn *p, dnnl_memory_t from, dnnl_memory_t to)
{
    const dnnl_memory_desc_t *from_layout, *to_layout;
    dnnl_primitive_desc_t d;
    dnnl_primitive_t reorder;
    DO(dnnl_memory_get_memory_desc(from, &from_layout));
    DO(dnnl_memory_get_memory_desc(to, &to_layout));
    DO(dnnl_reorder_primitive_desc_create(&d, from_layout, p->engine, to_layout, p->engine, NULL));
    dnnl_status_t s = dnnl_primitive_create(&reorder, d);
    dnnl_primitive_desc_destroy(d);
    if (s != dnnl_success) return false;
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
    s = dnnl_primitive_execute(reorder, p->stream, 2, args);
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

static bool create(bench_onednn *p, bench_product product, bench_primitive primitive, int64_t M, int64_t K,
                   int64_t N, const float *a, const float *b)
{
    plan l;
    DO(dnnl_engine_create(&p->engine, dnnl_cpu, 0));
    DO(dnnl_stream_create(&p->stream, p->engine, dnnl_stream_default_flags));
    const bool offered = primitive == BENCH_MATMUL ? describe_matmul(p, &l, product, M, K, N)
                                                   : describe_inner(p, &l, product, M, K, N);
    if (!offered) return false;
    DO(dnnl_primitive_create(&p->primitive, p->description));
    p->plain_result = l.c;
    return make_memory(p, 0, l.arg_a, l.layout_a, &l.a, a) &&
           make_memory(p, 1, l.arg_b, l.layout_b, &l.b, b) &&
           make_memory(p, 2, l.arg_c, l.layout_c, &l.c, NULL);
}

bench_onednn *bench_onednn_create(bench_product product, bench_primitive primitive, int64_t M, int64_t K,
                                  int64_t N, bool bf16, const float *a, const float *b)
{
    bench_onednn *p = calloc(1, sizeof *p);
    if (p) p->type = bf16 ? dnnl_bf16 : dnnl_f32;
    if (p && create(p, product, primitive, M, K, N, a, b)) return p;
    bench_onednn_destroy(p);
    return NULL;
}

void bench_onednn_destroy(bench_onednn *p)
{
    if (!p) return;
    for (int i = 0; i < MAX_ARGS; i++)
        if (p->memory[i]) dnnl_memory_destroy(p->memory[i]);
    if (p->primitive) dnnl_primitive_destroy(p->primitive);
    if (p->description) dnnl_primitive_desc_destroy(p->description);
    if (p->stream) dnnl_stream_destroy(p->stream);
    if (p->engine) dnnl_engine_destroy(p->engine);
    free(p);
}

bool bench_onednn_run(bench_onednn *p)
{
    DO(dnnl_primitive_execute(p->primitive, p->stream, MAX_ARGS, p->args));
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
