/* conv2d_onednn_cpu.c: k x k convolutions by oneDNN, y and dx of float (builds with -DAT_ONEDNN=ON).
 *
 * Bits must not depend on threads, so oneDNN has one: a task is a picture, whose primitive is made and run
 * with one thread of OpenMP. Weights are prepared in the layout that oneDNN likes best. It takes pixels
 * without gaps and overwrites; where rows have gaps or are added to, a picture goes through scratch. Code is
 * generated when the plan is made; a step asks no memory of ours (oneDNN takes some hundred bytes a call).
 * Reading path: describe, at_open, run, picture. */
#include "base/alloc.h"
#include "ops/conv2d/conv2d.h"
#include <dnnl.h>
#include <omp.h>
#include <stdio.h>

enum { FEW = 8 }; /* channels */

#define DO(call)                                                                                             \
    do {                                                                                                     \
        const dnnl_status_t status_ = (call);                                                                \
        if (status_ != dnnl_success) return status_;                                                         \
    } while (0)

/* What a thread of the pool runs with; memory objects without memory. */
typedef struct lane {
    dnnl_stream_t stream;
    dnnl_memory_t from, weights, to, scratch;
} lane;

typedef struct own {
    dnnl_engine_t engine;
    dnnl_primitive_desc_t description;
    dnnl_primitive_t convolution, reorder;
    dnnl_memory_t plain; /* weights as in files */
    bool is_dx;
    size_t from_bytes, to_bytes; /* scratch for a picture without gaps */
    int n_lanes;
    lane *lanes;
} own;

/* ---- What is computed ---- */

static int with_one_thread(void)
{
    const int before = omp_get_max_threads();
    omp_set_num_threads(1);
    return before;
}

/* Operand i of a picture in channels-last rows, or weights. */
static dnnl_status_t layout(dnnl_memory_desc_t *out, const at_meta *m, dnnl_format_tag_t tag)
{
    const dnnl_dims_t picture = {1, m->dim[3], m->dim[1], m->dim[2]};
    return dnnl_memory_desc_init_by_tag(out, 4, m->extent ? picture : m->dim, dnnl_f32, tag);
}

static dnnl_status_t describe_with(own *o, const at_problem *problem, dnnl_primitive_attr_t attr)
{
    const at_conv2d_param *p = problem->param;
    const at_meta *x = o->is_dx ? &problem->out[0] : &problem->in[0],
                  *y = o->is_dx ? &problem->in[0] : &problem->out[0];
    const dnnl_dims_t stride = {p->stride_y, p->stride_x}, before = {p->pad_top, p->pad_left},
                      behind = {p->pad_bottom, p->pad_right},
                      between = {p->dilation_y - 1, p->dilation_x - 1};
    dnnl_memory_desc_t of_x, of_w, of_y;
    dnnl_convolution_desc_t d;
    dnnl_primitive_desc_t forward;
    DO(layout(&of_x, x, dnnl_nhwc));
    DO(layout(&of_y, y, dnnl_nhwc));
    DO(layout(&of_w, &problem->in[1], dnnl_format_tag_any));
    DO(dnnl_dilated_convolution_forward_desc_init(&d, dnnl_forward_training, dnnl_convolution_direct, &of_x,
                                                  &of_w, NULL, &of_y, stride, between, before, behind));
    if (!o->is_dx) return dnnl_primitive_desc_create(&o->description, &d, attr, o->engine, NULL);
    DO(dnnl_primitive_desc_create(&forward, &d, attr, o->engine, NULL));
    dnnl_status_t s = dnnl_dilated_convolution_backward_data_desc_init(
        &d, dnnl_convolution_direct, &of_x, &of_w, &of_y, stride, between, before, behind);
    if (s == dnnl_success) s = dnnl_primitive_desc_create(&o->description, &d, attr, o->engine, forward);
    dnnl_primitive_desc_destroy(forward);
    return s;
}

static dnnl_status_t describe(own *o, const at_problem *problem)
{
    dnnl_primitive_attr_t attr;
    const at_meta *x = &problem->in[0], *y = &problem->out[0];
    o->is_dx = problem->op == &at_op_conv2d_dx;
    o->from_bytes = (size_t)(x->dim[1] * x->dim[2] * x->dim[3]) * sizeof(float);
    o->to_bytes = (size_t)(y->dim[1] * y->dim[2] * y->dim[3]) * sizeof(float);
    DO(dnnl_engine_create(&o->engine, dnnl_cpu, 0));
    DO(dnnl_primitive_attr_create(&attr));
    dnnl_status_t s = dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);
    const int threads = with_one_thread();
    if (s == dnnl_success) s = describe_with(o, problem, attr);
    omp_set_num_threads(threads);
    dnnl_primitive_attr_destroy(attr);
    return s;
}

static const dnnl_memory_desc_t *wanted(const own *o, dnnl_query_t what)
{
    return dnnl_primitive_desc_query_md(o->description, what, 0);
}

/* ---- Life ---- */

static void destroy_lane(lane *l)
{
    dnnl_memory_t memory[] = {l->from, l->weights, l->to, l->scratch};
    for (int i = 0; i < AT_COUNT(memory); i++)
        if (memory[i]) dnnl_memory_destroy(memory[i]);
    if (l->stream) dnnl_stream_destroy(l->stream);
}

static void destroy(at_ctx *ctx, own *o)
{
    for (int i = 0; i < o->n_lanes && o->lanes; i++) destroy_lane(&o->lanes[i]);
    at_free(ctx, o->lanes);
    if (o->plain) dnnl_memory_destroy(o->plain);
    if (o->reorder) dnnl_primitive_destroy(o->reorder);
    if (o->convolution) dnnl_primitive_destroy(o->convolution);
    if (o->description) dnnl_primitive_desc_destroy(o->description);
    if (o->engine) dnnl_engine_destroy(o->engine);
    *o = (own){0};
}

static void close_own(at_ctx *ctx, void *self)
{
    if (!self) return;
    destroy(ctx, self);
    at_free(ctx, self);
}

static dnnl_status_t make_lane(const own *o, lane *l)
{
    const dnnl_query_t from = o->is_dx ? dnnl_query_diff_dst_md : dnnl_query_src_md,
                       to = o->is_dx ? dnnl_query_diff_src_md : dnnl_query_dst_md;
    DO(dnnl_stream_create(&l->stream, o->engine, dnnl_stream_default_flags));
    DO(dnnl_memory_create(&l->from, wanted(o, from), o->engine, DNNL_MEMORY_NONE));
    DO(dnnl_memory_create(&l->to, wanted(o, to), o->engine, DNNL_MEMORY_NONE));
    DO(dnnl_memory_create(&l->weights, wanted(o, dnnl_query_weights_md), o->engine, DNNL_MEMORY_NONE));
    return dnnl_memory_create(&l->scratch, wanted(o, dnnl_query_scratchpad_md), o->engine, DNNL_MEMORY_NONE);
}

static dnnl_status_t make_reorder(own *o, const at_problem *problem)
{
    dnnl_memory_desc_t plain;
    dnnl_primitive_desc_t d;
    DO(layout(&plain, &problem->in[1], dnnl_oihw));
    DO(dnnl_memory_create(&o->plain, &plain, o->engine, DNNL_MEMORY_NONE));
    DO(dnnl_reorder_primitive_desc_create(&d, &plain, o->engine, wanted(o, dnnl_query_weights_md), o->engine,
                                          NULL));
    const dnnl_status_t s = dnnl_primitive_create(&o->reorder, d);
    dnnl_primitive_desc_destroy(d);
    return s;
}

static dnnl_status_t make(own *o, const at_problem *problem)
{
    DO(describe(o, problem));
    const int threads = with_one_thread();
    dnnl_status_t s = dnnl_primitive_create(&o->convolution, o->description);
    if (s == dnnl_success) s = make_reorder(o, problem);
    for (int i = 0; i < o->n_lanes && s == dnnl_success; i++) s = make_lane(o, &o->lanes[i]);
    omp_set_num_threads(threads);
    return s;
}

static at_status open_own(at_ctx *ctx, const at_problem *problem, void **out)
{
    own *o;
    AT_NEW(ctx, o, 1);
    *out = o; /* closed also after a failure */
    AT_NEW(ctx, o->lanes, problem->threads);
    o->n_lanes = problem->threads;
    const dnnl_status_t s = make(o, problem);
    AT_REQUIRE(ctx, s == dnnl_success, AT_E_DEVICE,
               "%s: oneDNN cannot make what it has described (its status %d); choose other kernels",
               problem->op->name, (int)s);
    return AT_OK;
}

/* ---- Which, and with what ---- */

static bool supports(const at_problem *problem, char reason[AT_REASON])
{
    const at_conv2d_param *p = problem->param;
    const at_meta *w = &problem->in[1];
    const char *refusal = NULL, *name = "";
    if (p->groups > 1)
        refusal = "it takes no groups";
    else if (w->dim[2] * w->dim[3] == 1)
        refusal = "1x1 is a product";
    else if (problem->in[2].rank)
        refusal = "it adds no bias";
    else if (!problem->in[0].extent || w->extent)
        refusal = "it is for pictures and weights";
    if (!refusal) {
        own o = {0};
        const dnnl_status_t s = describe(&o, problem);
        if (s == dnnl_success) dnnl_primitive_desc_query(o.description, dnnl_query_impl_info_str, 0, &name);
        if (s != dnnl_success)
            refusal = "oneDNN has none";
        else if (strncmp(name, "jit", 3) != 0)
            refusal = "oneDNN generates no code for it";
        destroy(NULL, &o);
    }
    if (refusal) snprintf(reason, AT_REASON, "%s", refusal);
    return !refusal;
}

/* Tells layouts of weights apart. */
static uint64_t form_of(const dnnl_memory_desc_t *d)
{
    const dnnl_blocking_desc_t *b = &d->format_desc.blocking;
    char text[AT_REASON];
    int n = 0;
    for (int i = 0; i < d->ndims; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, "%lld ", (long long)b->strides[i]);
    for (int i = 0; i < b->inner_nblks && n < (int)sizeof text; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, "%lld:%lld ", (long long)b->inner_idxs[i],
                      (long long)b->inner_blks[i]);
    return at_hash_name(text);
}

static size_t rounded(size_t bytes)
{
    return (size_t)at_round_up((int64_t)bytes, AT_ALIGN);
}

/* Setting it writes zeros where a layout pads channels, where the reorder has written them anyway. */
static dnnl_memory_t with(dnnl_memory_t m, const void *data)
{
    void *now = NULL;
    dnnl_memory_get_data_handle(m, &now);
    if (now != data) dnnl_memory_set_data_handle(m, (void *)(uintptr_t)data);
    return m;
}

static at_status prepare(const at_call *c)
{
    const own *o = c->own;
    const lane *l = &o->lanes[0];
    const int threads = with_one_thread();
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, with(o->plain, c->in[1].data)},
                                    {DNNL_ARG_TO, with(l->weights, c->prepared[0])}};
    const dnnl_status_t s = dnnl_primitive_execute(o->reorder, l->stream, AT_COUNT(args), args);
    omp_set_num_threads(threads);
    return s == dnnl_success ? AT_OK : AT_E_DEVICE;
}

static void need(const at_problem *problem, at_need *out)
{
    own o = {0};
    if (describe(&o, problem) == dnnl_success) {
        const dnnl_memory_desc_t *w = wanted(&o, dnnl_query_weights_md);
        out->thread_scratch = rounded(o.from_bytes) + rounded(o.to_bytes) +
                              dnnl_memory_desc_get_size(wanted(&o, dnnl_query_scratchpad_md));
        out->n_prepared = 1;
        out->prepared[0].from = 2;
        out->prepared[0].form = form_of(w);
        out->prepared[0].bytes = dnnl_memory_desc_get_size(w);
        out->prepared[0].prepare = prepare;
    }
    destroy(NULL, &o);
}

/* ---- Running ---- */

typedef struct job {
    const at_call *c;
    int64_t from_rows, to_rows; /* of a picture */
    bool failed;
} job;

static const float *without_gaps(const at_arg *a, int64_t first, int64_t rows, float *scratch)
{
    const float *data = (const float *)a->data + first * a->pitch;
    if (a->pitch == a->cols) return data;
    for (int64_t r = 0; r < rows; r++)
        memcpy(scratch + r * a->cols, data + r * a->pitch, (size_t)a->cols * sizeof(float));
    return scratch;
}

static void put(const at_call *c, int64_t first, int64_t rows, const float *result)
{
    const at_arg *a = &c->out[0];
    for (int64_t r = 0; r < rows; r++) {
        float *to = (float *)a->data + (first + r) * a->pitch;
        const float *from = result + r * a->cols;
        if (c->accumulate & 1)
            for (int64_t i = 0; i < a->cols; i++) to[i] += from[i];
        else
            memcpy(to, from, (size_t)a->cols * sizeof(float));
    }
}

static void picture(void *arg, int64_t s, int thread)
{
    job *j = arg;
    const at_call *c = j->c;
    const own *o = c->own;
    const lane *l = &o->lanes[thread];
    const at_arg *to = &c->out[0];
    char *scratch = at_thread_scratch(c, thread), *behind = scratch + rounded(o->from_bytes);
    const bool direct = to->pitch == to->cols && !(c->accumulate & 1);
    const float *from = without_gaps(&c->in[0], s * j->from_rows, j->from_rows, (float *)(void *)scratch);
    float *result = direct ? (float *)to->data + s * j->to_rows * to->cols : (float *)(void *)behind;
    const dnnl_exec_arg_t args[] = {{o->is_dx ? DNNL_ARG_DIFF_DST : DNNL_ARG_SRC, with(l->from, from)},
                                    {DNNL_ARG_WEIGHTS, l->weights},
                                    {o->is_dx ? DNNL_ARG_DIFF_SRC : DNNL_ARG_DST, with(l->to, result)},
                                    {DNNL_ARG_SCRATCHPAD, with(l->scratch, behind + rounded(o->to_bytes))}};
    const int threads = with_one_thread();
    if (dnnl_primitive_execute(o->convolution, l->stream, AT_COUNT(args), args) != dnnl_success)
        __atomic_store_n(&j->failed, true, __ATOMIC_RELAXED);
    omp_set_num_threads(threads);
    if (!direct) put(c, s * j->to_rows, j->to_rows, result);
}

static at_status run(const at_call *c)
{
    const own *o = c->own;
    job j = {c, c->in[0].dim[1] * c->in[0].dim[2], c->out[0].dim[1] * c->out[0].dim[2], false};
    const int threads = with_one_thread();
    for (int i = 0; i < o->n_lanes; i++) with(o->lanes[i].weights, c->prepared[0]); /* no task writes there */
    omp_set_num_threads(threads);
    at_parallel_for(c->pool, c->in[0].dim[0], picture, &j);
    return j.failed ? AT_E_DEVICE : AT_OK;
}

/* Where pixels have few channels im2col gathers short runs, and oneDNN was measured to be faster: bench_conv
 * on AVX2, y of x with 1, 3, 4 and 8 channels, 1.6 to 2.5 times. Elsewhere it was not, and processors with
 * more than AVX2 nobody has measured: there it runs by name only. A pass of fewer pictures than threads
 * leaves threads idle (one picture on two: 0.9 times); the choice depends on neither number, or bits would.
 */
static int score(const at_problem *problem)
{
    const at_meta *w = &problem->in[1];
    const bool faster = problem->op == &at_op_conv2d && problem->isa == AT_ISA_AVX2 && w->dim[1] <= FEW;
    return faster ? 10 * (AT_ISA_AVX2 + 1) + 1 : 1;
}

const at_kernel at_kernel_conv2d_onednn = {.name = "conv2d.onednn",
                                           .op = &at_op_conv2d,
                                           .isa = AT_ISA_AVX2,
                                           .act = AT_F32,
                                           .supports = supports,
                                           .score = score,
                                           .need = need,
                                           .run = run,
                                           .open = open_own,
                                           .close = close_own};

const at_kernel at_kernel_conv2d_dx_onednn = {.name = "conv2d_dx.onednn",
                                              .op = &at_op_conv2d_dx,
                                              .isa = AT_ISA_AVX2,
                                              .act = AT_F32,
                                              .supports = supports,
                                              .score = score,
                                              .need = need,
                                              .run = run,
                                              .open = open_own,
                                              .close = close_own};
