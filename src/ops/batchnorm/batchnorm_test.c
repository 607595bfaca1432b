/* batchnorm_test.c: numbers far from zero, and the running statistics that a training graph keeps. */
#include "ops/batchnorm/batchnorm.h"
#include "ops/lerp/lerp.h"
#include "tests/harness/rig.h"
#include "tests/harness/test.h"
#include <math.h>

/* Offsets of 1,000 standard deviations leave 4 of float's 7 digits; the variance must keep them. */
AT_TEST(test_batchnorm__variance_survives_a_large_mean)
{
    at_ctx *ctx = at_test_ctx();
    enum { N = 9000 };
    const at_op_case k = {
        .name = "here", .param = &(at_batchnorm_param){0}, .in = {{2, {N, 1}}, {1, {1}}, {1, {1}}}};
    const char *const kernels[] = {"ref", "base", "avx2", "avx512"};
    static at_real y[N];
    for (int i = 0; i < AT_COUNT(kernels); i++) {
        at_rig t;
        at_real mean, rstd, var;
        at_expect_ok(ctx, at_rig_build(&t, ctx, &at_op_batchnorm, &k,
                                       &(at_rig_options){.saved = true, .kernels = kernels[i]}));
        for (int m = 0; m < N; m++) t.data[0][m] = (at_real)(1000 + (m % 2 ? 1 : -1)); /* exact in float */
        t.data[1][0] = 1, t.data[2][0] = 0;
        at_expect_ok(ctx, at_rig_run(&t, (at_real *const[]){y, &mean, &rstd, &var}));
        at_rig_destroy(&t);
        assert_true(fabs((double)mean - 1000) < 1e-9 && fabs((double)rstd - 1) < 1e-6);
        assert_true(fabs((double)var - N / (N - 1.0)) < 1e-6);
        for (int m = 0; m < N; m++) assert_true(fabs((double)y[m] - (m % 2 ? 1 : -1)) < 1e-5);
    }
    at_test_done(ctx);
}

typedef struct net {
    at_device *device;
    at_store *store;
    at_graph *g;
    at_plan *plan;
    at_state *mean, *var;
    at_value *x;
} net;

static at_state *statistic(at_ctx *ctx, net *t, const char *name, at_real value)
{
    at_state *s;
    at_expect_ok(ctx, at_store_add(&s, t->store, name, AT_RUNNING, 1, (const int64_t[]){1}));
    at_expect_ok(ctx, at_state_set(t->store, s, &value));
    return s;
}

/* As PyTorch: running = 0.9 running + 0.1 batch, with the unbiased variance, starting from 0 and 1. */
static void build(at_ctx *ctx, net *t)
{
    at_expect_ok(ctx, at_device_open(&t->device, ctx, "cpu"));
    at_expect_ok(ctx, at_store_create(&t->store, ctx, t->device));
    at_expect_ok(ctx, at_graph_create(&t->g, ctx, t->store, AT_TRAIN));
    t->mean = statistic(ctx, t, "running_mean", 0);
    t->var = statistic(ctx, t, "running_var", 1);
    const at_extent *e = at_graph_extent(t->g, "samples", 4);
    t->x = at_input(t->g, "x", AT_ACT, e, 2, (const int64_t[]){1, 1});
    at_value *gamma = at_input(t->g, "gamma", AT_ACC, NULL, 1, (const int64_t[]){1});
    at_value *beta = at_input(t->g, "beta", AT_ACC, NULL, 1, (const int64_t[]){1});
    const at_batchnorm_values b = at_batchnorm(t->g, t->x, gamma, beta, 1e-5);
    at_assign(t->g, t->mean, at_lerp(t->g, at_read(t->g, t->mean), b.mean, 0.1));
    at_assign(t->g, t->var, at_lerp(t->g, at_read(t->g, t->var), b.var, 0.1));
    at_expect_ok(ctx, at_graph_finish(t->g));
    at_expect_ok(ctx, at_store_layout(t->store, t->g));
    at_expect_ok(ctx, at_plan_create(&t->plan, t->g, &(at_plan_options){.kernels = "auto"}));
}

AT_TEST(test_batchnorm__running_statistics_move_in_each_micro_pass)
{
    at_ctx *ctx = at_test_ctx();
    net t;
    build(ctx, &t);
    const at_real first[] = {1, 2, 3, 6}, second[] = {0, 4};
    at_plan_write(t.plan, t.x, first, 4); /* mean 3, unbiased variance 14/3 */
    at_plan_run(t.plan, &(at_pass){.micro = 0, .extents = (const int64_t[]){4}});
    at_plan_write(t.plan, t.x, second, 2); /* mean 2, unbiased variance 8 */
    at_plan_run(t.plan, &(at_pass){.micro = 1, .extents = (const int64_t[]){2}});
    at_expect_ok(ctx, at_plan_sync(t.plan));
    at_real mean, var;
    memcpy(&mean, t.mean->pending.data, sizeof mean); /* what a commit would take over */
    memcpy(&var, t.var->pending.data, sizeof var);
    assert_true(fabs((double)mean - (0.9 * 0.3 + 0.2)) < 1e-6);
    assert_true(fabs((double)var - (0.9 * (0.9 + 0.1 * 14 / 3) + 0.8)) < 1e-6);
    at_expect_ok(ctx, at_state_get(t.store, t.mean, &mean));
    assert_true(mean == 0); /* nothing has changed before the commit */
    at_plan_destroy(t.plan);
    at_graph_destroy(t.g);
    at_store_destroy(t.store);
    at_device_close(t.device);
    at_test_done(ctx);
}
