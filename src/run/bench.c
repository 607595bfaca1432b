/* bench.c: how fast this machine trains a network, and what holds it back: training steps on one batch of
 * noise that stays in the plan's inputs. First steps that nobody watches, then the machine's limits, then
 * steps whose nodes are timed. The limits come second because their buffers would be in the peak of memory.
 */
#include "run/bench.h"
#include "formats/system.h"
#include "run/figures.h"

enum { MOST_WATCHED = 100 }; /* steps: medians have settled, and each takes memory a node */

typedef struct figures {
    at_bench_settings settings;
    at_noise noise;
    int32_t *order,
        *sizes; /* the samples of a step, and of each of its passes; all samples have as many rows */
    int64_t n_passes;
    double *seconds; /* of the steps that count; sorted */
    double median;
    int64_t peak;
    at_step_scalars last;
    at_timer timer;
    at_roofline roofline;
} figures;

/* ---- Steps ---- */

/* One step as the loop queues it, awaited. */
static at_status step(at_run *r, const figures *f, int64_t attempt, at_step_scalars *out)
{
    const at_dataset *d = r->job.split[AT_SPLIT_TRAIN];
    int64_t extents[2];
    at_pass pass = {
        .seed = (uint64_t)r->settings.general.seed, .attempt = (uint64_t)attempt, .extents = extents};
    for (; pass.micro < f->n_passes; pass.micro++) {
        extents[0] = f->sizes[pass.micro];
        extents[1] = d->rows ? extents[0] * d->rows(d, 0) : 0;
        at_plan_run(r->train.plan, &pass);
    }
    at__queue_commit(r, attempt, &pass);
    const at_status s = at_plan_sync(r->train.plan);
    *out = r->scalars[attempt & 1];
    return s;
}

/* The samples of the first pass, which has the most; every pass finds them in the plan's inputs. */
static at_status feed_from(at_run *r, const figures *f, at_loader *l)
{
    const at_dataset *d = r->job.split[AT_SPLIT_TRAIN];
    at_batch b;
    at_loader_start(l, f->order, f->sizes, 1, &(at_fill){0});
    AT_TRY(at_loader_next(l, &b));
    AT_TRY(at__feed(r, &r->train, d, &b));
    return at_plan_sync(r->train.plan);
}

static at_status feed(at_run *r, figures *f)
{
    const at_dataset *d = r->job.split[AT_SPLIT_TRAIN];
    at_loader *l;
    AT_NEW(r->ctx, f->order, r->batch_size);
    AT_NEW(r->ctx, f->sizes, r->batch_size);
    for (int64_t i = 0; i < r->batch_size; i++) f->order[i] = (int32_t)(i % d->n);
    f->n_passes = at__cut_passes(&r->train, d, f->order, r->batch_size, f->sizes);
    at_status s = at_loader_create(&l, r->ctx, d, r->micro_batch, 1);
    if (s == AT_OK) s = feed_from(r, f, l);
    at_loader_destroy(l);
    return s;
}

/* seconds: of each step, or NULL. */
static at_status do_steps(at_run *r, figures *f, int64_t first, int64_t n, double *seconds)
{
    for (int64_t i = 0; i < n; i++) {
        AT_REQUIRE(r->ctx, !at_stop_requested(r->ctx), AT_E_INTERRUPTED, "interrupted");
        const double begin = at_clock();
        AT_TRY(step(r, f, first + i, &f->last));
        if (seconds) seconds[i] = at_clock() - begin;
        if (f->timer.plan) at__timer_step(&f->timer);
    }
    return AT_OK;
}

static at_status time_steps(at_run *r, figures *f)
{
    const int64_t n = f->settings.steps;
    AT_NEW(r->ctx, f->seconds, n);
    AT_TRY(feed(r, f));
    AT_TRY(do_steps(r, f, 0, f->settings.warmup, NULL));
    AT_TRY(do_steps(r, f, f->settings.warmup, n, f->seconds));
    AT_REQUIRE(r->ctx, (double)f->last.ok > 0, AT_E_NONFINITE, "the last step's gradient is not finite");
    f->median = at__median(f->seconds, n);
    f->peak = at_peak_memory();
    return AT_OK;
}

static at_status compare_with_limits(at_run *r, figures *f)
{
    const int64_t n = at_min(f->settings.steps, MOST_WATCHED);
    if (!f->settings.limits) return AT_OK;
    AT_TRY(at__measure_machine(&f->roofline.machine, r->ctx, r->act, r->memory_limit / 4));
    AT_TRY(at__timer_begin(&f->timer, r->ctx, r->train.plan, n));
    AT_TRY(do_steps(r, f, f->settings.warmup + f->settings.steps, n, NULL));
    f->roofline.step = f->median;
    f->roofline.passes = f->n_passes;
    return at__roofline(&f->roofline, r, &f->timer);
}

/* ---- What is told ---- */

static void write_text(const at_run *r, const figures *f, at_text *t)
{
    const double batch = (double)r->batch_size, slowest = f->seconds[f->settings.steps - 1];
    at_text_printf(t, "model      %s: %s, method %s, %s; %s, %d thread%s\n", r->settings.general.model,
                   r->model->architecture->name, r->method_name, at__precision_name(r->act),
                   at_isa_name(r->ctx->isa), r->ctx->threads, r->ctx->threads == 1 ? "" : "s");
    at_text_printf(t,
                   "step       %.3f ms, median of %lld (%.3f to %.3f): %lld samples of size %lld, %lld at "
                   "once, %lld outputs\n",
                   f->median * 1e3, (long long)f->settings.steps, f->seconds[0] * 1e3, slowest * 1e3,
                   (long long)r->batch_size, (long long)f->noise.size, (long long)f->sizes[0],
                   (long long)f->noise.outputs);
    at_text_printf(t, "speed      %.2f samples/s (%.2f to %.2f)\n", batch / f->median, batch / slowest,
                   batch / f->seconds[0]);
    at_text_printf(t, "memory     %.1f MiB resident at most\n", (double)f->peak / 1048576.0);
    if (f->settings.limits) at__roofline_text(&f->roofline, t);
}

static void write_json(const at_run *r, const figures *f, at_text *t)
{
    const double batch = (double)r->batch_size, slowest = f->seconds[f->settings.steps - 1];
    at_text_add(t, "{\"event\":\"bench\",\"model\":");
    at_text_json(t, r->settings.general.model);
    at_text_printf(t, ",\"architecture\":\"%s\",\"method\":", r->model->architecture->name);
    at_text_json(t, r->method_name);
    at_text_printf(t, ",\"batch\":%lld,\"micro_batch\":%lld,\"size\":%lld,\"classes\":%lld,\"threads\":%d",
                   (long long)r->batch_size, (long long)f->sizes[0], (long long)f->noise.size,
                   (long long)f->noise.outputs, r->ctx->threads);
    at_text_printf(t, ",\"isa\":\"%s\",\"precision\":\"%s\",\"kernels\":\"%s\",\"steps\":%lld",
                   at_isa_name(r->ctx->isa), at__precision_name(r->act), r->settings.general.kernels,
                   (long long)f->settings.steps);
    at__add_number(t, "step_seconds", f->median);
    at__add_number(t, "least_seconds", f->seconds[0]);
    at__add_number(t, "most_seconds", slowest);
    at__add_number(t, "samples_per_second", batch / f->median);
    at__add_number(t, "least_samples_per_second", batch / slowest);
    at__add_number(t, "most_samples_per_second", batch / f->seconds[0]);
    at_text_printf(t, ",\"peak_resident_bytes\":%lld", (long long)f->peak);
    at__add_number(t, "last_loss", (double)f->last.loss / (double)f->last.count);
    if (f->settings.limits) at__roofline_json(&f->roofline, t);
    at_text_add(t, "}");
}

static at_status emit(at_run *r, const figures *f)
{
    at_text text, json;
    at_text_init(&text, r->ctx);
    at_text_init(&json, r->ctx);
    write_text(r, f, &text);
    write_json(r, f, &json);
    if (text.size) text.data[--text.size] = '\0'; /* the last line's end is the reader's */
    at_event e = {.kind = AT_EVENT_PLAN, .samples_per_second = (double)r->batch_size / f->median};
    return at__emit_both(r, &e, &text, &json);
}

/* ---- The verb ---- */

/* What is frozen is computed in every step: a batch of noise that never changes has no features to cache. */
static at_status get_ready(at_run *r, figures *f)
{
    AT_TRY(at_recipe_read(r->recipe, &at_options_bench, &f->settings));
    f->noise = (at_noise){f->settings.size, f->settings.classes};
    r->noise = &f->noise;
    AT_TRY(at_recipe_decide(r->recipe, "train.cache_features", at_tree_string(&r->recipe->arena, "no")));
    AT_TRY(at__look(r));
    AT_REQUIRE(r->ctx, r->optimizer->build, AT_E_UNSUPPORTED,
               "bench times steps, and %s takes none; choose another method", r->optimizer->name);
    AT_TRY(at__adapt(r));
    AT_TRY(at__choose_micro_batch(r));
    return at__build_training(r);
}

static at_status measure(at_run *r, figures *f)
{
    AT_TRY(get_ready(r, f));
    AT_TRY(time_steps(r, f));
    AT_TRY(compare_with_limits(r, f));
    return emit(r, f);
}

static at_status bench(at_run *r, void *unused)
{
    (void)unused;
    figures f = {0};
    const at_status s = measure(r, &f);
    at__timer_end(&f.timer);
    at__roofline_end(r->ctx, &f.roofline);
    at_free(r->ctx, f.seconds);
    at_free(r->ctx, f.order);
    at_free(r->ctx, f.sizes);
    return s;
}

at_status at_bench(at_ctx *ctx, at_recipe *recipe, at_event_fn on_event, void *data)
{
    return at__with_run(ctx, recipe, on_event, data, bench, NULL);
}
