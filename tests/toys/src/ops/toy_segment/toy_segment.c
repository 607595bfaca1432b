/* toy_segment: y[s] = mean of x[offsets[s] .. offsets[s+1])          x [R,C]   offsets [Smax+1] int   y [S,C]
 * dx[r] = dy[s(r)] / rows of s. A stand-in for ops on ragged rows. */
#include "ops/toy_segment/toy_segment.h"

static const at_op at_op_toy_segment_dx;

static at_status infer(at_ctx *ctx, const void *p, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)p, (void)saved;
    AT_REQUIRE(ctx, in[0].extent && in[0].rank == 2 && in[2].extent, AT_E_SHAPE,
               "toy_segment: x must be [R,C] and like [S,...], each on an extent");
    AT_REQUIRE(ctx, at_is_vector(&in[1], in[2].extent->max + 1), AT_E_SHAPE,
               "toy_segment: offsets must be [%lld]", (long long)in[2].extent->max + 1);
    out[0] = in[0];
    out[0].extent = in[2].extent;
    out[0].dim[0] = in[2].extent->max;
    return AT_OK;
}

static void grad(at_graph *g, const at_node *n, at_value *const *dy, at_value **dx)
{
    if (dx[0]) dx[0] = at_op1(g, &at_op_toy_segment_dx, NULL, dy[0], n->in[1], n->in[0]);
}

static at_status ref(const at_call *c)
{
    const int32_t *offsets = at_int_row(c, 1, 0);
    for (int64_t s = 0; s < c->out[0].rows; s++)
        for (int64_t i = 0; i < c->out[0].cols; i++) {
            const int32_t first = offsets[s], last = offsets[s + 1];
            double sum = 0.0;
            for (int32_t r = first; r < last; r++) sum += (double)at_row(c, 0, r)[i];
            at_put(c, 0, &at_out_row(c, 0, s)[i], last > first ? sum / (last - first) : 0.0);
        }
    return AT_OK;
}

const at_op at_op_toy_segment = {.name = "toy_segment",
                                 .doc = "mean of each sample's rows",
                                 .n_in = 3,
                                 .n_out = 1,
                                 .extent_in = 5,
                                 .int_in = 6,
                                 .infer = infer,
                                 .grad = grad,
                                 .ref = ref};

/* ---- dx: in dy [S,C], offsets, like x ---- */

static at_status dx_infer(at_ctx *ctx, const void *p, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)ctx, (void)p, (void)saved;
    out[0] = in[2];
    return AT_OK;
}

static at_status dx_ref(const at_call *c)
{
    const int32_t *offsets = at_int_row(c, 1, 0);
    for (int64_t s = 0; s < c->in[0].rows; s++)
        for (int32_t r = offsets[s]; r < offsets[s + 1]; r++)
            for (int64_t i = 0; i < c->out[0].cols; i++)
                at_put(c, 0, &at_out_row(c, 0, r)[i],
                       (double)at_row(c, 0, s)[i] / (offsets[s + 1] - offsets[s]));
    return AT_OK;
}

static const at_op at_op_toy_segment_dx = {.name = "toy_segment_dx",
                                           .doc = "the gradient spread over each sample's rows",
                                           .n_in = 3,
                                           .n_out = 1,
                                           .extent_in = 5,
                                           .int_in = 2,
                                           .infer = dx_infer,
                                           .no_grad_reason = "a gradient itself",
                                           .ref = dx_ref};

at_value *at_toy_segment(at_graph *g, at_value *x, at_value *offsets, at_value *like)
{
    return at_op1(g, &at_op_toy_segment, NULL, x, offsets, like);
}
