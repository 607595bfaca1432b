/* rope: rotary positions (Su et al. 2021, RoFormer), columns paired as Transformers does (rotate_half)
 * x, y [R,heads D] act   position_ids [R] int   H = D / 2, and for i < H, in each head
 *   y[i]     = x[i] cos a - x[i + H] sin a          a = position theta^(-i/H)
 *   y[i + H] = x[i + H] cos a + x[i] sin a
 * dx: dy turned by -a. Nothing is saved.
 * A position outside [0,positions) is a defect of what filled the batch: the kernels answer AT_E_INTERNAL. */
#include "ops/rope/rope.h"
#include <math.h>

static at_status infer(at_ctx *ctx, const void *param, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)saved;
    const at_rope_param *p = param;
    AT_REQUIRE(ctx, p->theta > 0 && p->positions > 0, AT_E_RANGE, "rope: theta is %g, positions %lld",
               p->theta, (long long)p->positions);
    AT_REQUIRE(ctx, in[0].rank == 2 && in[0].extent, AT_E_SHAPE, "rope: x must be [R,C] on an extent");
    AT_REQUIRE(ctx, p->heads > 0 && in[0].dim[1] % (2 * p->heads) == 0, AT_E_SHAPE,
               "rope: %lld columns are not %lld heads of an even number", (long long)in[0].dim[1],
               (long long)p->heads);
    AT_REQUIRE(ctx, in[1].rank == 1 && in[1].extent == in[0].extent && in[1].dim[0] == in[0].dim[0],
               AT_E_SHAPE, "rope: position_ids must be [R] on the extent of x");
    out[0] = in[0];
    return AT_OK;
}

static void grad(at_graph *g, const at_node *n, at_value *const *dy, at_value **dx)
{
    at_rope_param p = *(const at_rope_param *)n->param;
    p.back = !p.back;
    if (dx[0]) dx[0] = at_op1(g, &at_op_rope, &p, dy[0], n->in[1]);
}

static void turn(const at_call *c, const at_real *x, at_real *y, int64_t H, double position)
{
    const at_rope_param *p = c->param;
    for (int64_t i = 0; i < H; i++) {
        const double a = position * pow(p->theta, -(double)i / (double)H), re = (double)x[i],
                     im = (double)x[i + H];
        const double cosine = cos(a), sine = p->back ? -sin(a) : sin(a);
        at_put(c, 0, &y[i], re * cosine - im * sine);
        at_put(c, 0, &y[i + H], im * cosine + re * sine);
    }
}

static at_status ref(const at_call *c)
{
    const at_rope_param *p = c->param;
    const int64_t D = c->out[0].cols / p->heads;
    for (int64_t r = 0; r < c->out[0].rows; r++) {
        const int32_t position = at_int_row(c, 1, r)[0];
        if (position < 0 || position >= p->positions) return AT_E_INTERNAL;
        for (int64_t h = 0; h < p->heads; h++)
            turn(c, at_row(c, 0, r) + h * D, at_out_row(c, 0, r) + h * D, D / 2, position);
    }
    return AT_OK;
}

#define PARAM(...)                                                                                           \
    .param = &(const at_rope_param)                                                                          \
    {                                                                                                        \
        __VA_ARGS__                                                                                          \
    }

static const at_op_case cases[] = {
    {.name = "two_heads", PARAM(2, 13, 0, 10000), .in = {{2, {5, 16}}, {1, {5}}}, .int_below = 13},
    {.name = "back", PARAM(2, 13, 1, 10000), .in = {{2, {5, 16}}, {1, {5}}}, .int_below = 13},
    {.name = "odd", PARAM(3, 200, 0, 160000), .in = {{2, {11, 18}}, {1, {11}}}, .int_below = 200},
    {.name = "least", PARAM(1, 1, 0, 10), .in = {{2, {1, 2}}, {1, {1}}}, .int_below = 1},
    {.name = "empty", PARAM(2, 8, 0, 10000), .in = {{2, {0, 8}}, {1, {0}}}, .int_below = 8},
    {.name = "large",
     PARAM(24, 8192, 0, 160000),
     .in = {{2, {67, 1536}}, {1, {67}}},
     .int_below = 8192,
     .large = true},
    {.name = "large_back",
     PARAM(5, 8192, 1, 10000),
     .in = {{2, {67, 230}}, {1, {67}}},
     .int_below = 8192,
     .large = true},
    {0},
};

static const at_op_case refused[] = {
    {.name = "theta is 0", PARAM(2, 13, 0, 0), .in = {{2, {5, 16}}, {1, {5}}}, .int_below = 13},
    {.name = "not 2 heads of an even number",
     PARAM(2, 13, 0, 10),
     .in = {{2, {5, 6}}, {1, {5}}},
     .int_below = 13},
    {.name = "position_ids must be [R]",
     PARAM(2, 13, 0, 10),
     .in = {{2, {5, 16}}, {2, {5, 2}}},
     .int_below = 13},
    {0},
};

static double flops(const void *param, const at_meta *in, const at_meta *out)
{
    (void)param, (void)out;
    return 3.0 * (double)at_meta_max_rows(&in[0]) * (double)at_meta_cols(&in[0]);
}

const at_op at_op_rope = {.name = "rope",
                          .doc = "rotary positions: pairs of columns turned by the row's position",
                          .n_in = 2,
                          .n_out = 1,
                          .param_size = sizeof(at_rope_param),
                          .extent_in = 3,
                          .int_in = 2,
                          .inplace = {{0, 0}},
                          .n_inplace = 1,
                          .infer = infer,
                          .grad = grad,
                          .ref = ref,
                          .flops = flops,
                          .cases = cases,
                          .refused = refused};

at_value *at_rope(at_graph *g, at_value *x, at_value *position_ids, int64_t heads, int64_t positions,
                  double theta)
{
    return at_op1(g, &at_op_rope, (&(at_rope_param){heads, positions, 0, theta}), x, position_ids);
}
