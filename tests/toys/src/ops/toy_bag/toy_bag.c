/* toy_bag: y0[s] = sum_f table[ids[s,f]],   y1[s] = sum_f table[ids[s,f]]^2
 *     table [V,H] acc   ids [S,F] int   y0, y1 [S,H] act
 * dtable[v] = sum over (s, f) with ids[s,f] = v of  dy0[s] + 2 table[v] dy1[s]
 * A stand-in for ops with several outputs, of which a network may leave one unused, and an integer input. */
#include "ops/toy_bag/toy_bag.h"

static const at_op at_op_toy_bag_dtable;

static at_status infer(at_ctx *ctx, const void *p, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)p, (void)saved;
    AT_REQUIRE(ctx, in[0].rank == 2 && in[1].rank == 2 && in[1].extent, AT_E_SHAPE,
               "toy_bag: table must be [V,H], ids [S,F]");
    out[0] = in[1];
    out[0].type = AT_ACT;
    out[0].dim[1] = in[0].dim[1];
    out[1] = out[0];
    return AT_OK;
}

static void grad(at_graph *g, const at_node *n, at_value *const *dy, at_value **dx)
{
    if (dx[0]) dx[0] = at_op1(g, &at_op_toy_bag_dtable, NULL, n->in[0], n->in[1], dy[0], dy[1]);
}

static at_status ref(const at_call *c)
{
    const int64_t H = c->in[0].cols;
    for (int64_t s = 0; s < c->in[1].rows; s++)
        for (int64_t h = 0; h < H; h++) {
            double sum = 0.0, squares = 0.0;
            for (int64_t f = 0; f < c->in[1].cols; f++) {
                const double x = (double)at_row(c, 0, at_int_row(c, 1, s)[f])[h];
                sum += x;
                squares += x * x;
            }
            if (c->out[0].data) at_put(c, 0, &at_out_row(c, 0, s)[h], sum);
            if (c->out[1].data) at_put(c, 1, &at_out_row(c, 1, s)[h], squares);
        }
    return AT_OK;
}

static const at_op_case cases[] = {
    {.name = "some", .in = {{2, {5, 3}}, {2, {4, 2}}}, .int_below = 5},
    {.name = "repeated", .in = {{2, {2, 7}}, {2, {3, 6}}}, .int_below = 2},
    {.name = "empty", .in = {{2, {2, 3}}, {2, {0, 2}}}, .int_below = 2},
    {0},
};

static const at_op_case refused[] = {
    {.name = "table must be [V,H]", .in = {{1, {5}}, {2, {4, 2}}}, .int_below = 5},
    {0},
};

const at_op at_op_toy_bag = {.name = "toy_bag",
                             .doc = "sums of table rows, and of their squares",
                             .n_in = 2,
                             .n_out = 2,
                             .extent_in = 2,
                             .int_in = 2,
                             .acc_in = 1,
                             .infer = infer,
                             .grad = grad,
                             .ref = ref,
                             .cases = cases,
                             .refused = refused};

/* ---- dtable: in table, ids, dy0 or none, dy1 or none ---- */

static at_status dtable_infer(at_ctx *ctx, const void *p, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)p, (void)saved, (void)ctx;
    out[0] = in[0];
    return AT_OK;
}

static double contribution(const at_call *c, int64_t s, int64_t v, int64_t h)
{
    double d = c->in[2].data ? (double)at_row(c, 2, s)[h] : 0.0;
    if (c->in[3].data) d += 2.0 * (double)at_row(c, 0, v)[h] * (double)at_row(c, 3, s)[h];
    return d;
}

static at_status dtable_ref(const at_call *c)
{
    for (int64_t v = 0; v < c->out[0].rows; v++)
        for (int64_t h = 0; h < c->out[0].cols; h++) {
            double sum = 0.0;
            for (int64_t s = 0; s < c->in[1].rows; s++)
                for (int64_t f = 0; f < c->in[1].cols; f++)
                    if (at_int_row(c, 1, s)[f] == v) sum += contribution(c, s, v, h);
            at_put(c, 0, &at_out_row(c, 0, v)[h], sum);
        }
    return AT_OK;
}

static const at_op at_op_toy_bag_dtable = {.name = "toy_bag_dtable",
                                           .doc = "gradient of the table",
                                           .n_in = 4,
                                           .n_out = 1,
                                           .optional_in = 12,
                                           .extent_in = 14,
                                           .int_in = 2,
                                           .acc_in = 1,
                                           .infer = dtable_infer,
                                           .no_grad_reason = "a gradient itself",
                                           .ref = dtable_ref};

at_bag at_toy_bag(at_graph *g, at_value *table, at_value *ids)
{
    const at_node *n = at_opn(g, &at_op_toy_bag, NULL, table, ids);
    return (at_bag){n->out[0], n->out[1]};
}
