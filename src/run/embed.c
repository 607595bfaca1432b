/* embed.c: the verb that writes what a network makes of files, without an output layer: a row of numbers for
 * each text or photo, in the order of the input. Nothing is padded: texts of any length are laid end to end.
 * Reading path: embed, compute, write. */
#include "formats/file.h"
#include "formats/npy.h"
#include "formats/system.h"
#include "run/report.h"
#include "run/run.h"

enum { MOST_SAMPLES = 1024 }; /* of a pass: many short texts; near_limit (build.c) bounds their rows */

typedef struct embeddings {
    const at_dataset *d;
    int64_t width;
    float *rows; /* [d->n, width] */
} embeddings;

/* ---- Files, by their endings ---- */

static at_status write_safetensors(at_run *r, const char *path, const embeddings *e)
{
    const at_tensor t = {
        .name = "embeddings", .dtype = AT_F32, .rank = 2, .dim = {e->d->n, e->width}, .data = e->rows};
    return at_safetensors_write(r->ctx, path, &t, 1, NULL);
}

static at_status write_npy(at_run *r, const char *path, const embeddings *e)
{
    return at_npy_write(r->ctx, path, e->rows, e->d->n, e->width);
}

static void add_line(at_text *line, const at_run *r, const embeddings *e, int64_t i)
{
    at_text_printf(line, "{\"%s\":", r->job.task->sample);
    at_text_json(line, e->d->name ? e->d->name(e->d, i) : "");
    at_text_add(line, ",\"embedding\":");
    at_text_floats(line, e->rows + i * e->width, e->width);
    at_text_add(line, "}\n");
}

static at_status write_jsonl(at_run *r, const char *path, const embeddings *e)
{
    at_writer *w;
    at_text line;
    AT_TRY(at_writer_open(&w, r->ctx, path));
    at_text_init(&line, r->ctx);
    at_status s = AT_OK;
    for (int64_t i = 0; i < e->d->n && s == AT_OK; i++) {
        line.size = 0;
        add_line(&line, r, e, i);
        s = at_text_status(&line);
        if (s == AT_OK) s = at_writer_put(w, line.data, line.size);
    }
    at_text_deinit(&line);
    if (s == AT_OK) return at_writer_commit(w);
    at_writer_abort(w);
    return s;
}

typedef at_status (*write_fn)(at_run *r, const char *path, const embeddings *e);

static write_fn writer_of(const char *path)
{
    static const char *const endings[] = {".safetensors", ".npy", ".jsonl"};
    static const write_fn writers[] = {write_safetensors, write_npy, write_jsonl};
    const size_t n = strlen(path);
    for (int i = 0; i < AT_COUNT(endings); i++) {
        const size_t m = strlen(endings[i]);
        if (n > m && strcmp(path + n - m, endings[i]) == 0) return writers[i];
    }
    return NULL;
}

/* Can a file be made there? Asked before the work, not after it. */
static at_status check_folder(at_run *r, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *folder = slash ? at_arena_printf(&r->arena, "%.*s", (int)(slash - path + 1), path) : ".";
    at_writer *w;
    if (!folder) return AT_E_NOMEM;
    AT_REQUIRE(r->ctx, at_path_is_folder(folder), AT_E_IO,
               "%s: there is no folder %s; make it, or choose another --output", path, folder);
    AT_TRY(at_writer_open(&w, r->ctx, path));
    at_writer_abort(w);
    return AT_OK;
}

/* Told before anything is read. */
static at_status choose_writer(at_run *r, write_fn *out, const char **path)
{
    at_general o;
    AT_TRY(at_recipe_read(r->recipe, &at_options_general, &o));
    *path = o.output;
    AT_REQUIRE(r->ctx, o.output, AT_E_ARG,
               "no file to write is given: --output FILE.safetensors, FILE.npy or FILE.jsonl");
    AT_REQUIRE(r->ctx, (*out = writer_of(o.output)), AT_E_ARG,
               "%s: its ending must be .safetensors, .npy or .jsonl", o.output);
    AT_REQUIRE(r->ctx, !at_path_exists(o.output), AT_E_ARG, "%s exists; choose another --output", o.output);
    return check_folder(r, o.output);
}

/* ---- Computing ---- */

static at_status compute(at_run *r, embeddings *e)
{
    at_pipe *p = &r->eval;
    AT_TRY(at__build_eval(r, e->d, at_max(1, at_min(e->d->n, MOST_SAMPLES))));
    AT_TRY(at__plan_pipe(r, p));
    const at_meta *m = &p->output->meta;
    e->width = at_meta_max_rows(m) * at_meta_cols(m) / p->batch;
    AT_NEW(r->ctx, e->rows, e->d->n * e->width);
    const at_sweep all = {.d = e->d, .n = e->d->n};
    return at__forward(r, p, p->plan, &all, &p->output, 1, &e->rows);
}

static at_status tell(at_run *r, const embeddings *e, const char *path)
{
    char samples[AT_FIGURE];
    at_event event = {.kind = AT_EVENT_DONE, .samples = e->d->n};
    at_text text, json;
    const double seconds = at_clock() - r->started;
    at_text_init(&text, r->ctx);
    at_text_init(&json, r->ctx);
    at_text_printf(&text, "%s: %s rows of %lld numbers, computed in %s, in %.1f s", path,
                   at__exact(samples, e->d->n), (long long)e->width, r->act == AT_BF16 ? "bf16" : "f32",
                   seconds);
    at_text_add(&json, "{\"event\":\"embedded\",\"output\":");
    at_text_json(&json, path);
    at_text_printf(&json,
                   ",\"samples\":%lld,\"width\":%lld,\"precision\":\"%s\",\"seconds\":", (long long)e->d->n,
                   (long long)e->width, r->act == AT_BF16 ? "bf16" : "f32");
    at_text_number(&json, seconds);
    at_text_add(&json, "}");
    return at__emit_both(r, &event, &text, &json);
}

typedef struct request {
    const char *const *paths;
    int n_paths;
} request;

static at_status embed(at_run *r, void *arg)
{
    const request *q = arg;
    write_fn write = NULL;
    const char *path = NULL;
    at_dataset *d;
    embeddings e = {0};
    AT_TRY(choose_writer(r, &write, &path));
    AT_TRY(at__look_to_embed(r));
    AT_TRY(r->job.task->open_files(&r->job, &d, q->paths, q->n_paths));
    at__emit_notes(r);
    e.d = d;
    at_status s = compute(r, &e);
    if (s == AT_OK) s = write(r, path, &e);
    if (s == AT_OK) s = tell(r, &e, path);
    at_free(r->ctx, e.rows);
    d->close(r->ctx, d);
    return s;
}

at_status at_embed(at_ctx *ctx, at_recipe *recipe, const char *const *paths, int n_paths,
                   at_event_fn on_event, void *data)
{
    static const char *const none[] = {NULL};
    return at__with_run(ctx, recipe, on_event, data, embed, &(request){paths ? paths : none, n_paths});
}
