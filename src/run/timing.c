/* timing.c: seconds of every planned node, step by step. */
#include "formats/system.h"
#include "run/bench.h"

static void watch(void *data, int node, at_moment moment)
{
    at_timer *t = data;
    const double now = at_clock();
    if (t->done == t->steps) return;
    const int64_t place = node * t->steps + t->done;
    if (moment == AT_IS_PREPARED) t->prepare[place] += now - t->began;
    if (moment == AT_HAS_RUN) t->run[place] += now - t->began;
    if (moment == AT_HAS_RUN) t->runs[node]++;
    t->began = now;
}

at_status at__timer_begin(at_timer *t, at_ctx *ctx, at_plan *plan, int64_t steps)
{
    at_plan_line line;
    int n = 0;
    while (at_plan_next(plan, &n, &line)) continue;
    *t = (at_timer){.ctx = ctx, .plan = plan, .n_nodes = n, .steps = steps};
    AT_NEW(ctx, t->run, n * steps);
    AT_NEW(ctx, t->prepare, n * steps);
    AT_NEW(ctx, t->runs, n);
    at_plan_watch(plan, watch, t);
    return AT_OK;
}

void at__timer_step(at_timer *t)
{
    t->done++;
}

void at__timer_end(at_timer *t)
{
    if (!t->plan) return;
    at_plan_watch(t->plan, NULL, NULL);
    at_free(t->ctx, t->run);
    at_free(t->ctx, t->prepare);
    at_free(t->ctx, t->runs);
    *t = (at_timer){0};
}
