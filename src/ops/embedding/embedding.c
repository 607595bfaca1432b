/* embedding: y[r] = table[first + ids[r]]          table [V,C] acc   ids [R] int on an extent   y [R,C] act
 * dtable[v] = sum of dy[r] over the rows r with first + ids[r] = v
 * An id outside [0,V-first) is a defect of what filled the batch: the kernels answer AT_E_INTERNAL. */
#include "ops/embedding/embedding.h"

static at_status check_first(at_ctx *ctx, int64_t first, int64_t V)
{
    AT_REQUIRE(ctx, first >= 0 && first < V, AT_E_RANGE, "embedding: the first row is %lld, of %lld",
               (long long)first, (long long)V);
    return AT_OK;
}

static at_status infer(at_ctx *ctx, const void *p, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)saved;
    AT_TRY(check_first(ctx, ((const at_embedding_param *)p)->first, in[0].dim[0]));
    AT_REQUIRE(ctx, in[0].rank == 2 && !in[0].extent && in[0].dim[0] >= 1, AT_E_SHAPE,
               "embedding: table must be [V,C]");
    AT_REQUIRE(ctx, in[1].rank == 1 && in[1].extent, AT_E_SHAPE, "embedding: ids must be [R] on an extent");
    out[0] = in[1];
    out[0].type = AT_ACT;
    out[0].rank = 2;
    out[0].dim[1] = in[0].dim[1];
    return AT_OK;
}

static void grad(at_graph *g, const at_node *n, at_value *const *dy, at_value **dx)
{
    const at_embedding_dtable_param p = {n->in[0]->meta.dim[0],
                                         ((const at_embedding_param *)n->param)->first};
    if (dx[0]) dx[0] = at_op1(g, &at_op_embedding_dtable, &p, n->in[1], dy[0]);
}

static at_status check_ids(const at_call *c, int in, int64_t V)
{
    for (int64_t r = 0; r < c->in[in].rows; r++) {
        const int32_t id = at_int_row(c, in, r)[0];
        if (id < 0 || id >= V) return AT_E_INTERNAL; /* checked where the batch was filled */
    }
    return AT_OK;
}

static at_status ref_fwd(const at_call *c)
{
    const int64_t first = ((const at_embedding_param *)c->param)->first;
    AT_TRY(check_ids(c, 1, c->in[0].rows - first));
    for (int64_t r = 0; r < c->out[0].rows; r++) {
        const at_real *x = at_row(c, 0, first + at_int_row(c, 1, r)[0]);
        for (int64_t i = 0; i < c->out[0].cols; i++) at_put(c, 0, &at_out_row(c, 0, r)[i], (double)x[i]);
    }
    return AT_OK;
}

#define FROM(row)                                                                                            \
    .param = &(const at_embedding_param)                                                                     \
    {                                                                                                        \
        row                                                                                                  \
    }

static const at_op_case cases[] = {
    {.name = "some", FROM(0), .in = {{2, {5, 3}}, {1, {4}}}, .int_below = 5},
    {.name = "repeated", FROM(0), .in = {{2, {3, 8}}, {1, {11}}}, .int_below = 2},
    {.name = "odd", FROM(0), .in = {{2, {19, 37}}, {1, {7}}}, .int_below = 19},
    {.name = "from_2", FROM(2), .in = {{2, {9, 5}}, {1, {11}}}, .int_below = 7},
    {.name = "one", FROM(0), .in = {{2, {1, 1}}, {1, {1}}}, .int_below = 1},
    {.name = "empty", FROM(0), .in = {{2, {2, 3}}, {1, {0}}}, .int_below = 2},
    {.name = "large", FROM(0), .in = {{2, {1000, 130}}, {1, {700}}}, .int_below = 1000, .large = true},
    {.name = "large_from_1", FROM(1), .in = {{2, {1000, 130}}, {1, {700}}}, .int_below = 999, .large = true},
    {0},
};

static const at_op_case refused[] = {
    {.name = "table must be [V,C]", FROM(0), .in = {{1, {5}}, {1, {4}}}, .int_below = 5},
    {.name = "the first row is 5, of 5", FROM(5), .in = {{2, {5, 3}}, {1, {4}}}, .int_below = 1},
    {.name = "ids must be [R]", FROM(0), .in = {{2, {5, 3}}, {2, {4, 2}}}, .int_below = 5},
    {0},
};

const at_op at_op_embedding = {.name = "embedding",
                               .doc = "the rows of a table that ids name",
                               .n_in = 2,
                               .n_out = 1,
                               .param_size = sizeof(at_embedding_param),
                               .extent_in = 2,
                               .int_in = 2,
                               .acc_in = 1,
                               .infer = infer,
                               .grad = grad,
                               .ref = ref_fwd,
                               .cases = cases,
                               .refused = refused};

/* ---- dtable: in ids, dy ---- */

static at_status dtable_infer(at_ctx *ctx, const void *param, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)saved;
    const at_embedding_dtable_param *p = param;
    AT_REQUIRE(ctx, p->V >= 1, AT_E_RANGE, "embedding_dtable: V is %lld", (long long)p->V);
    AT_TRY(check_first(ctx, p->first, p->V));
    AT_REQUIRE(ctx,
               in[0].rank == 1 && in[1].rank == 2 && in[1].extent && in[0].extent == in[1].extent &&
                   in[0].dim[0] == in[1].dim[0],
               AT_E_SHAPE, "embedding_dtable: ids must be [R], dy [R,C] on the same extent");
    out[0] = at_meta_of(AT_ACC, 2, (const int64_t[]){p->V, in[1].dim[1]});
    return AT_OK;
}

/* Is the row first + v among those that the ids mean? */
static bool is_named(const at_call *c, int64_t v)
{
    for (int64_t r = 0; r < c->in[0].rows; r++)
        if (at_int_row(c, 0, r)[0] == v) return true;
    return false;
}

static at_status ref_dtable(const at_call *c)
{
    const int64_t first = ((const at_embedding_dtable_param *)c->param)->first;
    AT_TRY(check_ids(c, 0, c->out[0].rows - first));
    for (int64_t v = 0; v < c->out[0].rows; v++) {
        const bool named = is_named(c, v - first);
        if (named && c->out[0].named) c->out[0].named[v] = 1;
        for (int64_t i = 0; i < c->out[0].cols; i++) {
            double sum = 0.0;
            for (int64_t r = 0; r < c->in[0].rows && named; r++)
                if (at_int_row(c, 0, r)[0] == v - first) sum += (double)at_row(c, 1, r)[i];
            at_put(c, 0, &at_out_row(c, 0, v)[i], sum);
        }
    }
    return AT_OK;
}

static const at_op_case dtable_cases[] = {
    {.name = "some",
     .param = &(const at_embedding_dtable_param){5, 0},
     .in = {{1, {4}}, {2, {4, 3}}},
     .int_below = 5},
    {.name = "repeated",
     .param = &(const at_embedding_dtable_param){3, 0},
     .in = {{1, {11}}, {2, {11, 37}}},
     .int_below = 2},
    {.name = "from_2",
     .param = &(const at_embedding_dtable_param){6, 2},
     .in = {{1, {11}}, {2, {11, 37}}},
     .int_below = 4},
    {.name = "empty",
     .param = &(const at_embedding_dtable_param){2, 0},
     .in = {{1, {0}}, {2, {0, 8}}},
     .int_below = 2},
    {.name = "large",
     .param = &(const at_embedding_dtable_param){400, 0},
     .in = {{1, {300}}, {2, {300, 130}}},
     .int_below = 360,
     .large = true},
    {.name = "large_repeated",
     .param = &(const at_embedding_dtable_param){2, 0},
     .in = {{1, {3000}}, {2, {3000, 70}}},
     .int_below = 2,
     .large = true},
    {0},
};

static const at_op_case dtable_refused[] = {
    {.name = "dy [R,C] on the same extent",
     .param = &(const at_embedding_dtable_param){5, 0},
     .in = {{1, {4}}, {2, {8, 3}}}},
    {.name = "V is 0", .param = &(const at_embedding_dtable_param){0, 0}, .in = {{1, {4}}, {2, {4, 3}}}},
    {0},
};

const at_op at_op_embedding_dtable = {.name = "embedding_dtable",
                                      .doc = "gradient of embedding's table",
                                      .n_in = 2,
                                      .n_out = 1,
                                      .sparse_out = 1,
                                      .param_size = sizeof(at_embedding_dtable_param),
                                      .extent_in = 3,
                                      .int_in = 1,
                                      .infer = dtable_infer,
                                      .no_grad_reason = "a gradient itself",
                                      .ref = ref_dtable,
                                      .cases = dtable_cases,
                                      .refused = dtable_refused};

at_value *at_embedding(at_graph *g, at_value *table, at_value *ids, int64_t first)
{
    return at_op1(g, &at_op_embedding, (&(at_embedding_param){first}), table, ids);
}
