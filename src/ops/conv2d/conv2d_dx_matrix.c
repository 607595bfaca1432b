/* conv2d_dx_matrix.c: the gradient of a convolution with respect to x by the packed product.
 *
 * An output reaches an input pixel through tap k where pixel + padding = output * stride + k * dilation along
 * both axes. Pixels of equal (pixel + padding) mod stride, a phase, share their taps, so every phase is a
 * product of its own, without the taps that do not exist: row = pixel of the phase, column = (tap, output
 * channel). Its pixels do not lie evenly in dx: the product's rows are made in scratch, a piece at a time,
 * and moved from there. Stride 1 is one phase, whose rows are those of dx. Groups come one after another.
 * Reading path: dx, product_of_phase, taps_of. */
#include "ops/conv2d/conv2d.h"
#include "ops/conv2d/im2col_simd.h"
#include "ops/linear/pack_simd.h"

enum {
    PIECE = 4096, /* rows in scratch: many tiles of a product, and still in the cache when they are moved */
    MOVED = 64,   /* rows a task moves */
};

/* A phase along one axis: pixel first + i * stride, through its tap t, saw output start + i - t * back. */
typedef struct axis {
    int64_t first, pixels;
    int64_t first_tap, tap_step, taps; /* of the kernel */
    int64_t start, back;
} axis;

static axis axis_of(int64_t phase, int64_t stride, int64_t dilation, int64_t padding, int64_t size,
                    int64_t kernel)
{
    axis a = {.first = (phase + stride - padding % stride) % stride, .tap_step = 1};
    if (a.first >= size) return a;
    a.pixels = at_ceil_div(size - a.first, stride);
    while (a.tap_step * dilation % stride) a.tap_step++;
    const int64_t last = at_min(a.tap_step, kernel);
    while (a.first_tap < last && a.first_tap * dilation % stride != phase) a.first_tap++;
    if (a.first_tap == last) return a;
    a.taps = at_ceil_div(kernel - a.first_tap, a.tap_step);
    a.start = (a.first + padding - a.first_tap * dilation) / stride;
    a.back = a.tap_step * dilation / stride;
    return a;
}

/* The same in the product's terms. */
static at_gemm_axis taps_along(const axis *a, int64_t size)
{
    return (at_gemm_axis){size, a->pixels, 1, a->taps, a->start, -a->back};
}

typedef struct phase {
    axis y, x;
    grid pixels;
    int64_t taps; /* 0 also where it has no pixels */
} phase;

static int64_t phases(const at_conv2d_param *p)
{
    return p->stride_y * p->stride_x;
}

/* kernel: the last two extents of w. */
static phase phase_of(const at_conv2d_param *p, const int64_t *kernel, int64_t index)
{
    phase f = {
        .y = axis_of(index / p->stride_x, p->stride_y, p->dilation_y, p->pad_top, p->height, kernel[0]),
        .x = axis_of(index % p->stride_x, p->stride_x, p->dilation_x, p->pad_left, p->width, kernel[1])};
    f.pixels = (grid){f.y.pixels, f.x.pixels};
    f.taps = f.y.taps * f.x.taps;
    return f;
}

/* ---- Packed weights: for each group, the panels of its phases one after another ---- */

/* Numbers of one group. */
static int64_t group_size(const at_conv2d_param *p, const int64_t *kernel, int64_t outs, int64_t ins)
{
    int64_t size = 0;
    for (int64_t i = 0; i < phases(p); i++) size += gemm_packed_size(outs * phase_of(p, kernel, i).taps, ins);
    return size;
}

/* Some outputs of a group for every phase, while the weights these share are in the cache. */
static void pack_outputs(const at_call *c, int64_t group, int64_t from, int64_t last)
{
    const at_conv2d_param *p = c->param;
    const at_arg *w = &c->in[1];
    const int64_t *kernel = &w->dim[2], outs = w->dim[0] / p->groups, ins = w->dim[1];
    pack_job j = {.w = w,
                  .out = (gemm_operand *)c->prepared[0] + group * group_size(p, kernel, outs, ins),
                  .first_row = group * outs,
                  .outs = outs,
                  .ins = ins,
                  .taps = kernel[0] * kernel[1]};
    for (int64_t i = 0; i < phases(p); i++) {
        const phase f = phase_of(p, kernel, i);
        if (f.taps == 0) continue;
        j.chosen = (pack_taps){.first = f.y.first_tap * kernel[1] + f.x.first_tap,
                               .rows = f.y.taps,
                               .row_step = f.y.tap_step * kernel[1],
                               .columns = f.x.taps,
                               .column_step = f.x.tap_step};
        pack_backward_taps(&j, from, last);
        j.out += gemm_packed_size(outs * f.taps, ins);
    }
}

static void pack_task(void *arg, int64_t index, int thread)
{
    (void)thread;
    const at_call *c = arg;
    const int64_t outs = c->in[1].dim[0] / ((const at_conv2d_param *)c->param)->groups;
    const int64_t blocks = at_ceil_div(outs, PACK_ROWS), from = index % blocks * PACK_ROWS;
    pack_outputs(c, index / blocks, from, at_min(from + PACK_ROWS, outs));
}

static bool is_one_tap(const at_call *c)
{
    return phases(c->param) == 1 && c->in[1].dim[2] * c->in[1].dim[3] == 1;
}

/* Of one group. */
static void prepare_part(const at_call *c, int64_t part)
{
    if (is_one_tap(c))
        pack_backward_part(c, &c->in[1], part);
    else
        pack_outputs(c, 0, part * GEMM_NR, at_min((part + 1) * GEMM_NR, c->in[1].dim[0]));
}

static at_status prepare(const at_call *c)
{
    const at_conv2d_param *p = c->param;
    if (is_one_tap(c)) return pack_backward_one(c, &c->in[1], p->groups);
    const int64_t outs = c->in[1].dim[0] / p->groups, ins = c->in[1].dim[1];
    at_call call = *c;
    gemm_operand *out = c->prepared[0];
    for (int64_t i = 0; i < p->groups * phases(p); i++) {
        const int64_t K = outs * phase_of(p, &c->in[1].dim[2], i % phases(p)).taps;
        pack_pad(out, K, ins);
        out += gemm_packed_size(K, ins);
    }
    at_parallel_for(c->pool, p->groups * at_ceil_div(outs, PACK_ROWS), pack_task, &call);
    return AT_OK;
}

/* ---- Rows ---- */

/* Some rows of one phase, in one group. */
typedef struct piece {
    const at_conv2d_param *p;
    const at_arg *dy, *dx;
    const at_element *from; /* dy at the group's first channel */
    at_element *to;         /* dx likewise */
    int64_t outs, ins;      /* channels of a group, of dy and dx */
    phase f;
    int64_t first, rows;
    at_element *dense; /* [rows, ins] */
    enum { CLEAR, GATHER, SCATTER } what;
} piece;

/* Its rows as a product has them. */
static at_gemm_taps taps_of(const piece *t)
{
    return (at_gemm_taps){.data = t->from,
                          .pitch = t->dy->pitch,
                          .channels = t->outs,
                          .samples = t->dy->dim[0],
                          .first = t->first,
                          .y = taps_along(&t->f.y, t->dy->dim[1]),
                          .x = taps_along(&t->f.x, t->dy->dim[2])};
}

/* Rows of the piece to or from where they lie in dx. */
static void move_rows(void *arg, int64_t index, int thread)
{
    (void)thread;
    const piece *t = arg;
    const int64_t first = index * MOVED, last = at_min(t->rows, first + MOVED);
    const size_t bytes = (size_t)t->ins * sizeof(at_element);
    place at = place_of(&t->f.pixels, t->first + first);
    for (int64_t row = first; row < last; row++, step(&t->f.pixels, &at)) {
        const int64_t y = t->f.y.first + at.y * t->p->stride_y, x = t->f.x.first + at.x * t->p->stride_x;
        at_element *pixel = t->to + ((at.s * t->dx->dim[1] + y) * t->dx->dim[2] + x) * t->dx->pitch;
        if (t->what == CLEAR)
            memset(pixel, 0, bytes);
        else if (t->what == GATHER)
            memcpy(t->dense + row * t->ins, pixel, bytes);
        else
            memcpy(pixel, t->dense + row * t->ins, bytes);
    }
}

static void move(const at_call *c, piece *t, int what)
{
    t->what = what;
    at_parallel_for(c->pool, at_ceil_div(t->rows, MOVED), move_rows, t);
}

/* ---- Products ---- */

static void need(const at_problem *problem, at_need *out)
{
    const at_conv2d_param *p = problem->param;
    const at_meta *w = &problem->in[1], *dx = &problem->out[0];
    const int64_t outs = w->dim[0] / p->groups, ins = w->dim[1];
    for (int64_t i = 0; i < phases(p); i++) {
        const phase f = phase_of(p, &w->dim[2], i);
        if (f.taps == 0) continue;
        const at_gemm_taps through = {.channels = outs,
                                      .y = taps_along(&f.y, problem->in[0].dim[1]),
                                      .x = taps_along(&f.x, problem->in[0].dim[2])};
        const size_t bytes = AT_SIMD(at_gemm_thread_scratch)(outs * f.taps, ins, &through);
        out->thread_scratch = bytes > out->thread_scratch ? bytes : out->thread_scratch;
    }
    if (phases(p) > 1)
        out->scratch = (size_t)(at_min(PIECE, at_meta_max_rows(dx)) * ins) * sizeof(at_element);
    out->n_prepared = 1;
    out->prepared[0].from = 2;
    out->prepared[0].bytes =
        (size_t)(p->groups * group_size(p, &w->dim[2], outs, ins)) * sizeof(gemm_operand);
    out->prepared[0].prepare = prepare;
    out->prepared[0].part = p->groups == 1 ? prepare_part : NULL;
    out->prepared[0].part_rows = GEMM_NR;
}

static void product(const at_call *c, const piece *t, const gemm_operand *b, at_element *out, int64_t pitch)
{
    const at_gemm_taps taps = taps_of(t);
    const at_gemm_job job = {.M = t->rows,
                             .N = t->ins,
                             .K = t->outs * t->f.taps,
                             .a = im2col_matrix(&taps),
                             .b = b,
                             .c = out,
                             .c_pitch = pitch,
                             .accumulate = c->accumulate & 1,
                             .pool = c->pool,
                             .thread_scratch = c->thread_scratch,
                             .thread_stride = c->thread_stride};
    AT_SIMD(at_gemm)(&job);
}

static void product_of_phase(const at_call *c, piece *t, const gemm_operand *b)
{
    const int64_t all = t->dx->dim[0] * t->f.y.pixels * t->f.x.pixels;
    const bool adds = c->accumulate & 1, strided = phases(t->p) > 1;
    for (t->first = 0; t->first < all; t->first += t->rows) {
        t->rows = strided ? at_min(PIECE, all - t->first) : all;
        if (t->f.taps == 0) {
            if (!adds) move(c, t, CLEAR);
        } else if (strided) {
            if (adds) move(c, t, GATHER);
            product(c, t, b, t->dense, t->ins);
            move(c, t, SCATTER);
        } else {
            product(c, t, b, t->to, t->dx->pitch);
        }
    }
}

static at_status dx(const at_call *c)
{
    const at_conv2d_param *p = c->param;
    const at_arg *w = &c->in[1];
    piece t = {.p = p,
               .dy = &c->in[0],
               .dx = &c->out[0],
               .outs = w->dim[0] / p->groups,
               .ins = w->dim[1],
               .dense = c->scratch};
    const gemm_operand *b = c->prepared[0];
    for (int64_t g = 0; g < p->groups; g++) {
        t.from = (const at_element *)t.dy->data + g * t.outs;
        t.to = (at_element *)t.dx->data + g * t.ins;
        for (int64_t i = 0; i < phases(p); i++) {
            t.f = phase_of(p, &w->dim[2], i);
            product_of_phase(c, &t, b);
            b += gemm_packed_size(t.outs * t.f.taps, t.ins);
        }
    }
    return AT_OK;
}

const at_kernel AT_SIMD(at_kernel_conv2d_dx) = {.name = "conv2d_dx." AT_SIMD_VARIANT,
                                                .op = &at_op_conv2d_dx,
                                                .isa = AT_SIMD_LEVEL,
                                                .act = AT_SIMD_ACT,
                                                .reads_storage = 2,
                                                .need = need,
                                                .run = dx};
