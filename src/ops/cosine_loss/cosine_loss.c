/* cosine_loss: squared distance of pairs' cosines from scores, as sentence-transformers'
 * CosineSimilarityLoss. score t [S] acc   x [2S,C] act on the same extent: rows 2s and 2s + 1 are a pair a, b
 * loss_sum [1] acc = sum of (c - t)^2,  c = <a, b> / (|a| |b|),  lengths 1e-8 at least   count [1] acc = S
 * saved: dx [2S,C] act: da = 2 (c - t) (b / |b| - c a / |a|) / |a|, db alike */
#include "ops/cosine_loss/cosine_loss.h"
#include <math.h>

static at_status infer(at_ctx *ctx, const void *param, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)param;
    AT_REQUIRE(ctx, in[0].rank == 1 && in[0].extent, AT_E_SHAPE,
               "cosine_loss: scores must be [S] on an extent");
    AT_REQUIRE(ctx, in[1].rank == 2 && in[1].extent == in[0].extent && in[1].dim[0] == 2 * in[0].dim[0],
               AT_E_SHAPE, "cosine_loss: x must be [2 S,C], two rows for each score");
    out[0] = out[1] = at_meta_vector(AT_ACC, 1);
    saved[0] = in[1];
    return AT_OK;
}

static void grad(at_graph *g, const at_node *n, at_value *const *dy, at_value **dx)
{
    (void)g, (void)dy;
    if (dx[1]) dx[1] = n->saved[0];
}

typedef struct pair {
    const at_real *a, *b;
    double a_length, b_length, cosine;
} pair;

static pair look_at(const at_call *c, int64_t s)
{
    pair p = {.a = at_row(c, 1, 2 * s), .b = at_row(c, 1, 2 * s + 1)};
    double aa = 0, bb = 0, ab = 0;
    for (int64_t i = 0; i < c->in[1].cols; i++) {
        aa += (double)p.a[i] * (double)p.a[i];
        bb += (double)p.b[i] * (double)p.b[i];
        ab += (double)p.a[i] * (double)p.b[i];
    }
    p.a_length = fmax(sqrt(aa), AT_COSINE_LEAST);
    p.b_length = fmax(sqrt(bb), AT_COSINE_LEAST);
    p.cosine = ab / (p.a_length * p.b_length);
    return p;
}

static void put_gradient(const at_call *c, int64_t s, const pair *p, double slope)
{
    at_real *da = at_out_row(c, 2, 2 * s), *db = at_out_row(c, 2, 2 * s + 1);
    for (int64_t i = 0; i < c->in[1].cols; i++) {
        const double a = (double)p->a[i] / p->a_length, b = (double)p->b[i] / p->b_length;
        at_put(c, 2, &da[i], slope * (b - p->cosine * a) / p->a_length);
        at_put(c, 2, &db[i], slope * (a - p->cosine * b) / p->b_length);
    }
}

static at_status ref(const at_call *c)
{
    double loss = 0.0;
    for (int64_t s = 0; s < c->in[0].rows; s++) {
        const pair p = look_at(c, s);
        const double miss = p.cosine - (double)*at_row(c, 0, s);
        loss += miss * miss;
        if (c->out[2].data) put_gradient(c, s, &p, 2 * miss);
    }
    if (c->out[0].data) at_put(c, 0, at_out_row(c, 0, 0), loss);
    if (c->out[1].data) at_put(c, 1, at_out_row(c, 1, 0), (double)c->in[0].rows);
    return AT_OK;
}

static const at_op_case cases[] = {
    {.name = "three", .in = {{1, {3}}, {2, {6, 8}}}},
    {.name = "odd", .in = {{1, {2}}, {2, {4, 37}}}},
    {.name = "one", .in = {{1, {1}}, {2, {2, 3}}}},
    {.name = "large", .in = {{1, {65}}, {2, {130, 390}}}, .large = true},
    {.name = "large_rows", .in = {{1, {4500}}, {2, {9000, 3}}}, .large = true},
    {0},
};

static const at_op_case refused[] = {
    {.name = "scores must be [S]", .in = {{2, {3, 1}}, {2, {6, 4}}}},
    {.name = "x must be [2 S,C]", .in = {{1, {3}}, {2, {3, 4}}}},
    {0},
};

const at_op at_op_cosine_loss = {.name = "cosine_loss",
                                 .doc = "squared distance of pairs' cosines from scores: sum and count",
                                 .n_in = 2,
                                 .n_out = 2,
                                 .n_saved = 1,
                                 .extent_in = 3,
                                 .acc_in = 1,
                                 .constant_in = 1,
                                 .loss = true,
                                 .infer = infer,
                                 .grad = grad,
                                 .ref = ref,
                                 .cases = cases,
                                 .refused = refused};

at_pair_loss at_cosine_loss(at_graph *g, at_value *score, at_value *x)
{
    const at_node *n = at_opn(g, &at_op_cosine_loss, NULL, score, x);
    return (at_pair_loss){n->out[0], n->out[1]};
}
