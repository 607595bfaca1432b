/* step.c: `attune bench` for the comparisons: a model that does not exist is made, and short names of keys.
 *
 *   bench_step MODEL [--batch 32] [--size 224] [--classes 1000] [--steps 20] [--warmup 3] [--isa I]
 * [--profile]
 *              [--KEY VALUE of a recipe: --method full, --threads 2, --kernels avx2 ...]
 *
 * MODEL is a folder; one that does not exist is made, with random weights, when its last name is timm's name
 * of a network ("build/bench/mobilenetv2_100"). A step is one pass unless train.micro_batch says otherwise:
 * so do the peers. Prints one JSON object; with --profile, tables of all nodes to stderr. */
#include "bench/synthetic.h"
#include "formats/file.h"
#include <stdio.h>

typedef struct wishes {
    const char *model, *isa;
    const char *batch, *micro_batch; /* of a step and of a pass; micro_batch NULL = the same */
    bool profile;
} wishes;

/* The recipe's key for a short name, or the name. */
static const char *key_of(const char *name)
{
    static const char *const keys[][2] = {{"size", "bench.size"},
                                          {"classes", "bench.classes"},
                                          {"steps", "bench.steps"},
                                          {"warmup", "bench.warmup"}};
    for (int i = 0; i < AT_COUNT(keys); i++)
        if (strcmp(keys[i][0], name) == 0) return keys[i][1];
    return name;
}

/* recipe NULL: only what is no key of it. */
static at_status take_pair(wishes *w, at_recipe *recipe, const char *key, const char *value)
{
    if (strcmp(key, "isa") == 0)
        w->isa = value;
    else if (strcmp(key, "batch") == 0)
        w->batch = value;
    else if (strcmp(key, "train.micro_batch") == 0)
        w->micro_batch = value;
    else if (recipe)
        return at_recipe_set(recipe, key_of(key), value);
    return AT_OK;
}

static at_status take_line(at_ctx *ctx, wishes *w, at_recipe *recipe, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *key = argv[i];
        if (strncmp(key, "--", 2) != 0) {
            w->model = key;
        } else if (strcmp(key, "--profile") == 0) {
            w->profile = true;
        } else {
            if (++i == argc) return recipe ? at_fail(ctx, AT_E_ARG, "%s needs a value", key) : AT_OK;
            AT_TRY(take_pair(w, recipe, key + 2, argv[i]));
        }
    }
    if (recipe)
        AT_REQUIRE(ctx, w->model, AT_E_ARG, "usage: bench_step MODEL [--batch N] ... (see bench/README.md)");
    return AT_OK;
}

static void show(void *data, const at_event *e)
{
    const wishes *w = data;
    if (e->kind != AT_EVENT_PLAN) return;
    printf("%s\n", e->json);
    if (w->profile) fprintf(stderr, "%s\n", e->text);
}

static at_status run(at_ctx *ctx, at_recipe *recipe, wishes *w, int argc, char **argv)
{
    AT_TRY(at_recipe_set(recipe, "bench.size", "224"));
    AT_TRY(at_recipe_set(recipe, "bench.classes", "1000"));
    AT_TRY(take_line(ctx, w, recipe, argc, argv));
    const char *const settings[][2] = {{"model", w->model},
                                       {"train.batch_size", w->batch},
                                       {"train.micro_batch", w->micro_batch ? w->micro_batch : w->batch},
                                       {"bench.limits", w->profile ? "true" : "false"}};
    for (int i = 0; i < AT_COUNT(settings); i++)
        AT_TRY(at_recipe_set(recipe, settings[i][0], settings[i][1]));
    if (!at_path_is_folder(w->model)) AT_TRY(bench_make_model(ctx, w->model));
    return at_bench(ctx, recipe, show, w);
}

int main(int argc, char **argv)
{
    wishes w = {.batch = "32"};
    at_ctx *ctx;
    at_recipe *recipe = NULL;
    at_status s = take_line(NULL, &w, NULL, argc, argv); /* --isa, which the context needs */
    if (s == AT_OK && (s = at_ctx_create(&ctx, &(at_ctx_options){.isa = w.isa})) != AT_OK) {
        fprintf(stderr, "bench_step: --isa must be base, avx2, avx512, avx512bf16 or amx\n");
        return 2;
    }
    s = at_recipe_create(&recipe, ctx);
    if (s == AT_OK) s = run(ctx, recipe, &w, argc, argv);
    if (s != AT_OK) fprintf(stderr, "bench_step: %s\n", at_last_error(ctx));
    at_recipe_destroy(recipe);
    at_ctx_destroy(ctx);
    return s == AT_OK ? 0 : 1;
}
