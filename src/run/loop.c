/* loop.c: the optimiser steps. A step is its micro passes and one commit; its scalars are read while the next
 * step is queued, so that a device never waits for the host. Evaluation, early stop and checkpoints come
 * between steps. Reading path: at__loop, run_step, settle. */
#include "formats/system.h"
#include "run/run.h"
#include <math.h>

enum { CHECKED_STEPS = 3, BAD_STEPS_IN_A_ROW = 3 };

/* One epoch's order and batch sizes, and where the loader is in it. */
typedef struct feeder {
    int32_t *order, *sizes;
    int64_t epoch; /* -1 = none started */
    at_loader *loader;
    const at_dataset *d;
} feeder;

static int64_t step_samples(const at_run *r, int64_t step_of_epoch)
{
    return at_min(r->batch_size, r->n_train - step_of_epoch * r->batch_size);
}

/* Start (or resume) the epoch of this attempt at this attempt. */
static void start_epoch(at_run *r, feeder *f, int64_t attempt)
{
    const int64_t first = attempt % r->steps_per_epoch;
    int64_t n_batches = 0;
    f->epoch = attempt / r->steps_per_epoch;
    at_shuffle(f->order, r->n_train, (uint64_t)r->settings.general.seed, (uint64_t)f->epoch);
    for (int64_t s = first; s < r->steps_per_epoch; s++)
        n_batches += at__cut_passes(&r->train, f->d, f->order + s * r->batch_size, step_samples(r, s),
                                    f->sizes + n_batches);
    const at_fill how = {.seed = (uint64_t)r->settings.general.seed,
                         .epoch = (uint64_t)f->epoch,
                         .augment = true,
                         .again = (f->epoch + 1) * r->steps_per_epoch < r->total_steps};
    at_loader_start(f->loader, f->order + first * r->batch_size, f->sizes, n_batches, &how);
}

static at_status open_feeder(at_run *r, feeder *f)
{
    *f = (feeder){.epoch = -1, .d = at__split(r, AT_SPLIT_TRAIN)};
    AT_NEW(r->ctx, f->order, r->n_train);
    AT_NEW(r->ctx, f->sizes, r->n_train);
    return at_loader_create(&f->loader, r->ctx, f->d, r->micro_batch, r->ctx->threads);
}

static void close_feeder(at_run *r, feeder *f)
{
    at_loader_destroy(f->loader);
    at_free(r->ctx, f->order);
    at_free(r->ctx, f->sizes);
}

/* ---- One step ---- */

static double rate_at(const at_run *r, int64_t attempt)
{
    return at_schedule_factor(r->schedule, attempt, r->total_steps, r->warmup_steps);
}

/* Queue the passes of a step; *pass is left as the last one had it, for the commit. */
static at_status run_passes(at_run *r, feeder *f, int64_t attempt, at_pass *pass, int64_t extents[2])
{
    if (attempt / r->steps_per_epoch != f->epoch) start_epoch(r, f, attempt);
    const int64_t n = step_samples(r, attempt % r->steps_per_epoch);
    *pass = (at_pass){
        .seed = (uint64_t)r->settings.general.seed, .attempt = (uint64_t)attempt, .extents = extents};
    for (int64_t done = 0; done < n; pass->micro++) {
        at_batch b;
        AT_TRY(at_loader_next(f->loader, &b));
        AT_TRY(at__feed(r, &r->train, f->d, &b));
        extents[0] = b.n;
        extents[1] = b.rows;
        at_plan_run(r->train.plan, pass);
        done += b.n;
    }
    r->samples_in_steps += n;
    return AT_OK;
}

void at__queue_commit(at_run *r, int64_t attempt, const at_pass *pass)
{
    at_plan *plan = r->train.plan;
    const at_real rate = (at_real)rate_at(r, attempt);
    at_plan_write(plan, r->commit.rate, &rate, 1);
    at_plan_commit(plan, pass);
    at_step_scalars *s = &r->scalars[attempt & 1];
    at_plan_fetch(plan, r->train.loss, &s->loss);
    at_plan_fetch(plan, r->train.count, &s->count);
    at_plan_fetch(plan, r->commit.norm, &s->norm);
    at_plan_fetch(plan, r->commit.ok, &s->ok);
    r->fence[attempt & 1] = r->device->kind->mark(r->device);
}

/* ---- Three bad steps in a row: find the first bad value and stop ---- */

/* Fetch the samples of this attempt again and run its passes with a look at every value. */
static at_status find_first_bad(at_run *r, feeder *f, int64_t attempt, bool *found, char text[256])
{
    int64_t extents[2];
    at_pass pass = {
        .seed = (uint64_t)r->settings.general.seed, .attempt = (uint64_t)attempt, .extents = extents};
    start_epoch(r, f, attempt);
    *found = false;
    const int64_t n = step_samples(r, attempt % r->steps_per_epoch);
    for (int64_t done = 0; done < n && !*found; pass.micro++) {
        at_batch b;
        AT_TRY(at_loader_next(f->loader, &b));
        AT_TRY(at__feed(r, &r->train, f->d, &b));
        extents[0] = b.n;
        extents[1] = b.rows;
        AT_TRY(at_plan_find_nonfinite(r->train.plan, &pass, found, text));
        done += b.n;
    }
    return AT_OK;
}

static at_status diverged(at_run *r, feeder *f, int64_t attempt)
{
    char text[256] = "";
    bool found;
    AT_TRY(find_first_bad(r, f, attempt, &found, text));
    return at_fail(r->ctx, AT_E_NONFINITE,
                   "training diverged: the steps %lld to %lld gave no finite gradient; the first bad value "
                   "is in %s; the "
                   "weights are those before them. Lower train.learning_rate (%g, head %g)",
                   (long long)(attempt - BAD_STEPS_IN_A_ROW + 2), (long long)(attempt + 1),
                   found ? text : "the update", r->settings.train.learning_rate,
                   r->settings.train.head_learning_rate);
}

/* ---- After a step ---- */

/* Take the scalars of an attempt whose work is done. */
static at_status settle(at_run *r, feeder *f, int64_t attempt)
{
    AT_TRY(r->device->kind->wait(r->device, r->fence[attempt & 1]));
    const at_step_scalars *s = &r->scalars[attempt & 1];
    at_progress *p = &r->progress;
    const bool ok = (double)s->ok > 0;
    p->bad_in_a_row = ok ? 0 : p->bad_in_a_row + 1;
    if (!ok) {
        p->bad_steps++;
        at__note(r, "step %lld is skipped: its loss or gradient is not finite", (long long)attempt + 1);
        if (p->bad_in_a_row == BAD_STEPS_IN_A_ROW) return diverged(r, f, attempt);
        return AT_OK;
    }
    p->epoch_loss += (double)s->loss;
    p->epoch_count += (double)s->count;
    const double loss = (double)s->loss / (double)s->count;
    if ((attempt + 1) % r->log_every == 0 || attempt + 1 == r->total_steps) {
        AT_TRY(at__log_step(r, attempt + 1, loss, (double)s->norm,
                            rate_at(r, attempt) * r->settings.train.learning_rate));
        at__emit_step(r, attempt + 1, loss, (double)s->norm,
                      rate_at(r, attempt) * r->settings.train.learning_rate);
    }
    return AT_OK;
}

static const at_score_value *score_named(const at_scores *s, const char *name)
{
    for (int i = 0; i < s->n; i++)
        if (strcmp(s->list[i].name, name) == 0) return &s->list[i];
    return NULL;
}

/* Early stop (Prechelt 1998's simplest rule): better by more than min_delta, else one more evaluation waited.
 */
static at_status follow_metric(at_run *r, const at_scores *scores)
{
    at_best *best = &r->progress.best;
    const at_score_value *s = score_named(scores, r->metric);
    AT_REQUIRE(r->ctx, s, AT_E_ARG, "train.early_stop.metric: the task gives no \"%s\"", r->metric);
    if (!isfinite(s->value))
        at__note(r, "validation %s is not defined, so that these weights are not chosen by it", r->metric);
    const double gain = (s->higher_is_better ? 1 : -1) * (s->value - best->value);
    if (isfinite(s->value) && (!best->exists || gain > r->settings.early_stop.min_delta)) {
        *best = (at_best){.value = s->value, .step = r->progress.attempt, .exists = true};
        return at__save_best(r);
    }
    if (++best->waited >= r->settings.early_stop.patience) r->progress.stopped = true;
    return AT_OK;
}

static at_status end_epoch(at_run *r)
{
    at_progress *p = &r->progress;
    p->epoch_loss = p->epoch_count = 0;
    if (!r->job.split[AT_SPLIT_VALID]) return AT_OK;
    at_scores scores;
    AT_TRY(at__evaluate_split(r, AT_SPLIT_VALID, true, &scores, NULL));
    AT_TRY(at__log_scores(r, AT_SPLIT_VALID, p->attempt, &scores));
    at__emit_scores(r, AT_EVENT_EVALUATION, AT_SPLIT_VALID, &scores);
    return r->metric ? follow_metric(r, &scores) : AT_OK;
}

/* ---- The loop ---- */

/* The first steps of a run are checked tensor by tensor, and awaited. */
static at_status checked_step(at_run *r, feeder *f, at_contract *contract, int64_t attempt)
{
    at_pass pass;
    int64_t extents[2];
    AT_TRY(run_passes(r, f, attempt, &pass, extents));
    AT_TRY(at__contract_before_commit(contract, r));
    at__queue_commit(r, attempt, &pass);
    AT_TRY(settle(r, f, attempt));
    const at_step_scalars *now = &r->scalars[attempt & 1];
    const double clip = r->settings.train.clip, norm = (double)now->norm;
    const double rate = rate_at(r, attempt) * (clip > 0 && norm > clip ? clip / norm : 1.0);
    AT_TRY(at__contract_after_commit(contract, r, rate, (double)now->count, (double)now->ok > 0));
    return attempt + 1 == at_min(CHECKED_STEPS, r->total_steps) ? at__contract_verdict(contract, r) : AT_OK;
}

static at_status free_step(at_run *r, feeder *f, int64_t attempt, bool *pending)
{
    at_pass pass;
    int64_t extents[2];
    AT_TRY(run_passes(r, f, attempt, &pass, extents));
    at__queue_commit(r, attempt, &pass);
    if (*pending) AT_TRY(settle(r, f, attempt - 1));
    *pending = true;
    return AT_OK;
}

/* What has to happen at this place between steps; work is awaited only then. */
static at_status between_steps(at_run *r, feeder *f, bool *pending, bool stop)
{
    at_progress *p = &r->progress;
    const bool last = p->attempt == r->total_steps, epoch_ends = p->attempt % r->steps_per_epoch == 0 || last;
    const bool save = p->attempt % r->checkpoint_every == 0 || last || stop;
    if (!epoch_ends && !save) return AT_OK;
    if (*pending) AT_TRY(settle(r, f, p->attempt - 1));
    *pending = false;
    AT_TRY(at_plan_sync(r->train.plan));
    if (epoch_ends) AT_TRY(end_epoch(r));
    if (save || p->stopped) AT_TRY(at__save_checkpoint(r));
    return AT_OK;
}

static at_status steps(at_run *r, feeder *f, at_contract *contract)
{
    at_progress *p = &r->progress;
    bool pending = false;
    while (p->attempt < r->total_steps && !p->stopped) {
        r->step_began = at_clock();
        if (p->attempt < CHECKED_STEPS)
            AT_TRY(checked_step(r, f, contract, p->attempt));
        else
            AT_TRY(free_step(r, f, p->attempt, &pending));
        p->attempt++;
        const double end = at_clock();
        r->step_seconds += end - r->step_began;
        r->step_began = 0;
        if (r->first_step_seconds == 0) r->first_step_seconds = end - r->started;
        const bool stop = at_stop_requested(r->ctx); /* asked once: what is seen here is saved below */
        AT_TRY(between_steps(r, f, &pending, stop));
        AT_REQUIRE(r->ctx, !stop, AT_E_INTERRUPTED,
                   "interrupted after step %lld of %lld; the state is saved: continue with --resume",
                   (long long)p->attempt, (long long)r->total_steps);
    }
    return AT_OK;
}

/* The first steps as a run does them, without its checks and files: enough of them, or for long enough. The
 * very first warms up. */
static at_status time_steps(at_run *r, feeder *f, double *seconds)
{
    enum { LEAST = 3, MOST = 10 };
    const double enough = 1.5;
    const int64_t most = at_min(MOST + 1, r->total_steps);
    double first = 0, rest = 0;
    int64_t n = 0;
    for (; n < most && (n <= LEAST || rest < enough); n++) {
        at_pass pass;
        int64_t extents[2];
        const double begin = at_clock();
        AT_TRY(run_passes(r, f, n, &pass, extents));
        at__queue_commit(r, n, &pass);
        AT_TRY(at_plan_sync(r->train.plan));
        *(n ? &rest : &first) += at_clock() - begin;
    }
    *seconds = n > 1 ? rest / (double)(n - 1) : first;
    return AT_OK;
}

at_status at__measure_steps(at_run *r, double *seconds, at_status (*then)(at_run *r, void *data), void *data)
{
    feeder f;
    at_status s = open_feeder(r, &f);
    if (s == AT_OK) s = time_steps(r, &f, seconds);
    if (s == AT_OK && then) s = then(r, data);
    close_feeder(r, &f);
    return s;
}

at_status at__loop(at_run *r)
{
    feeder f;
    at_contract *contract = NULL;
    at_status s = open_feeder(r, &f);
    if (s == AT_OK) s = at__contract_begin(&contract, r);
    r->in_steps = true;
    if (s == AT_OK) s = steps(r, &f, contract);
    r->in_steps = false;
    at__contract_end(contract, r);
    close_feeder(r, &f);
    return s;
}
