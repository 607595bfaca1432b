/* rope_simd.c: rows turned by vectors. A position is 64 a + b: cosines and sines of the parts lie in a table
 * of doubles, made in scratch for each call as far as its positions go, and a row's are products of two
 * entries; so a row takes no cosine of its own, and long texts lose no digits. */
#include "base/simd.h"
#include "engine/rows.h"
#include "ops/rope/rope.h"
#include <math.h>

enum { STEP = 64, TILE_ELEMENTS = 16384 };

typedef struct turns {
    const at_call *c;
    int64_t H;           /* pairs of a head */
    double *fine, *wide; /* [STEP][2][H] and [..][2][H]: cosines, then sines, of b and of 64 a positions */
} turns;

static int64_t wide_rows(const at_rope_param *p)
{
    return at_ceil_div(p->positions, STEP);
}

static void fill(double *table, int64_t rows, int64_t step, const turns *t)
{
    const at_rope_param *p = t->c->param;
    for (int64_t i = 0; i < t->H; i++) {
        const double angle = (double)step * pow(p->theta, -(double)i / (double)t->H) * (p->back ? -1 : 1);
        for (int64_t k = 0; k < rows; k++) {
            table[2 * k * t->H + i] = cos((double)k * angle);
            table[(2 * k + 1) * t->H + i] = sin((double)k * angle);
        }
    }
}

/* The largest position; -1: one is out of range. */
static int64_t last_position(const at_call *c)
{
    const at_rope_param *p = c->param;
    int64_t last = 0;
    for (int64_t r = 0; r < c->out[0].rows; r++) {
        const int32_t position = at_int_row(c, 1, r)[0];
        if (position < 0 || position >= p->positions) return -1;
        last = at_max(last, position);
    }
    return last;
}

/* turn[0..H): cosines of the position; turn[H..2H): sines. */
static void turn_of(const turns *t, int64_t position, float *turn)
{
    const int64_t H = t->H;
    const double *a = t->wide + position / STEP * 2 * H, *b = t->fine + position % STEP * 2 * H;
    for (int64_t i = 0; i < H; i++) {
        turn[i] = (float)(a[i] * b[i] - a[H + i] * b[H + i]);
        turn[H + i] = (float)(a[i] * b[H + i] + a[H + i] * b[i]);
    }
}

static void turn_head(const at_element *x, at_element *y, const float *turn, int64_t H, bool accumulate)
{
    for (int64_t i = 0; i < H; i += VL) {
        const int64_t lanes = at_min(VL, H - i);
        const vf re = va_load_n(x + i, lanes), im = va_load_n(x + H + i, lanes);
        const vf cosine = vf_load_n(turn + i, lanes), sine = vf_load_n(turn + H + i, lanes);
        vf u = re * cosine - im * sine, v = im * cosine + re * sine;
        if (accumulate) {
            u += va_load_n(y + i, lanes);
            v += va_load_n(y + H + i, lanes);
        }
        va_store_n(y + i, u, lanes);
        va_store_n(y + H + i, v, lanes);
    }
}

static int64_t tile_rows(int64_t cols)
{
    return at_max(1, TILE_ELEMENTS / cols);
}

static void tile(void *arg, int64_t index, int thread)
{
    const turns *t = arg;
    const at_call *c = t->c;
    const int64_t C = c->out[0].cols, first = index * tile_rows(C),
                  last = at_min(first + tile_rows(C), c->out[0].rows);
    float *turn = at_thread_scratch(c, thread);
    for (int64_t r = first; r < last; r++) {
        const at_element *x = (const at_element *)c->in[0].data + r * c->in[0].pitch;
        at_element *y = (at_element *)c->out[0].data + r * c->out[0].pitch;
        turn_of(t, at_int_row(c, 1, r)[0], turn);
        for (int64_t col = 0; col < C; col += 2 * t->H)
            turn_head(x + col, y + col, turn, t->H, c->accumulate & 1);
    }
}

static void need(const at_problem *p, at_need *out)
{
    const at_rope_param *param = p->param;
    const size_t D = (size_t)(p->in[0].dim[1] / param->heads);
    out->scratch = (size_t)(STEP + wide_rows(param)) * D * sizeof(double);
    out->thread_scratch = D * sizeof(float);
}

static at_status run(const at_call *c)
{
    const at_rope_param *p = c->param;
    const int64_t last = last_position(c);
    if (last < 0) return AT_E_INTERNAL; /* checked where the batch was filled */
    turns t = {.c = c, .H = c->out[0].cols / p->heads / 2, .fine = c->scratch};
    t.wide = t.fine + STEP * 2 * t.H;
    fill(t.fine, at_min(STEP, last + 1), 1, &t);
    fill(t.wide, last / STEP + 1, STEP, &t);
    at_parallel_for(c->pool, at_ceil_div(c->out[0].rows, tile_rows(c->out[0].cols)), tile, &t);
    return AT_OK;
}

const at_kernel AT_SIMD(at_kernel_rope) = {.name = "rope." AT_SIMD_VARIANT,
                                           .op = &at_op_rope,
                                           .isa = AT_SIMD_LEVEL,
                                           .act = AT_SIMD_ACT,
                                           .need = need,
                                           .run = run};
