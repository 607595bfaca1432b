/* toy_regression: a number a sample, no classes. A file "NAME.toy" of numbers: samples, columns, codes a
 * sample; then for each sample its target, its codes, its number of rows and the rows. The last quarter
 * validates, unless data.valid is none. */
#include "formats/file.h"
#include "ops/toy_squared/toy_squared.h"
#include "tasks/task.h"
#include <math.h>
#include <stdlib.h>

typedef struct toy_data { /* a data set; samples lie one after another */
    at_dataset base;
    int64_t columns, codes;
    float *target, *measures;
    int32_t *code, *first_row; /* first_row[n + 1] */
} toy_data;

typedef struct job {
    toy_data *split[AT_SPLIT_COUNT];
} job;

static bool recognise(at_ctx *ctx, const char *path)
{
    (void)ctx;
    const size_t n = strlen(path);
    return n > 4 && strcmp(path + n - 4, ".toy") == 0;
}

/* ---- The data set ---- */

static int64_t rows_of(const at_dataset *d, int64_t sample)
{
    const int32_t *first = ((const toy_data *)d)->first_row;
    return first[sample + 1] - first[sample];
}

static at_status fill(at_ctx *ctx, const at_dataset *d, int64_t i, const at_fill *how, void *const *out)
{
    (void)ctx, (void)how;
    const toy_data *t = (const toy_data *)d;
    const size_t row = (size_t)t->columns * sizeof(float);
    if (out[0]) memcpy(out[0], t->measures + t->first_row[i] * t->columns, (size_t)rows_of(d, i) * row);
    if (out[1]) memcpy(out[1], t->code + i * t->codes, (size_t)t->codes * sizeof(int32_t));
    if (out[2]) memcpy(out[2], t->target + i, sizeof(float));
    return AT_OK;
}

static void forget(at_ctx *ctx, at_dataset *d)
{
    (void)ctx, (void)d; /* lies in the job's arena */
}

static void describe_columns(toy_data *t)
{
    at_dataset *d = &t->base;
    d->columns[0] =
        (at_column){.name = "measures", .dtype = AT_F32, .rank = 1, .dim = {t->columns}, .ragged = true};
    d->columns[1] = (at_column){.name = "codes", .dtype = AT_I32, .rank = 1, .dim = {t->codes}};
    d->columns[2] = (at_column){.name = "target", .dtype = AT_F32, .rank = 1, .dim = {1}};
    d->n_columns = 3;
    d->rows = rows_of;
    d->fill = fill;
    d->close = forget;
    for (int64_t i = 0; i < d->n; i++) d->max_rows = at_max(d->max_rows, rows_of(d, i));
}

static at_status read_samples(at_job *j, toy_data *t, char *text)
{
    char *at = text;
    int64_t room = 0;
    t->base.n = strtol(at, &at, 10);
    t->columns = strtol(at, &at, 10);
    t->codes = strtol(at, &at, 10);
    AT_REQUIRE(j->ctx, t->base.n > 0 && t->columns > 0 && t->codes > 0, AT_E_FORMAT,
               "a toy file begins with three numbers");
    for (const char *p = text; *p; p++) room += *p == ' ' || *p == '\n';
    t->target = at_arena_alloc(&j->arena, (size_t)t->base.n * sizeof *t->target);
    t->code = at_arena_alloc(&j->arena, (size_t)(t->base.n * t->codes) * sizeof *t->code);
    t->first_row = at_arena_alloc(&j->arena, (size_t)(t->base.n + 1) * sizeof *t->first_row);
    t->measures = at_arena_alloc(&j->arena, (size_t)(room + 1) * sizeof *t->measures);
    if (!t->target || !t->code || !t->first_row || !t->measures) return AT_E_NOMEM;
    for (int64_t i = 0, m = 0; i < t->base.n; i++) {
        t->target[i] = strtof(at, &at);
        for (int64_t c = 0; c < t->codes; c++) t->code[i * t->codes + c] = (int32_t)strtol(at, &at, 10);
        const int64_t rows = strtol(at, &at, 10);
        AT_REQUIRE(j->ctx, rows >= 0 && m + rows * t->columns <= room, AT_E_FORMAT,
                   "the toy file ends too early");
        t->first_row[i + 1] = t->first_row[i] + (int32_t)rows;
        for (int64_t r = 0; r < rows * t->columns; r++) t->measures[m++] = strtof(at, &at);
    }
    describe_columns(t);
    return AT_OK;
}

static at_status read_file(at_job *j, toy_data **out, const char *path)
{
    char *text;
    size_t size;
    *out = at_arena_alloc(&j->arena, sizeof **out);
    if (!*out) return AT_E_NOMEM;
    AT_TRY(at_file_read(j->ctx, &text, &size, path, 16 << 20));
    const at_status s = read_samples(j, *out, text);
    at_free(j->ctx, text);
    return s;
}

/* Samples [first, first + n) of a data set as one of their own. */
static toy_data *part_of(at_job *j, const toy_data *whole, int64_t first, int64_t n)
{
    toy_data *t = at_arena_alloc(&j->arena, sizeof *t);
    if (!t) return NULL;
    *t = *whole;
    t->base.n = n;
    t->target += first;
    t->code += first * t->codes;
    t->first_row += first;
    return t;
}

static at_status open(at_job *j)
{
    job *k = j->self;
    toy_data *all;
    j->n_outputs = 1;
    if (j->setup.uses_head && !j->setup.data.test) return AT_OK;
    AT_TRY(read_file(j, &all, j->setup.uses_head ? j->setup.data.test : j->setup.data.train));
    const bool none = j->setup.data.valid && strcmp(j->setup.data.valid, "none") == 0;
    const int64_t n = none || j->setup.uses_head ? all->base.n : all->base.n * 3 / 4;
    k->split[j->setup.uses_head ? AT_SPLIT_TEST : AT_SPLIT_TRAIN] = part_of(j, all, 0, n);
    if (n < all->base.n) k->split[AT_SPLIT_VALID] = part_of(j, all, n, all->base.n - n);
    for (int s = 0; s < AT_SPLIT_COUNT; s++)
        if (k->split[s]) j->split[s] = &k->split[s]->base;
    return AT_OK;
}

static at_status open_files(at_job *j, at_dataset **out, const char *const *paths, int n)
{
    toy_data *t;
    AT_REQUIRE(j->ctx, n == 1, AT_E_ARG, "one toy file at a time");
    AT_TRY(read_file(j, &t, paths[0]));
    *out = &t->base;
    return AT_OK;
}

/* ---- Objective and scores ---- */

static void objective(const at_job *j, at_graph *g, at_value *output, const at_inputs *in, at_value **loss,
                      at_value **count)
{
    (void)j;
    const at_squared l = at_toy_squared(g, output, at_inputs_get(g, in, "target"));
    *loss = l.sum;
    *count = l.count;
}

static at_status score(const at_job *j, at_split split, const float *outputs, at_scores *out)
{
    const toy_data *t = ((const job *)j->self)->split[split];
    double sum = 0.0;
    for (int64_t i = 0; i < t->base.n; i++) {
        const double d = (double)outputs[i] - (double)t->target[i];
        sum += d * d;
    }
    out->n = 1;
    out->list[0] = (at_score_value){.name = "rmse", .value = sqrt(sum / (double)t->base.n)};
    return AT_OK;
}

static void describe(const at_job *j, const float *output, at_text *json, at_text *text)
{
    (void)j;
    at_text_add(json, "\"value\":");
    at_text_number(json, (double)output[0]);
    at_text_printf(text, "%g", (double)output[0]);
}

const at_task at_task_toy_regression = {.name = "toy-regression",
                                        .doc = "a number a sample",
                                        .family = "toy",
                                        .sample = "file",
                                        .main_metric = "rmse",
                                        .size = sizeof(job),
                                        .recognise = recognise,
                                        .open = open,
                                        .open_files = open_files,
                                        .objective = objective,
                                        .score = score,
                                        .describe = describe};
