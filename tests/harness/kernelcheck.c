/* kernelcheck.c: kernels against the reference, called directly with operands whose surroundings are watched.
 * Kernels on bf16 activations are compared with the reference on the same numbers in float32. */
#include "base/stream.h"
#include "engine/state.h"
#include "tests/harness/opcheck.h"
#include "tests/harness/tolerance.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const uint32_t SENTINEL = 0x7fcd7fcd; /* a NaN that no arithmetic makes, in float and in bf16 */

/* One way of calling: what varies between runs. */
typedef struct setting {
    int64_t leading; /* samples */
    int64_t gap;     /* pitch - cols of activations */
    bool accumulate;
    int threads, skip_out;     /* skip_out: this output is unused; -1 = none */
    uint32_t poison;           /* bit i: an element in the middle of input i is NaN */
    bool rounded;              /* inputs are numbers that bf16 can hold */
    at_dtype act;              /* of the kernel under test */
    char *const *inputs;       /* of the case, dense: integers or at_real, rounded if that is asked for */
    const at_inplace *inplace; /* this output lies in that input's memory; NULL = none does */
    struct answer **known;     /* results of the reference so far */
} setting;

typedef struct operand {
    at_meta meta;
    at_arg arg;
    size_t bytes;
    void *memory, *before;
    const void *buffers[AT_MAX_BUFFERS];
} operand;

typedef struct bench {
    at_ctx *ctx;
    const at_op *op;
    const at_op_case *k;
    at_problem problem;
    at_extent extent[AT_CASE_EXTENTS];
    int64_t rows[AT_CASE_EXTENTS]; /* their values */
    operand in[AT_MAX_IN], out[AT_MAX_OUT];
    int n_out;
} bench;

static size_t element(const operand *o)
{
    return at_dtype_size(o->arg.dtype);
}

static void put_real(void *at, at_dtype dtype, double x)
{
    if (dtype == AT_BF16)
        *(uint16_t *)at = at_f32_to_bf16((float)x);
    else
        *(at_real *)at = (at_real)x;
}

static void fill_sentinel(void *p, size_t bytes)
{
    char *at = p;
    const size_t first = bytes < sizeof SENTINEL ? bytes : sizeof SENTINEL;
    memcpy(at, &SENTINEL, first);
    for (size_t done = first; done < bytes;) { /* what is done, once more */
        const size_t now = done < bytes - done ? done : bytes - done;
        memcpy(at + done, at, now);
        done += now;
    }
}

/* either: the op takes act and acc in this place, so a kernel's elements are those of its activations. */
static at_dtype dtype_of(const at_meta *m, const setting *s, bool either)
{
    if (m->type == AT_INT) return AT_I32;
    return s->act == AT_BF16 && (m->type == AT_ACT || either) ? AT_BF16 : AT_REAL;
}

static void lay(operand *o, const int64_t *rows, const setting *s, bool either)
{
    const at_meta *m = &o->meta;
    o->arg = (at_arg){.dtype = dtype_of(m, s, either), .rank = m->rank, .cols = at_meta_cols(m)};
    memcpy(o->arg.dim, m->dim, sizeof o->arg.dim);
    o->arg.dim[0] = m->extent ? at_meta_leading(m, rows[m->extent->index]) : m->dim[0];
    o->arg.rows = at_meta_rows_at(m, o->arg.dim[0]);
    const bool pitched = m->extent && m->type != AT_INT && o->arg.cols > 1;
    o->arg.pitch = o->arg.cols + (pitched ? s->gap : 0);
    o->bytes = (size_t)(at_meta_max_rows(m) * o->arg.pitch + 64) * element(o);
    o->memory = aligned_alloc(64, (o->bytes + 63) / 64 * 64);
    o->before = malloc(o->bytes);
    fill_sentinel(o->memory, o->bytes);
    o->arg.data = o->memory;
}

static char *place(const operand *o, int64_t row, int64_t col)
{
    return (char *)o->memory + (size_t)(row * o->arg.pitch + col) * element(o);
}

/* dense: integers or at_real. */
static void put_dense(operand *o, const char *dense)
{
    const size_t width = (size_t)o->arg.cols * (o->arg.dtype == AT_I32 ? 4 : sizeof(at_real));
    for (int64_t r = 0; r < o->arg.rows; r++, dense += width)
        if (o->arg.dtype != AT_BF16)
            memcpy(place(o, r, 0), dense, width);
        else
            for (int64_t c = 0; c < o->arg.cols; c++)
                ((uint16_t *)place(o, r, 0))[c] = at_f32_to_bf16((float)((const at_real *)dense)[c]);
}

/* out: at_real, or the integers' bits. */
static void get_dense(const operand *o, char *dense)
{
    const size_t width = (size_t)o->arg.cols * (o->arg.dtype == AT_I32 ? 4 : sizeof(at_real));
    for (int64_t r = 0; r < o->arg.rows; r++, dense += width) {
        const char *row = place(o, r, 0);
        if (o->arg.dtype != AT_BF16) memcpy(dense, row, width);
        for (int64_t c = 0; c < o->arg.cols && o->arg.dtype == AT_BF16; c++)
            ((at_real *)dense)[c] = (at_real)at_bf16_to_f32(((const uint16_t *)row)[c]);
    }
}

/* To add to. */
static void put_something(operand *o)
{
    for (int64_t r = 0; r < o->arg.rows; r++)
        for (int64_t c = 0, some = r % 5; c < o->arg.cols; c++, some = some < 4 ? some + 1 : 0)
            put_real(place(o, r, c), o->arg.dtype, 0.25 * (double)some);
}

static bool setup(bench *b, const setting *s)
{
    at_meta in[AT_MAX_IN] = {0}, out[AT_MAX_OUT] = {0};
    at_case_metas(b->op, b->k, b->extent, in);
    at_case_extents(b->k, s->leading, b->rows);
    if (b->op->infer(b->ctx, b->k->param, in, out, out + b->op->n_out) != AT_OK) return false;
    b->n_out = b->op->n_out + b->op->n_saved;
    b->problem = (at_problem){
        .op = b->op, .param = b->k->param, .mode = AT_TRAIN, .isa = b->ctx->isa, .threads = s->threads};
    for (int i = 0; i < b->op->n_in; i++) {
        if (!in[i].rank) continue;
        operand *o = &b->in[i];
        o->meta = in[i];
        lay(o, b->rows, s, b->op->any_in >> i & 1);
        put_dense(o, s->inputs[i]);
        if (s->poison >> i & 1 && o->arg.rows > 0)
            put_real(place(o, o->arg.rows / 2, o->arg.cols / 2), o->arg.dtype, NAN);
        memcpy(o->before, o->memory, o->bytes);
        b->problem.in[i] = in[i];
        b->problem.in_dtype[i] = o->arg.dtype;
        if (!in[i].extent &&
            in[i].type == AT_ACC) { /* may be a state: plain numbers, readable through the loader */
            o->buffers[0] = o->memory;
            o->arg.storage = b->problem.storage[i] = at_storage_of(b->ctx, AT_REAL);
            o->arg.buffers = o->buffers;
        }
    }
    for (int i = 0; i < b->n_out; i++) {
        operand *o = &b->out[i];
        o->meta = out[i];
        lay(o, b->rows, s, b->op->any_in);
        if (s->accumulate && o->arg.dtype != AT_I32) put_something(o);
        b->problem.out[i] = out[i];
        b->problem.out_dtype[i] = o->arg.dtype;
    }
    return true;
}

static void teardown(bench *b)
{
    for (int i = 0; i < AT_MAX_IN; i++) free(b->in[i].memory), free(b->in[i].before);
    for (int i = 0; i < AT_MAX_OUT; i++) free(b->out[i].memory), free(b->out[i].before);
}

static at_status call(bench *b, const setting *s, const at_kernel *kernel, const at_need *need)
{
    if (at_ctx_set_threads(b->ctx, s->threads) != AT_OK) return AT_E_NOMEM;
    at_call c = {
        .param = b->k->param, .pool = b->ctx->pool, .key = at_rng_make(3, 5, 7), .rounds = s->rounded};
    void *memory[AT_MAX_PREPARED + 2] = {0};
    for (int i = 0; i < AT_MAX_IN; i++) c.in[i] = b->in[i].arg;
    for (int i = 0; i < b->n_out; i++) {
        c.out[i] = b->out[i].arg;
        if (i == s->skip_out) c.out[i].data = NULL;
        if (s->accumulate) c.accumulate |= 1u << i;
    }
    if (s->inplace) c.out[s->inplace->out] = b->in[s->inplace->in].arg;
    if (!kernel) c.pool = NULL; /* references are serial */
    at_status status = kernel && kernel->open ? kernel->open(b->ctx, &b->problem, &c.own) : AT_OK;
    const size_t stride = (need->thread_scratch + 63) / 64 * 64;
    memory[0] = aligned_alloc(64, (need->scratch + 127) / 64 * 64);
    memory[1] = aligned_alloc(64, stride * (size_t)s->threads + 64);
    fill_sentinel(memory[0], need->scratch);
    fill_sentinel(memory[1], stride * (size_t)s->threads);
    c.scratch = memory[0];
    c.thread_scratch = memory[1];
    c.thread_stride = stride;
    for (int k = 0; k < need->n_prepared && status == AT_OK; k++) {
        memory[2 + k] = aligned_alloc(64, (need->prepared[k].bytes + 127) / 64 * 64);
        fill_sentinel(memory[2 + k], need->prepared[k].bytes);
        at_call p = c;
        p.prepared[0] = memory[2 + k];
        status = need->prepared[k].prepare(&p);
    }
    for (int k = 0; k < need->n_prepared; k++) c.prepared[k] = memory[2 + k];
    if (status == AT_OK) status = (kernel ? kernel->run : b->op->ref)(&c);
    if (kernel && kernel->close) kernel->close(b->ctx, c.own);
    for (int i = 0; i < AT_COUNT(memory); i++) free(memory[i]);
    return status;
}

/* From element i to element end. */
static bool is_sentinel(const operand *o, int64_t i, int64_t end)
{
    const char *at = (const char *)o->memory + (size_t)i * element(o);
    for (size_t w = 0; w < (size_t)(end - i) * element(o); w += 2)
        if (memcmp(at + w, &SENTINEL, 2) != 0) return false;
    return true;
}

/* Everything of an operand's memory that is not a current element must be as it was. */
static bool is_surroundings_intact(const operand *o)
{
    const at_arg *a = &o->arg;
    for (int64_t row = 0; row < a->rows; row++)
        if (!is_sentinel(o, row * a->pitch + a->cols, (row + 1) * a->pitch)) return false;
    return is_sentinel(o, a->rows * a->pitch, (int64_t)(o->bytes / element(o)));
}

static void check_memory(const bench *b, const setting *s, at_report *r)
{
    for (int i = 0; i < b->op->n_in; i++) {
        if (!b->in[i].memory || b->op->updates >> i & 1 || (s->inplace && s->inplace->in == i)) continue;
        at_report_check(r, memcmp(b->in[i].memory, b->in[i].before, b->in[i].bytes) == 0,
                        "input %d was written", i);
    }
    for (int i = 0; i < b->n_out; i++)
        if (i != s->skip_out)
            at_report_check(r, is_surroundings_intact(&b->out[i]),
                            "output %d: written outside its %lld rows x %lld columns", i,
                            (long long)b->out[i].arg.rows, (long long)b->out[i].arg.cols);
}

/* Results of one run, dense: outputs, then overwritten states. */
typedef struct results {
    char *data[AT_MAX_OUT + AT_MAX_IN];
    int64_t count[AT_MAX_OUT + AT_MAX_IN], cols[AT_MAX_OUT + AT_MAX_IN];
    bool by_row[AT_MAX_OUT + AT_MAX_IN];
    double relative[AT_MAX_OUT + AT_MAX_IN]; /* what rounding to the element type may change of each */
    int n;
} results;

static void keep(results *out, const operand *o)
{
    out->count[out->n] = o->arg.rows * o->arg.cols;
    out->cols[out->n] = o->arg.cols;
    out->by_row[out->n] = o->meta.extent != NULL;
    out->relative[out->n] = o->arg.dtype == AT_BF16 ? AT_TOL_BF16 : 0.0;
    out->data[out->n] = calloc((size_t)out->count[out->n] + 1, sizeof(at_real));
    get_dense(o, out->data[out->n++]);
}

static void drop(results *x)
{
    for (int i = 0; i < x->n; i++) free(x->data[i]);
    memset(x, 0, sizeof *x);
}

static at_need need_of(const at_op *op, const at_kernel *k, const at_problem *p)
{
    at_need need = {0};
    if (k && k->need) k->need(p, &need);
    if (!k && op->ref_need) op->ref_need(p, &need);
    return need;
}

/* Run once; false when the kernel refuses the case. */
static bool run_once(at_ctx *ctx, const at_op *op, const at_op_case *k, const at_kernel *kernel,
                     const setting *how, results *out, at_report *r)
{
    setting own = *how, *s = &own;
    own.act = kernel && how->rounded ? AT_BF16 : AT_F32; /* the reference runs in at_real */
    bench b = {.ctx = ctx, .op = op, .k = k};
    memset(out, 0, sizeof *out);
    if (!setup(&b, s)) {
        at_report_check(r, false, "infer refuses the case: %s", at_last_error(ctx));
        at_clear_error(ctx);
        teardown(&b);
        return false;
    }
    char reason[AT_REASON] = "";
    bool supported =
        !kernel || (kernel->isa <= ctx->isa && (!kernel->supports || kernel->supports(&b.problem, reason)));
    if (supported) {
        const at_need need = need_of(op, kernel, &b.problem);
        const at_status status = call(&b, s, kernel, &need);
        at_report_check(r, status == AT_OK, "status %s", at_status_name(status));
        check_memory(&b, s, r);
        for (int i = 0; i < b.n_out; i++)
            if (i != s->skip_out)
                keep(out, s->inplace && s->inplace->out == i ? &b.in[s->inplace->in] : &b.out[i]);
        for (int i = 0; i < op->n_in; i++)
            if (op->updates >> i & 1) keep(out, &b.in[i]);
    }
    teardown(&b);
    return supported;
}

/* What the reference computes, kept for all kernels and pitches of a case; all its outputs. */
typedef struct answer {
    setting how;
    results results;
    struct answer *next;
} answer;

static bool is_same_reference(const setting *a, const setting *b)
{
    return a->leading == b->leading && a->accumulate == b->accumulate && a->poison == b->poison &&
           a->rounded == b->rounded;
}

static const results *reference(at_ctx *ctx, const at_op *op, const at_op_case *k, const setting *s,
                                at_report *r)
{
    for (const answer *x = *s->known; x; x = x->next)
        if (is_same_reference(&x->how, s)) return &x->results;
    answer *x = malloc(sizeof *x);
    if (!x) abort();
    *x = (answer){.how = *s, .next = *s->known};
    x->how.gap = 0;
    x->how.threads = 1;
    x->how.skip_out = -1;
    x->how.inplace = NULL;
    run_once(ctx, op, k, NULL, &x->how, &x->results, r);
    *s->known = x;
    return &x->results;
}

static void drop_answers(answer *x)
{
    while (x) {
        answer *next = x->next;
        drop(&x->results);
        free(x);
        x = next;
    }
}

/* got lacks output `skipped`; -1 = none. */
static void compare_others(const results *got, const results *want, int skipped, double tol, bool bits,
                           at_report *r)
{
    for (int i = 0; i < got->n; i++) {
        const int w = i + (skipped >= 0 && i >= skipped);
        char what[32];
        snprintf(what, sizeof what, "result %d", w);
        if (bits)
            at_report_same(r, what, got->data[i], want->data[w], (size_t)got->count[i] * sizeof(at_real));
        else
            at_report_close_rounded(r, what, (at_real *)got->data[i], (at_real *)want->data[w], got->count[i],
                                    tol, got->relative[i]);
    }
}

static void compare(const results *got, const results *want, double tol, bool bits, at_report *r)
{
    compare_others(got, want, -1, tol, bits, r);
}

/* Fewer rows must give the same bits in the rows that remain. */
static void compare_prefix(const results *few, const results *all, at_report *r)
{
    for (int i = 0; i < few->n; i++)
        if (few->by_row[i])
            at_report_same(r, "rows that do not depend on later rows", few->data[i], all->data[i],
                           (size_t)few->count[i] * sizeof(at_real));
}

/* Writing over an input must give the same bits as writing elsewhere. */
static void check_in_place(at_ctx *ctx, const at_op *op, const at_op_case *k, const at_kernel *kernel,
                           const setting *base, at_report *r)
{
    setting s = *base;
    results apart, over;
    for (int i = 0; i < op->n_inplace; i++)
        for (s.gap = 0; s.gap <= 3; s.gap += 3) {
            at_report_at(r, "%s, case %s, output %d in place of input %d%s", kernel ? kernel->name : op->name,
                         k->name, op->inplace[i].out, op->inplace[i].in, s.gap ? ", pitched" : "");
            s.inplace = NULL;
            run_once(ctx, op, k, kernel, &s, &apart, r);
            s.inplace = &op->inplace[i];
            run_once(ctx, op, k, kernel, &s, &over, r);
            compare(&over, &apart, 0, true, r);
            drop(&apart);
            drop(&over);
        }
}

/* Where the reference has a number and the kernel NaN: a kernel may multiply a NaN weight by the zeros around
 * a picture, which the reference does not visit. Such elements are not compared; those that the reference
 * spoils are. */
static void forgive_nan(results *got, const results *ref)
{
    for (int i = 0; i < got->n; i++)
        for (int64_t e = 0; e < got->count[i]; e++) {
            at_real *g = (at_real *)got->data[i] + e;
            if (isnan((double)*g)) *g = ((const at_real *)ref->data[i])[e];
        }
}

/* A NaN that the reference lets out must come out: where the reference has one, so must the kernel. */
static void check_nan(at_ctx *ctx, const at_op *op, const at_op_case *k, const at_kernel *kernel,
                      const setting *base, at_report *r)
{
    setting s = *base;
    results got;
    for (int i = 0; i < op->n_in; i++) {
        if (op->int_in >> i & 1 || !k->in[i].rank) continue;
        at_report_at(r, "%s, case %s, NaN in input %d", kernel ? kernel->name : op->name, k->name, i);
        s.poison = 1u << i;
        const results *ref = reference(ctx, op, k, &s, r);
        run_once(ctx, op, k, kernel, &s, &got, r);
        forgive_nan(&got, ref);
        compare(&got, ref, AT_TOL_KERNEL, false, r);
        drop(&got);
    }
}

static void check_one(at_ctx *ctx, const at_op *op, const at_op_case *k, const at_kernel *kernel,
                      char *const *inputs, answer **known, at_report *r)
{
    const int64_t samples = at_case_samples(op, k);
    setting s = {.leading = samples, .threads = 1, .skip_out = -1, .inputs = inputs, .known = known};
    s.rounded = kernel && kernel->act == AT_BF16;
    const results *ref;
    results got, other;
    const int64_t usual = at__stream_bytes;
    /* A reference that is serial and gapless is what reference() computes. */
    for (int accumulate = 0; accumulate < (op->n_out ? 2 : 1); accumulate++)
        for (int gap = kernel ? 0 : 3; gap <= 3; gap += 3) {
            s.accumulate = accumulate;
            s.gap = gap;
            s.threads = 1;
            at_report_at(r, "%s, case %s, %s%s", kernel ? kernel->name : op->name, k->name,
                         gap ? "pitched" : "gapless", accumulate ? ", accumulate" : "");
            if (!run_once(ctx, op, k, kernel, &s, &got, r)) {
                drop(&got);
                return;
            }
            ref = reference(ctx, op, k, &s, r);
            compare(&got, ref, AT_TOL_KERNEL, false, r);
            for (s.threads = 2; kernel && s.threads <= 5; s.threads += 3) {
                if (s.threads == 5) at__stream_bytes = 0; /* small results go past the caches, too */
                run_once(ctx, op, k, kernel, &s, &other, r);
                at__stream_bytes = usual;
                if (!kernel || !kernel->thread_dependent) compare(&other, &got, 0, true, r);
                drop(&other);
            }
            s.threads = 2;
            if (samples > 1 && (op->extent_in | op->rows_in)) {
                s.leading = samples - 1;
                ref = reference(ctx, op, k, &s, r);
                run_once(ctx, op, k, kernel, &s, &other, r);
                compare(&other, ref, AT_TOL_KERNEL, false, r);
                if (!op->couples_rows) compare_prefix(&other, &got, r);
                drop(&other);
                s.leading = samples;
            }
            drop(&got);
        }
    s.accumulate = false;
    s.gap = 0;
    for (s.skip_out = 0; s.skip_out < op->n_out + op->n_saved && op->n_out + op->n_saved > 1; s.skip_out++) {
        at_report_at(r, "%s, case %s, output %d unused", kernel ? kernel->name : op->name, k->name,
                     s.skip_out);
        ref = reference(ctx, op, k, &s, r);
        run_once(ctx, op, k, kernel, &s, &got, r);
        compare_others(&got, ref, s.skip_out, AT_TOL_KERNEL, !kernel, r);
        drop(&got);
    }
    s.skip_out = -1;
    check_in_place(ctx, op, k, kernel, &s, r);
    if (kernel) check_nan(ctx, op, k, kernel, &s, r);
}

/* Dense numbers for input i, from malloc; rounded: such as bf16 can hold. */
static char *inputs_of(const at_op *op, const at_op_case *k, int i, const at_meta *m, bool rounded)
{
    const int64_t n = at_meta_max_rows(m) * at_meta_cols(m);
    char *out = malloc((size_t)(n + 1) * sizeof(at_real));
    if (!out) abort();
    at_fill_input(op, k, i, m, out);
    for (int64_t e = 0; e < n && rounded && m->type != AT_INT; e++) {
        at_real *x = (at_real *)out + e;
        *x = (at_real)at_bf16_to_f32(at_f32_to_bf16((float)*x));
    }
    return out;
}

void at_check_kernels(at_ctx *ctx, const at_op *op, const at_op_case *k, at_report *r)
{
    char *inputs[2][AT_MAX_IN] = {{0}}; /* [rounded] */
    answer *known = NULL;
    at_meta in[AT_MAX_IN] = {0};
    at_extent extent[AT_CASE_EXTENTS];
    at_case_metas(op, k, extent, in);
    for (int i = 0; i < op->n_in; i++)
        for (int rounded = 0; rounded < 2 && in[i].rank; rounded++)
            inputs[rounded][i] = inputs_of(op, k, i, &in[i], rounded);
    /* The reference honours accumulate, rows, unused outputs, too. */
    check_one(ctx, op, k, NULL, inputs[0], &known, r);
    int cursor = 0;
    const at_kernel *kernel;
    while ((kernel = at_registry_next(ctx, "kernel", &cursor)))
        if (kernel->op == op) check_one(ctx, op, k, kernel, inputs[kernel->act == AT_BF16], &known, r);
    drop_answers(known);
    for (int i = 0; i < op->n_in; i++) free(inputs[0][i]), free(inputs[1][i]);
}
