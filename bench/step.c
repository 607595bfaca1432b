/* step.c: training steps on one resident batch of noise: forward, loss, backward, update, as a run does them.
 *
 *   bench_step MODEL [--batch 32] [--size 224] [--classes 1000] [--steps 20] [--warmup 3] [--isa I]
 * [--profile]
 *              [--KEY VALUE of a recipe: --method full, --threads 2, --kernels avx2 ...]
 *
 * MODEL is a folder; one that does not exist is made, with random weights, when its last name is timm's name
 * of a network ("build/bench/mobilenetv2_100"). Prints one JSON object; with --profile, a table of all nodes
 * to stderr. */
#include "bench/measure.h"
#include "bench/profile.h"
#include "bench/synthetic.h"
#include "formats/system.h"
#include "run/run.h"
#include <stdio.h>

typedef struct wishes {
    const char *model, *isa;
    int batch, size, classes, steps, warmup;
    bool profile;
} wishes;

typedef struct figures {
    double *seconds;
    at_step_scalars last;
} figures;

/* ---- The command line ---- */

static bool take_number(const wishes *w, const char *key, const char *value)
{
    const struct {
        const char *key;
        const int *place;
    } numbers[] = {{"batch", &w->batch},
                   {"size", &w->size},
                   {"classes", &w->classes},
                   {"steps", &w->steps},
                   {"warmup", &w->warmup}};
    for (int i = 0; i < AT_COUNT(numbers); i++)
        if (strcmp(numbers[i].key, key) == 0) {
            *(int *)(uintptr_t)numbers[i].place = atoi(value);
            return true;
        }
    return false;
}

/* What is no flag of this program is set in the recipe when there is one. */
static at_status take_line(at_ctx *ctx, wishes *w, at_recipe *recipe, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *key = argv[i];
        if (strncmp(key, "--", 2) != 0) {
            w->model = key;
            continue;
        }
        key += 2;
        if (strcmp(key, "profile") == 0) {
            w->profile = true;
            continue;
        }
        if (++i == argc) return recipe ? at_fail(ctx, AT_E_ARG, "--%s needs a value", key) : AT_OK;
        if (strcmp(key, "isa") == 0)
            w->isa = argv[i];
        else if (!take_number(w, key, argv[i]) && recipe)
            AT_TRY(at_recipe_set(recipe, key, argv[i]));
    }
    if (!recipe) return AT_OK;
    AT_REQUIRE(ctx, w->model, AT_E_ARG, "usage: bench_step MODEL [--batch N] ... (see bench/README.md)");
    AT_REQUIRE(ctx, w->batch > 0 && w->steps > 0 && w->warmup >= 1, AT_E_RANGE,
               "--batch, --steps, --warmup must be at least 1");
    return AT_OK;
}

static at_status write_recipe(at_recipe *recipe, const wishes *w)
{
    char batch[16];
    snprintf(batch, sizeof batch, "%d", w->batch);
    const char *const settings[][2] = {{"model", w->model},         {"data.train", "noise"},
                                       {"data.valid", "none"},      {"task", "image-classification"},
                                       {"train.batch_size", batch}, {"train.cache_features", "no"}};
    for (int i = 0; i < AT_COUNT(settings); i++)
        AT_TRY(at_recipe_set(recipe, settings[i][0], settings[i][1]));
    return AT_OK;
}

/* ---- Steps ---- */

/* One step as loop.c queues it, awaited. */
static at_status step(at_run *r, int64_t attempt, at_step_scalars *out)
{
    at_plan *plan = r->train.plan;
    const int64_t extents[2] = {r->batch_size, 0};
    at_pass pass = {
        .seed = (uint64_t)r->settings.general.seed, .attempt = (uint64_t)attempt, .extents = extents};
    const at_real rate = 1;
    at_plan_run(plan, &pass);
    pass.micro = 1;
    at_plan_write(plan, r->commit.rate, &rate, 1);
    at_plan_commit(plan, &pass);
    at_plan_fetch(plan, r->train.loss, &out->loss);
    at_plan_fetch(plan, r->train.count, &out->count);
    at_plan_fetch(plan, r->commit.norm, &out->norm);
    at_plan_fetch(plan, r->commit.ok, &out->ok);
    return at_plan_sync(plan);
}

static at_status feed(at_run *r)
{
    const at_dataset *d = r->job.split[AT_SPLIT_TRAIN];
    at_batch b;
    at_status s = bench_make_batch(r->ctx, &b, d, r->batch_size);
    if (s == AT_OK) s = at__feed(r, &r->train, d, &b);
    if (s == AT_OK) s = at_plan_sync(r->train.plan);
    bench_free_batch(r->ctx, &b);
    return s;
}

static at_status time_steps(at_run *r, const wishes *w, figures *f)
{
    AT_TRY(feed(r));
    for (int i = 0; i < w->warmup + w->steps; i++) {
        if (i == w->warmup && w->profile) AT_TRY(bench_profile_watch(r->train.plan, w->steps));
        const double begin = at_clock();
        AT_TRY(step(r, i, &f->last));
        if (i >= w->warmup) f->seconds[i - w->warmup] = at_clock() - begin;
        bench_profile_step();
    }
    AT_REQUIRE(r->ctx, (double)f->last.ok > 0, AT_E_NONFINITE, "the last step's gradient is not finite");
    return AT_OK;
}

/* ---- Results ---- */

static void print(const at_run *r, const wishes *w, figures *f)
{
    const double median = bench_median(f->seconds, w->steps);
    printf("{\"model\":\"%s\",\"method\":\"%s\",\"batch\":%d,\"size\":%d,\"classes\":%d,\"threads\":%d,"
           "\"isa\":\"%s\",\"precision\":\"%s\","
           "\"kernels\":\"%s\",\"steps\":%d,",
           w->model, r->method_name, w->batch, w->size, w->classes, r->ctx->threads, at_isa_name(r->ctx->isa),
           r->act == AT_BF16 ? "bf16" : "f32", r->settings.general.kernels, w->steps);
    printf("\"step_seconds\":%.6f,\"least_seconds\":%.6f,\"most_seconds\":%.6f,\"samples_per_second\":%.2f,"
           "\"peak_resident_bytes\":%lld,\"last_loss\":%.6f}\n",
           median, f->seconds[0], f->seconds[w->steps - 1], w->batch / median, (long long)at_peak_memory(),
           (double)f->last.loss / (double)f->last.count);
}

static at_status measure(at_run *r, const wishes *w)
{
    figures f = {0};
    AT_TRY(at__look(r));
    AT_TRY(at__adapt(r));
    AT_TRY(at__build_training(r));
    AT_REQUIRE(r->ctx, r->optimizer->build && r->micro_batch == r->batch_size, AT_E_UNSUPPORTED,
               "one micro batch a step and an optimiser of steps, please");
    AT_NEW(r->ctx, f.seconds, w->steps);
    at_status s = time_steps(r, w, &f);
    if (s == AT_OK) print(r, w, &f);
    if (s == AT_OK && w->profile) s = bench_profile_print(r->train.plan);
    bench_profile_end(r->ctx);
    at_free(r->ctx, f.seconds);
    return s;
}

static at_status run(at_ctx *ctx, at_recipe *recipe, wishes *w)
{
    at_run *r;
    AT_TRY(bench_add_noise_task(ctx, w->size, w->classes));
    AT_TRY(write_recipe(recipe, w));
    if (!at_path_is_folder(w->model)) AT_TRY(bench_make_model(ctx, w->model));
    if (w->profile) AT_TRY(bench_profile_begin(ctx));
    AT_NEW(ctx, r, 1);
    at_status s = at__run_open(r, ctx, recipe, NULL, NULL);
    if (s == AT_OK) s = measure(r, w);
    at__run_close(r, s);
    at_free(ctx, r);
    return s;
}

int main(int argc, char **argv)
{
    wishes w = {.batch = 32, .size = 224, .classes = 1000, .steps = 20, .warmup = 3};
    at_ctx *ctx;
    at_recipe *recipe = NULL;
    at_status s = take_line(NULL, &w, NULL, argc, argv); /* --isa, which the context needs */
    if (s == AT_OK && (s = at_ctx_create(&ctx, &(at_ctx_options){.isa = w.isa})) != AT_OK) {
        fprintf(stderr, "bench_step: --isa must be base, avx2, avx512, avx512bf16 or amx\n");
        return 2;
    }
    s = at_recipe_create(&recipe, ctx);
    if (s == AT_OK) s = take_line(ctx, &w, recipe, argc, argv);
    if (s == AT_OK) s = run(ctx, recipe, &w);
    if (s != AT_OK) fprintf(stderr, "bench_step: %s\n", at_last_error(ctx));
    at_recipe_destroy(recipe);
    at_ctx_destroy(ctx);
    return s == AT_OK ? 0 : 1;
}
