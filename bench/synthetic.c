/* synthetic.c: networks with random weights, and a task whose pictures are noise. The task borrows everything
 * but its data from image classification, so that a benchmark runs the graphs that a real run builds. */
#include "bench/synthetic.h"
#include "base/rng.h"
#include "base/text.h"
#include <stdio.h>

enum {
    N_SAMPLES = 100000,
    MAX_CLASSES = 10000
}; /* many samples: normalisations learn, as on a large data set */

/* ---- A network ---- */

static at_status write_config(at_ctx *ctx, const char *folder, const char *name)
{
    at_text path, json;
    at_text_init(&path, ctx);
    at_text_init(&json, ctx);
    at_text_printf(&path, "%s/config.json", folder);
    at_text_printf(&json, "{\"architecture\":\"%s\",\"num_classes\":0,\"global_pool\":\"avg\"}\n", name);
    at_status s = at_text_status(&json);
    if (s == AT_OK) s = at_text_status(&path);
    if (s == AT_OK) s = at_file_write(ctx, path.data, json.data, json.size);
    at_text_deinit(&json);
    at_text_deinit(&path);
    return s;
}

static at_status fill_model(at_model *m, at_device *device)
{
    int cursor = 0;
    char *config = at_arena_printf(&m->arena, "%s/config.json", m->folder);
    if (!config) return AT_E_NOMEM;
    AT_TRY(at_tree_read(&m->arena, &m->config, config));
    while ((m->architecture = at_registry_next(m->ctx, "architecture", &cursor)))
        if (m->architecture->recognise(m->config, &m->layout)) break;
    AT_REQUIRE(m->ctx, m->architecture, AT_E_ARG, "%s: no such folder, and no known network's name",
               m->folder);
    AT_TRY(at_net_init(&m->net, m->ctx, device));
    if (!(m->self = at_arena_alloc(&m->arena, m->architecture->size))) return AT_E_NOMEM;
    AT_TRY(m->architecture->open(m));
    for (int i = 0; i < m->net.n_params; i++) AT_TRY(at_init_default(m, m->net.params[i], 0));
    return at_model_save(m, m->folder);
}

at_status bench_make_model(at_ctx *ctx, const char *folder)
{
    const char *slash = strrchr(folder, '/');
    at_device *device;
    at_model *m;
    AT_TRY(at_folder_make(ctx, folder));
    AT_TRY(write_config(ctx, folder, slash ? slash + 1 : folder));
    AT_TRY(at_device_open(&device, ctx, "cpu"));
    AT_NEW(ctx, m, 1);
    m->ctx = ctx;
    m->folder = folder;
    at_arena_init(&m->arena, ctx);
    const at_status s = fill_model(m, device);
    at_model_close(m);
    at_device_close(device);
    if (s != AT_OK) AT_TRY(at_folder_remove(ctx, folder));
    return s;
}

/* ---- Pictures of noise ---- */

static struct {
    int64_t side;
    int classes;
    at_task task;
    const char *labels[MAX_CLASSES];
} noise;

/* Uniform with the mean and spread of standardised pictures: [-sqrt 3, sqrt 3). */
static at_status fill(at_ctx *ctx, const at_dataset *d, int64_t sample, const at_fill *how, void *const *out)
{
    (void)ctx;
    const at_rng_key key = at_rng_make(how->seed, at_hash_name("noise"), 0);
    float *x = out[0];
    uint32_t word[4];
    const int64_t n = at_column_count(&d->columns[0]);
    for (int64_t i = 0; i < n; i++) {
        if (i % 4 == 0) at_rng_block(word, key, (uint64_t)sample, 0, (uint32_t)(i / 4));
        x[i] = (float)word[i % 4] * (float)(2 * 1.7320508 / 4294967296.0) - 1.7320508f;
    }
    *(int32_t *)out[1] = (int32_t)at_rng_below(key, (uint64_t)sample, 1, 0, (uint64_t)noise.classes);
    return AT_OK;
}

static void close_noise(at_ctx *ctx, at_dataset *d)
{
    at_free(ctx, d);
}

static at_status open_noise(at_job *j)
{
    at_dataset *d;
    AT_NEW(j->ctx, d, 1);
    *d = (at_dataset){.n = N_SAMPLES, .n_columns = 2, .fill = fill, .close = close_noise};
    d->columns[0] = (at_column){"pixel_values", AT_F32, 3, {noise.side, noise.side, 3}, false};
    d->columns[1] = (at_column){.name = "labels", .dtype = AT_I32};
    j->split[AT_SPLIT_TRAIN] = d;
    j->n_labels = j->n_outputs = noise.classes;
    j->labels = noise.labels;
    return AT_OK;
}

at_status bench_add_noise_task(at_ctx *ctx, int64_t side, int classes)
{
    const at_task *real = at_registry_find(ctx, "task", "image-classification");
    AT_REQUIRE(ctx, classes > 1 && classes <= MAX_CLASSES, AT_E_RANGE, "--classes must be 2 to %d",
               (int)MAX_CLASSES);
    AT_REQUIRE(ctx, side >= 1 && side <= 4096, AT_E_RANGE, "--size must be 1 to 4096");
    noise.side = side;
    noise.classes = classes;
    for (int i = 0; i < classes; i++) noise.labels[i] = "noise";
    noise.task = *real;
    noise.task.open = open_noise;
    noise.task.close = NULL;
    return at_ctx_add(ctx, "task", &noise.task);
}

/* ---- A batch ---- */

static at_status fill_batch(at_ctx *ctx, at_batch *b, int32_t *ids, const at_dataset *d)
{
    for (int64_t i = 0; i < b->n; i++) {
        void *out[AT_MAX_COLUMNS];
        ids[i] = (int32_t)i;
        for (int c = 0; c < d->n_columns; c++)
            out[c] = (char *)(uintptr_t)b->data[c] + i * at_column_count(&d->columns[c]) * 4;
        AT_TRY(d->fill(ctx, d, i, &(at_fill){0}, out));
    }
    return AT_OK;
}

at_status bench_make_batch(at_ctx *ctx, at_batch *out, const at_dataset *d, int64_t n)
{
    int32_t *ids;
    *out = (at_batch){.n = n};
    for (int c = 0; c < d->n_columns; c++)
        if (!(out->data[c] = at_alloc(ctx, (size_t)(n * at_column_count(&d->columns[c])) * 4)))
            return AT_E_NOMEM;
    AT_NEW(ctx, ids, n);
    out->sample_id = ids;
    return fill_batch(ctx, out, ids, d);
}

void bench_free_batch(at_ctx *ctx, at_batch *b)
{
    for (int c = 0; c < AT_MAX_COLUMNS; c++) at_free(ctx, (void *)(uintptr_t)b->data[c]);
    at_free(ctx, (void *)(uintptr_t)b->sample_id);
}
