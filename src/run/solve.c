/* solve.c: optimisers that solve instead of stepping: the objective is the mean loss over the whole training
 * split plus weight_decay / 2 times the squares of what decays, evaluated through the training plan. */
#include "formats/system.h"
#include "run/run.h"
#include <math.h>

typedef struct problem {
    at_run *r;
    at_loader *loader;
    int32_t *order, *sizes;
    int64_t n_batches;
    at_real *flat; /* host copy: parameters on the way in, gradient on the way out */
} problem;

static at_status sum_over_data(problem *p, at_step_scalars *out)
{
    at_run *r = p->r;
    const at_dataset *d = at__split(r, AT_SPLIT_TRAIN);
    int64_t extents[2];
    at_pass pass = {.seed = (uint64_t)r->settings.general.seed, .extents = extents};
    at_loader_start(p->loader, p->order, p->sizes, p->n_batches, &(at_fill){.again = true});
    for (; pass.micro < p->n_batches; pass.micro++) {
        at_batch b;
        AT_REQUIRE(r->ctx, !at_stop_requested(r->ctx), AT_E_INTERRUPTED,
                   "interrupted; optimizer %s saves nothing on its way: train again", r->optimizer->name);
        AT_TRY(at_loader_next(p->loader, &b));
        AT_TRY(at__feed(r, &r->train, d, &b));
        extents[0] = b.n;
        extents[1] = b.rows;
        at_plan_run(r->train.plan, &pass);
    }
    at_plan_fetch(r->train.plan, r->train.loss, &out->loss);
    at_plan_fetch(r->train.plan, r->train.count, &out->count);
    AT_TRY(at_plan_sync(r->train.plan));
    r->samples_in_steps += r->n_train;
    return AT_OK;
}

static at_status evaluate(void *self, const double *x, double *f, double *gradient)
{
    problem *p = self;
    at_run *r = p->r;
    at_store *s = r->model->net.store;
    at_step_scalars sums;
    const double begin = at_clock();
    for (int64_t i = 0; i < s->master->count; i++) p->flat[i] = (at_real)x[i];
    AT_TRY(at_state_set(s, s->master, p->flat));
    at_store_touch(s);
    AT_TRY(sum_over_data(p, &sums));
    AT_TRY(at_state_get(s, s->gradient, p->flat));
    *f = (double)sums.loss / (double)sums.count;
    memset(gradient, 0, (size_t)s->master->count * sizeof *gradient);
    for (int k = 0; k < s->n_ranges; k++) {
        const at_range *g = &s->ranges[k];
        for (int64_t i = g->lo; i < g->hi; i++) {
            gradient[i] = (double)p->flat[i] / (double)sums.count + g->decay * x[i];
            *f += 0.5 * g->decay * x[i] * x[i];
        }
    }
    r->step_seconds += at_clock() - begin;
    if (r->first_step_seconds == 0) r->first_step_seconds = at_clock() - r->started;
    return AT_OK;
}

static void report(void *self, int64_t iteration, double f, double norm)
{
    at_run *r = ((problem *)self)->r;
    r->progress.attempt = iteration;
    if (iteration % 10 == 0) at__emit_step(r, iteration, f, norm, 0.0);
}

at_status at__check_solver(at_run *r)
{
    AT_REQUIRE(r->ctx, !r->job.augments, AT_E_ARG,
               "optimizer %s needs the same samples at every evaluation: set augment: none",
               r->optimizer->name);
    at_plan_line line;
    int cursor = 0;
    while (at_plan_next(r->train.plan, &cursor, &line))
        AT_REQUIRE(r->ctx, !line.node->op->stochastic, AT_E_ARG,
                   "optimizer %s cannot follow random numbers (%s): set dropout: 0", r->optimizer->name,
                   line.node->site);
    AT_REQUIRE(r->ctx, !r->model->net.store->running, AT_E_ARG,
               "optimizer %s needs normalisations in eval: use method probe or head", r->optimizer->name);
    return AT_OK;
}

static at_status solve(problem *p)
{
    at_run *r = p->r;
    at_store *s = r->model->net.store;
    double *x;
    AT_NEW(r->ctx, x, s->master->count);
    at_status status = at_state_get(s, s->master, p->flat);
    for (int64_t i = 0; i < s->master->count; i++) x[i] = (double)p->flat[i];
    const at_objective f = {p, evaluate, report};
    if (status == AT_OK) status = r->optimizer->solve(r->ctx, &f, x, s->master->count, r->optimizer_options);
    for (int64_t i = 0; i < s->master->count; i++) p->flat[i] = (at_real)x[i];
    if (status == AT_OK) status = at_state_set(s, s->master, p->flat);
    at_store_touch(s);
    at_free(r->ctx, x);
    return status;
}

at_status at__solve(at_run *r)
{
    const at_dataset *d = at__split(r, AT_SPLIT_TRAIN);
    problem p = {.r = r};
    r->steps_per_epoch = at_max(r->steps_per_epoch, 1);
    p.order = at_alloc_array(r->ctx, 2 * r->n_train, sizeof *p.order);
    p.flat = at_alloc_array(r->ctx, r->model->net.store->master->count, sizeof *p.flat);
    at_status s = p.order && p.flat ? AT_OK : AT_E_NOMEM;
    if (s == AT_OK) {
        p.sizes = p.order + r->n_train;
        for (int64_t i = 0; i < r->n_train; i++) p.order[i] = (int32_t)i;
        p.n_batches = at__cut_passes(&r->train, d, p.order, r->n_train, p.sizes);
        s = at_loader_create(&p.loader, r->ctx, d, r->micro_batch, r->ctx->threads);
    }
    if (s == AT_OK) s = solve(&p);
    at_loader_destroy(p.loader);
    at_free(r->ctx, p.order);
    at_free(r->ctx, p.flat);
    return s;
}
