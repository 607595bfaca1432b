/* image_classification: one label a photo. Data are folders with one sub-folder a class; the objective is
 * cross-entropy; scores are the registered metrics. Reading path: open_data, objective, score, report. */
#include "data/noise.h"
#include "data/pictures.h"
#include "tasks/classes.h"
#include "tasks/shares.h"
#include <stdio.h>

const at_options at_options_image_classification = {"image-classification", at_class_options,
                                                    sizeof(at_class_settings)};

typedef struct job { /* at_job.self */
    at_class_target target;
    at_preprocess preprocess;
    at_augment_list augment;
    at_photo_set train, valid, test; /* valid: when it has a folder of its own */
    at_photo_set files;              /* predictions */
} job;

static bool recognise(at_ctx *ctx, const char *path)
{
    (void)ctx;
    return at_path_is_folder(path);
}

/* ---- Preprocessing: as the checkpoint says ---- */

static at_status read_preprocess(at_job *j)
{
    job *k = j->self;
    at_model *m = j->model;
    char *path = at_arena_printf(&j->arena, "%s/preprocessor_config.json", m->folder);
    if (!path) return AT_E_NOMEM;
    const at_tree *cfg = at_tree_get(m->config, "pretrained_cfg");
    if (m->layout == AT_LAYOUT_TIMM && cfg)
        return at_preprocess_from_timm(j->ctx, &k->preprocess, cfg, m->folder);
    AT_REQUIRE(j->ctx, at_path_exists(path), AT_E_IO,
               "%s is missing: it says how pictures are scaled for this network", path);
    at_tree *t;
    AT_TRY(at_tree_read(&j->arena, &t, path));
    return at_preprocess_from_transformers(j->ctx, &k->preprocess, t, path);
}

/* ---- Data ---- */

/* A class of which nothing is left cannot be learnt. */
static at_status check_classes(at_job *j, const at_photo_set *s)
{
    int64_t i = 0;
    for (int label = 0; label < s->n_classes; label++) {
        AT_REQUIRE(j->ctx, i < s->n && s->photos[i].label == label, AT_E_FORMAT,
                   "%s: class %s has no photo that can be decoded; add some or remove the folder", s->folder,
                   s->classes[label]);
        while (i < s->n && s->photos[i].label == label) i++;
    }
    return AT_OK;
}

/* Leave out photos that cannot be decoded, with a note for each of the first few and their number. */
static at_status skip_corrupt(at_job *j, at_photo_set *s)
{
    const int64_t all = s->n;
    int64_t kept = 0, skipped = 0;
    for (int64_t i = 0; i < s->n; i++) {
        at_image image;
        const at_status status = at_image_read(j->ctx, &image, s->photos[i].path);
        if (status == AT_E_NOMEM) return status;
        if (status == AT_OK) {
            at_image_deinit(j->ctx, &image);
            s->photos[kept++] = s->photos[i];
            continue;
        }
        if (++skipped <= 5) at_job_note(j, "skipped: %s", at_last_error(j->ctx));
        at_clear_error(j->ctx);
    }
    s->n = kept;
    if (skipped)
        at_job_note(j, "%lld of %lld photos%s%s cannot be decoded and are left out", (long long)skipped,
                    (long long)all, s->folder ? " of " : "", s->folder ? s->folder : "");
    AT_REQUIRE(j->ctx, kept > 0, AT_E_FORMAT, "%s: no photo can be decoded",
               s->folder ? s->folder : "the files given");
    return AT_OK;
}

static at_status read_set(at_job *j, at_photo_set *out, const char *folder, const at_photo_set *like)
{
    AT_TRY(at_photos_read(j->ctx, out, folder, like ? (const char *const *)like->classes : NULL,
                          like ? like->n_classes : 0));
    if (strcmp(j->setup.data.corrupt, "skip") == 0) {
        AT_TRY(skip_corrupt(j, out));
        if (!like) AT_TRY(check_classes(j, out));
    } else {
        AT_TRY(at_photos_probe(j->ctx, out));
    }
    return at_photos_hash(j->ctx, out);
}

static at_status make_split(at_job *j, at_split split, const at_photo_set *photos, const int32_t *index,
                            int64_t n)
{
    job *k = j->self;
    const at_picture_options o = {.preprocess = &k->preprocess,
                                  .augment = split == AT_SPLIT_TRAIN ? &k->augment : NULL,
                                  .labels = true,
                                  .memory = j->setup.memory / AT_SPLIT_COUNT};
    int32_t *label = k->target.label[split] = at_arena_alloc(&j->arena, (size_t)n * sizeof *label);
    if (!label) return AT_E_NOMEM;
    for (int64_t i = 0; i < n; i++) label[i] = photos->photos[index[i]].label;
    return at_pictures_create(&j->split[split], j->ctx, photos, index, n, &o);
}

static at_status make_whole_split(at_job *j, at_split split, const at_photo_set *photos)
{
    const int32_t *index = at_job_all_samples(j, photos->n);
    return index ? make_split(j, split, photos, index, photos->n) : AT_E_NOMEM;
}

static at_status make_share(at_job *j, at_split split, int32_t *index, int64_t n)
{
    return make_split(j, split, &((job *)j->self)->train, index, n);
}

typedef struct duplicate_note {
    at_job *j;
    int n;
} duplicate_note;

static void note_duplicate(void *data, const char *a, const char *b)
{
    duplicate_note *d = data;
    if (++d->n <= 3) at_job_note(d->j, "the same photo is in two splits: %s and %s", a, b);
}

static void report_duplicates(at_job *j, const at_photo_set *a, const at_photo_set *b, const char *which)
{
    duplicate_note d = {.j = j};
    at_photos_duplicates(a, b, note_duplicate, &d);
    if (d.n > 3)
        at_job_note(j, "%d photos of %s are in the training split, too: its scores are too good", d.n, which);
}

static at_status open_splits(at_job *j)
{
    job *k = j->self;
    at_photo_splits found;
    at_sources from;
    AT_TRY(at_photos_find_splits(&j->arena, &found, j->setup.data.train));
    AT_TRY(read_set(j, &k->train, found.train ? found.train : j->setup.data.train, NULL));
    AT_TRY(at_job_sources(j, &from, found.valid, found.test, k->train.n, "photos"));
    if (from.valid) AT_TRY(read_set(j, &k->valid, from.valid, &k->train));
    if (from.test) AT_TRY(read_set(j, &k->test, from.test, &k->train));
    if (from.valid) AT_TRY(make_whole_split(j, AT_SPLIT_VALID, &k->valid));
    if (from.test) AT_TRY(make_whole_split(j, AT_SPLIT_TEST, &k->test));
    AT_TRY(at_job_make_shares(j, &k->train.contents, &from, make_share));
    if (from.valid) report_duplicates(j, &k->train, &k->valid, "valid");
    if (from.test) report_duplicates(j, &k->train, &k->test, "test");
    return AT_OK;
}

/* A folder to score the model's own head on: its test split when it has one. */
static at_status open_test(at_job *j, const char *folder)
{
    job *k = j->self;
    at_photo_splits found;
    AT_TRY(at_photos_find_splits(&j->arena, &found, folder));
    AT_TRY(at_photos_read(j->ctx, &k->test,
                          found.test    ? found.test
                          : found.train ? found.train
                                        : folder,
                          j->labels, j->n_labels));
    if (strcmp(j->setup.data.corrupt, "skip") == 0)
        AT_TRY(skip_corrupt(j, &k->test));
    else
        AT_TRY(at_photos_probe(j->ctx, &k->test));
    return make_whole_split(j, AT_SPLIT_TEST, &k->test);
}

static at_status open_data(at_job *j)
{
    job *k = j->self;
    AT_TRY(read_preprocess(j));
    if (j->setup.uses_head) AT_TRY(at_class_prepare(j));
    if (j->setup.uses_head) return j->setup.data.test ? open_test(j, j->setup.data.test) : AT_OK;
    AT_TRY(at_augment_read(&j->arena, &k->augment, j->setup.data.augment, at_job_where(j, "augment")));
    AT_TRY(open_splits(j));
    j->n_labels = j->n_outputs = k->train.n_classes;
    j->labels = (const char *const *)k->train.classes;
    j->augments = k->augment.n > 0;
    AT_TRY(at_class_prepare(j));
    return at_class_weigh(j);
}

/* ---- Noise ---- */

enum {
    NOISE_PICTURES = 100000, /* as many as a large data set has: normalisations learn */
    NOISE_CLASSES = 1000,    /* where the checkpoint has no head */
};

static at_status choose_noise(at_job *j, int *width, int *height)
{
    job *k = j->self;
    at_noise *noise = j->setup.noise;
    if (noise->outputs < 0) noise->outputs = j->model->head.in_file ? j->model->n_labels : NOISE_CLASSES;
    *width = *height = (int)noise->size;
    if (noise->size > 0) return AT_OK;
    AT_TRY(read_preprocess(j));
    at_preprocess_size(&k->preprocess, width, height);
    AT_REQUIRE(j->ctx, *width > 0, AT_E_ARG, "%s does not say how large pictures are: give their size",
               j->model->folder);
    noise->size = *width;
    return AT_OK;
}

static at_status open_noise(at_job *j)
{
    int width, height;
    AT_TRY(choose_noise(j, &width, &height));
    const at_column columns[] = {
        {.name = "pixel_values", .dtype = AT_F32, .rank = 3, .dim = {height, width, 3}},
        {.name = "labels", .dtype = AT_I32}};
    j->n_outputs = (int)j->setup.noise->outputs;
    return at_noise_create(&j->split[AT_SPLIT_TRAIN], j->ctx, columns, AT_COUNT(columns), NOISE_PICTURES,
                           (uint64_t)j->n_outputs);
}

static void close_data(at_job *j)
{
    job *k = j->self;
    at_photos_deinit(&k->train);
    at_photos_deinit(&k->valid);
    at_photos_deinit(&k->test);
    at_photos_deinit(&k->files);
}

/* ---- Predictions ---- */

static at_status open_files(at_job *j, at_dataset **out, const char *const *paths, int n)
{
    job *k = j->self;
    const at_picture_options o = {.preprocess = &k->preprocess};
    AT_TRY(at_photos_list(j->ctx, &k->files, paths, n));
    if (strcmp(j->setup.data.corrupt, "skip") == 0) AT_TRY(skip_corrupt(j, &k->files));
    int32_t *index;
    AT_NEW(j->ctx, index, k->files.n);
    for (int64_t i = 0; i < k->files.n; i++) index[i] = (int32_t)i;
    const at_status s = at_pictures_create(out, j->ctx, &k->files, index, k->files.n, &o);
    at_free(j->ctx, index);
    return s;
}

/* ---- Report ---- */

static at_status show(const at_job *j, const at_dataset *d, int64_t sample, at_text *html)
{
    const job *k = j->self;
    at_image image, fitted;
    unsigned char *jpeg;
    size_t n;
    AT_TRY(at_image_read(j->ctx, &image, d->name(d, sample)));
    at_status s = at_preprocess_fit(j->ctx, &fitted, &k->preprocess, &image);
    at_image_deinit(j->ctx, &image);
    if (s != AT_OK) return s;
    s = at_image_encode_jpeg(j->ctx, &jpeg, &n, &fitted, 80);
    if (s == AT_OK)
        at_text_printf(html, "<img width=\"%d\" height=\"%d\" alt=\"photo ", fitted.width, fitted.height);
    at_image_deinit(j->ctx, &fitted);
    if (s != AT_OK) return s;
    const char *slash = strrchr(d->name(d, sample), '/');
    at_text_html(html, slash ? slash + 1 : d->name(d, sample));
    at_text_add(html, "\" src=\"data:image/jpeg;base64,");
    at_text_base64(html, jpeg, n);
    at_text_add(html, "\">");
    at_free(j->ctx, jpeg);
    return AT_OK;
}

static at_status report(const at_job *j, at_split split, const float *outputs, at_text *html)
{
    const job *k = j->self;
    return at_report_classes(j, j->split[split], outputs, k->target.label[split], k->target.threshold, show,
                             html);
}

const at_task at_task_image_classification = {
    .name = "image-classification",
    .doc = "one label a photo",
    .family = "image",
    .options = &at_options_image_classification,
    .main_metric = "accuracy",
    .sample = "file",
    .size = sizeof(job),
    .expects = "a folder with one sub-folder of photos a class (or train/ and "
               "test/ of that kind)",
    .recognise = recognise,
    .open = open_data,
    .open_noise = open_noise,
    .close = close_data,
    .open_files = open_files,
    .objective = at_class_objective,
    .commonest = at_class_commonest,
    .decide = at_class_decide,
    .score = at_class_score,
    .describe = at_class_describe,
    .report = report};
