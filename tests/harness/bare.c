/* bare.c: a device, a store and a graph. */
#include "tests/harness/bare.h"
#include <stdlib.h>

void at_bare_open(at_bare *t, at_ctx *ctx, const char *device, at_mode mode, int64_t max_rows)
{
    *t = (at_bare){.ctx = ctx};
    at_expect_ok(ctx, at_device_open(&t->device, ctx, device));
    at_expect_ok(ctx, at_store_create(&t->store, ctx, t->device));
    at_expect_ok(ctx, at_graph_create(&t->g, ctx, t->store, mode));
    t->rows = at_graph_extent(t->g, "rows", max_rows);
}

void at_bare_close(at_bare *t)
{
    at_plan_destroy(t->plan);
    at_graph_destroy(t->g);
    at_store_destroy(t->store);
    at_device_close(t->device);
}

at_state *at_bare_state(at_bare *t, const char *name, at_role role, int rank, const int64_t *dim,
                        double (*from)(int64_t i))
{
    at_state *s;
    at_expect_ok(t->ctx, at_store_add(&s, t->store, name, role, rank, dim));
    at_real *x = malloc((size_t)(s->count + 1) * sizeof *x);
    for (int64_t i = 0; i < s->count; i++) x[i] = (at_real)from(i);
    at_expect_ok(t->ctx, at_state_set(t->store, s, x));
    free(x);
    return s;
}

at_value *at_bare_rows(at_bare *t, const char *name, at_type type, int64_t columns)
{
    const int64_t dim[] = {1, columns};
    return at_input(t->g, name, type, t->rows, 2, dim);
}

void at_bare_plan(at_bare *t, at_value *const *fetches, int n, const char *kernels)
{
    at_expect_ok(t->ctx, at_graph_finish(t->g));
    at_expect_ok(t->ctx,
                 at_plan_create(&t->plan, t->g,
                                &(at_plan_options){.kernels = kernels, .fetches = fetches, .n_fetches = n}));
}

void at_bare_run(at_bare *t, int64_t n, int micro)
{
    at_plan_run(t->plan, &(at_pass){.seed = 1, .micro = micro, .extents = &n});
}

void at_bare_fetch(at_bare *t, const at_value *v, at_real *out)
{
    at_plan_fetch(t->plan, v, out);
    at_expect_ok(t->ctx, at_plan_sync(t->plan));
}
