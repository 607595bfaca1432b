/* sentence_similarity: an embedding for each text, so that the cosine of two says how alike they are. Data
 * are tables of pairs: with a score, whose distance from the cosine is the loss; or without, where each text
 * is to find its partner among those of the batch, and a third column may hold texts that it is not to find.
 * Both texts of a pair go through one network in one pass. Reading path: open_data, output, objective. */
#include "models/sentence.h"
#include "ops/contrastive_loss/contrastive_loss.h"
#include "tasks/similarity_scores.h"
#include "tasks/texts.h"
#include <math.h>
#include <stdio.h>

typedef struct settings {
    const char *loss;
    double scale;
} settings;

static const at_option option_list[] = {
    {"loss", AT_OPTION_CHOICE, AT_OPTION(settings, loss), "auto", .choices = "auto|cosine|contrastive",
     .help =
         "cosine: squared distance of cosines from scores. contrastive: cross-entropy of each text's second "
         "text among those of the batch. auto: cosine where there are scores"},
    {"scale", AT_OPTION_REAL, AT_OPTION(settings, scale), "20", 0.01, 1000,
     .help = "of cosines in the contrastive loss: 1 / temperature"},
    {0},
};

const at_options at_options_sentence_similarity = {"sentence-similarity", option_list, sizeof(settings)};

typedef struct job { /* at_job.self */
    at_sentence sentence;
    at_text_data data;
    int64_t width; /* of an embedding */
    int parts;     /* texts of a sample */
} job;

/* ---- Scores: to 0..1 ---- */

typedef struct range {
    double low, high;
} range;

static range range_of(const at_texts *t)
{
    range r = {INFINITY, -INFINITY};
    for (int64_t i = 0; i < t->n; i++) {
        r.low = fmin(r.low, t->samples[i].number);
        r.high = fmax(r.high, t->samples[i].number);
    }
    return r;
}

/* What the recipe says, else what the scores of training suggest: as they are when a cosine can reach them.
 */
static at_status choose_range(const at_job *j, const at_texts *t, range *out, bool *rescaled)
{
    const char *told = ((const at_text_settings *)j->data_options)->score_range;
    const range found = range_of(t);
    int end = 0;
    *out = (range){0, 5};
    *rescaled = told || found.low < -1 || found.high > 1;
    if (told)
        AT_REQUIRE(j->ctx,
                   sscanf(told, "%lf..%lf%n", &out->low, &out->high, &end) == 2 && !told[end] &&
                       out->low < out->high && isfinite(out->high - out->low),
                   AT_E_ARG, "%s is \"%s\", must be the least and the largest score, such as 0..5",
                   at_job_where(j, "data.score_range"), told);
    AT_REQUIRE(j->ctx, !*rescaled || (found.low >= out->low && found.high <= out->high), AT_E_RANGE,
               "%s: scores run from %g to %g, which is beyond %g..%g; set data.score_range", t->table.path,
               found.low, found.high, out->low, out->high);
    return AT_OK;
}

static at_status rescale(at_job *j)
{
    job *k = j->self;
    at_texts *const all[] = {&k->data.train, &k->data.valid, &k->data.test};
    range r;
    bool rescaled;
    AT_TRY(choose_range(j, &k->data.train, &r, &rescaled));
    if (!rescaled) return AT_OK;
    at_job_note(j, "scores of %g to %g become 0 to 1 (data.score_range)", r.low, r.high);
    for (int i = 0; i < AT_COUNT(all); i++)
        for (int64_t s = 0; s < all[i]->n; s++)
            all[i]->samples[s].number = (all[i]->samples[s].number - r.low) / (r.high - r.low);
    return AT_OK;
}

/* ---- Opening ---- */

static at_status look_at_network(at_job *j)
{
    job *k = j->self;
    const at_model *m = j->model;
    AT_REQUIRE(j->ctx, m->architecture->encode, AT_E_UNSUPPORTED,
               "%s: a %s gives no rows for tokens that embeddings could be made of", m->folder,
               m->architecture->name);
    AT_TRY(at_sentence_read(j->ctx, &k->sentence, m->folder));
    at_job_note(j, "%s: the embedding of a text is %s%s%s", m->folder, at_sentence_text(&k->sentence),
                k->sentence.normalise ? ", scaled to length 1" : "",
                k->sentence.found ? "" : " (there is no modules.json)");
    if (k->sentence.has_prompt)
        at_job_note(j, "%s: the prompt of config_sentence_transformers.json is not put before the texts",
                    m->folder);
    k->width = m->head.features;
    k->data.pairs = true;
    k->data.max_length = k->sentence.max_length;
    return AT_OK;
}

static at_status make_share(at_job *j, at_split split, int32_t *index, int64_t n)
{
    return at_text_data_make_share(j, &((job *)j->self)->data, split, index, n);
}

static bool has_scores(const at_texts *t)
{
    return t->target == AT_TEXTS_NUMBER;
}

static void set_shape(at_job *j, const at_dataset *d, const at_texts *t)
{
    job *k = j->self;
    k->parts = at_dataset_parts(d);
    j->n_outputs = (int)(k->parts * k->width);
    j->n_labels = 0;
    j->main_metric = has_scores(t) ? "spearman" : "mrr_at_10";
}

static at_status open_test(at_job *j)
{
    job *k = j->self;
    AT_TRY(at_text_data_open_test(j, &k->data, AT_TEXTS_NUMBER));
    if (j->split[AT_SPLIT_TEST]) set_shape(j, j->split[AT_SPLIT_TEST], &k->data.test);
    return AT_OK;
}

static at_status open_data(at_job *j)
{
    job *k = j->self;
    const char *loss = ((const settings *)j->options)->loss;
    AT_TRY(look_at_network(j));
    if (j->setup.uses_head) return open_test(j);
    const char *pair = ((const at_text_settings *)j->data_options)->text_pair;
    AT_REQUIRE(j->ctx, !pair || strcmp(pair, "none") != 0, AT_E_ARG,
               "%s is none, but texts are to be compared: name the column of the second ones",
               at_job_where(j, "data.text_pair"));
    const at_texts_target target = strcmp(loss, "contrastive") == 0 ? AT_TEXTS_NONE : AT_TEXTS_NUMBER;
    AT_TRY(at_text_data_open(j, &k->data, target, make_share));
    const bool scores = has_scores(&k->data.train);
    AT_REQUIRE(j->ctx, scores || strcmp(loss, "cosine") != 0, AT_E_ARG,
               "%s is cosine, but %s has no column of scores; set data.label",
               at_job_where(j, "sentence-similarity.loss"), k->data.train.table.path);
    if (scores) AT_TRY(rescale(j));
    set_shape(j, j->split[AT_SPLIT_TRAIN], &k->data.train);
    return AT_OK;
}

static void close_data(at_job *j)
{
    at_text_data_close(j, &((job *)j->self)->data);
}

static at_status open_files(at_job *j, at_dataset **out, const char *const *paths, int n)
{
    job *k = j->self;
    AT_TRY(at_text_data_open_files(j, &k->data, out, paths, n));
    set_shape(j, *out, &k->data.files);
    return AT_OK;
}

static bool owns(const at_model *m)
{
    return !m->head.in_file && at_sentence_is(m->ctx, m->folder);
}

/* ---- Graph ---- */

static at_value *output(const at_job *j, at_model *m, at_graph *g, const at_inputs *in)
{
    const job *k = j->self;
    const at_sequences of = at_inputs_sequences(g, in);
    return at_sentence_apply(g, &k->sentence, m->architecture->encode(m, g, in), &of);
}

static void objective(const at_job *j, at_graph *g, at_value *x, const at_inputs *in, at_value **loss,
                      at_value **count)
{
    const job *k = j->self;
    const settings *o = j->options;
    const at_pair_loss l = has_scores(&k->data.train)
                               ? at_cosine_loss(g, at_inputs_get(g, in, "scores"), x)
                               : at_contrastive_loss(g, at_inputs_get(g, in, "text_hash"), x, o->scale);
    *loss = l.sum;
    *count = l.count;
}

/* ---- Judging and telling ---- */

static at_status score(const at_job *j, at_split split, const float *outputs, at_scores *out)
{
    const job *k = j->self;
    const at_texts *t = k->data.split[split].texts;
    const at_embedded e = {outputs, j->split[split]->n, k->width, k->parts};
    double *scores;
    if (!has_scores(t)) return at_score_ranks(j->ctx, out, &e);
    AT_NEW(j->ctx, scores, e.n);
    for (int64_t i = 0; i < e.n; i++) scores[i] = t->samples[k->data.split[split].index[i]].number;
    const at_status s = at_score_cosines(j->ctx, out, &e, scores);
    at_free(j->ctx, scores);
    return s;
}

static void describe(const at_job *j, const float *embeddings, at_text *json, at_text *text)
{
    const job *k = j->self;
    if (k->parts < 2) { /* data.text_pair none */
        at_text_add(json, "\"embedding\":");
        at_text_floats(json, embeddings, k->width);
        at_text_printf(text, "%lld numbers", (long long)k->width);
        return;
    }
    const at_embedded e = {embeddings, 1, k->width, k->parts};
    const double cosine = at_embedded_cosine(&e, 0);
    at_text_add(json, "\"similarity\":");
    at_text_number(json, cosine);
    at_text_printf(text, "%7.4f", cosine);
}

static at_status report(const at_job *j, at_split split, const float *outputs, at_text *html)
{
    (void)split, (void)outputs;
    return at_report_texts(j, &((const job *)j->self)->data.train, html);
}

static at_status save(const at_job *j, const char *folder)
{
    const job *k = j->self;
    at_sentence s = k->sentence;
    const int64_t told = ((const at_text_settings *)j->data_options)->max_length;
    if (told > 0) s.max_length = told;
    return at_sentence_write(j->ctx, &s, folder, k->width);
}

const at_task at_task_sentence_similarity = {
    .name = "sentence-similarity",
    .doc = "embeddings of texts whose cosine says how alike two texts are",
    .family = "text",
    .options = &at_options_sentence_similarity,
    .data_options = &at_options_texts,
    .main_metric = "spearman",
    .headless = true,
    .sample = "text",
    .size = sizeof(job),
    .expects = "a table of pairs of texts (.csv, .tsv, .json, .jsonl), with or without scores, or a "
               "folder of such tables (train, valid, test)",
    .owns = owns,
    .open = open_data,
    .close = close_data,
    .open_files = open_files,
    .output = output,
    .objective = objective,
    .score = score,
    .describe = describe,
    .save = save,
    .report = report};
