/* token_classification: a tag for every word of a text: named entities, parts of speech. Data are tagged
 * sentences (data/tagged.h); a word's first token stands for it. The objective is cross-entropy of those
 * tokens; scores are those of entities (tags.h) where tags are entities', and the share of right words. */
#include "tasks/token_classification.h"
#include "ops/softmax_xent/softmax_xent.h"
#include "tasks/texts.h"
#include <math.h>

typedef struct settings {
    bool label_all_pieces;
    double label_smoothing;
} settings;

static const at_option option_list[] = {
    {"label_all_pieces", AT_OPTION_FLAG, AT_OPTION(settings, label_all_pieces), "false",
     .aliases = "label_all_tokens",
     .help = "learn from all tokens of a word, those behind the first with I- in place of B-"},
    {"label_smoothing", AT_OPTION_REAL, AT_OPTION(settings, label_smoothing), "0", 0, 0.99,
     .help = "share of the target spread evenly over the tags"},
    {0},
};

const at_options at_options_token_classification = {"token-classification", option_list, sizeof(settings)};

typedef struct data_settings { /* keys data.* beside those of all tasks; NULL = inferred */
    const char *text, *label, *tags;
    int64_t max_length;
} data_settings;

static const at_option data_option_list[] = {
    {"text", AT_OPTION_TEXT, AT_OPTION(data_settings, text), .aliases = "text_column",
     .help = "column of the words by number, of JSON lines by name; the first (\"tokens\") when absent"},
    {"label", AT_OPTION_TEXT, AT_OPTION(data_settings, label), .aliases = "label_column",
     .help = "column of the tags by number, of JSON lines by name; the last (\"ner_tags\") when absent"},
    {"tags", AT_OPTION_TEXT, AT_OPTION(data_settings, tags),
     .help = "names of tags that are numbers, in their order: \"O,B-PER,I-PER\""},
    {"max_length", AT_OPTION_WHOLE, AT_OPTION(data_settings, max_length), .low = 3, .high = 1 << 20,
     .aliases = "max_seq_length max_length",
     .help = "most tokens of a sample, special ones included; what the network takes when absent"},
    {0},
};

const at_options at_options_tagged = {"data", data_option_list, sizeof(data_settings)};

/* ---- Data ---- */

static at_status read_file(at_job *j, at_tagged *out, const char *path, bool predicts, const at_tagged *like)
{
    const data_settings *s = j->data_options;
    const at_tagged_options o = {.text = s->text,
                                 .label = s->label,
                                 .tags = s->tags,
                                 .predicts = predicts,
                                 .classes = j->setup.uses_head ? j->labels : NULL,
                                 .n_classes = j->setup.uses_head ? j->n_labels : 0};
    return at_tagged_read(j->ctx, out, path, &o, like);
}

/* Words behind the last token of a sentence that was cut. */
static int64_t words_cut(const at_tagged *of, const at_dataset *d)
{
    int64_t cut = 0;
    for (int64_t i = 0; i < d->n; i++) {
        const int64_t s = at_tagged_tokens_sentence(d, i), n = of->start[s + 1] - of->start[s];
        const int32_t *words = at_tagged_tokens_words(d, i);
        int64_t last = -1;
        for (int64_t r = 0; r < d->rows(d, i); r++) last = at_max(last, words[r]);
        cut += n - 1 - last;
    }
    return cut;
}

static at_status tokens_of(at_job *j, at_dataset **out, const at_tagged *of, const int32_t *index, int64_t n,
                           bool labels)
{
    const at_tagging *k = j->self;
    at_token_options o = {
        .tokenizer = k->tokenizer, .labels = labels, .tag_inside = k->inside, .cache = j->setup.cache};
    at_token_stats stats;
    AT_TRY(at_job_max_length(j, ((const data_settings *)j->data_options)->max_length, 0, &o.max_length));
    AT_TRY(at_tagged_tokens_create(out, j->ctx, of, index, n, &o, &stats));
    if (*stats.lost) at_job_note(j, "tokens are not kept: %s", stats.lost);
    if (stats.cut)
        at_job_note(
            j,
            "%s: %lld of %lld sentences are longer than %lld tokens and were cut: %lld words are left "
            "without a prediction, which counts as O",
            of->path, (long long)stats.cut, (long long)n, (long long)o.max_length,
            (long long)words_cut(of, *out));
    return AT_OK;
}

static at_status make_split(at_job *j, at_split split, const at_tagged *of, int32_t *index, int64_t n)
{
    ((at_tagging *)j->self)->split[split] = of;
    return tokens_of(j, &j->split[split], of, index, n, true);
}

static at_status make_whole_split(at_job *j, at_split split, const at_tagged *of)
{
    int32_t *index = at_job_all_samples(j, of->n);
    return index ? make_split(j, split, of, index, of->n) : AT_E_NOMEM;
}

static at_status make_share(at_job *j, at_split split, int32_t *index, int64_t n)
{
    return make_split(j, split, &((at_tagging *)j->self)->train, index, n);
}

/* A split with a file of its own. */
static at_status open_file(at_job *j, at_split split, at_tagged *out, const char *path)
{
    const at_tagged *train = &((at_tagging *)j->self)->train;
    if (!path) return AT_OK;
    AT_TRY(read_file(j, out, path, false, train));
    AT_TRY(make_whole_split(j, split, out));
    at_job_note_equal(j, &train->contents, &out->contents, split, "sentences");
    return AT_OK;
}

static at_status take_tags(at_job *j)
{
    at_tagging *k = j->self;
    AT_TRY(at_tags_init(&j->arena, &k->tags, j->labels, j->n_labels));
    j->main_metric = k->tags.list ? "f1" : "accuracy";
    if (!((const settings *)j->options)->label_all_pieces) return AT_OK;
    return at_tags_inside(&j->arena, &k->inside, j->labels, j->n_labels);
}

/* Data to score the model's own head on. */
static at_status open_test(at_job *j)
{
    at_tagging *k = j->self;
    at_text_splits found;
    AT_TRY(take_tags(j));
    if (!j->setup.data.test) return AT_OK;
    AT_TRY(at_texts_find_splits(&j->arena, &found, j->setup.data.test));
    AT_TRY(read_file(j, &k->test, found.test ? found.test : found.train, false, NULL));
    return make_whole_split(j, AT_SPLIT_TEST, &k->test);
}

static at_status open_data(at_job *j)
{
    at_tagging *k = j->self;
    at_text_splits found;
    at_sources from;
    AT_TRY(at_job_open_tokenizer(j, &k->tokenizer));
    if (j->setup.uses_head) return open_test(j);
    AT_TRY(at_texts_find_splits(&j->arena, &found, j->setup.data.train));
    AT_TRY(read_file(j, &k->train, found.train ? found.train : j->setup.data.train, false, NULL));
    j->n_labels = j->n_outputs = k->train.n_classes;
    j->labels = k->train.classes;
    AT_TRY(take_tags(j));
    AT_TRY(at_job_sources(j, &from, found.valid, found.test, k->train.n, "sentences"));
    AT_TRY(open_file(j, AT_SPLIT_VALID, &k->valid, from.valid));
    AT_TRY(open_file(j, AT_SPLIT_TEST, &k->test, from.test));
    return at_job_make_shares(j, &k->train.contents, &from, make_share);
}

static void close_data(at_job *j)
{
    at_tagging *k = j->self;
    at_tagged_deinit(&k->train);
    at_tagged_deinit(&k->valid);
    at_tagged_deinit(&k->test);
    at_tagged_deinit(&k->files);
    at_tokenizer_close(j->ctx, k->tokenizer);
}

static at_status open_files(at_job *j, at_dataset **out, const char *const *paths, int n)
{
    at_tagging *k = j->self;
    AT_REQUIRE(j->ctx, n == 1, AT_E_ARG, "%d files are given; texts are predicted from one file at a time",
               n);
    AT_TRY(read_file(j, &k->files, paths[0], true, NULL));
    int32_t *index = at_job_all_samples(j, k->files.n);
    return index ? tokens_of(j, out, &k->files, index, k->files.n, false) : AT_E_NOMEM;
}

/* ---- Objective ---- */

static void objective(const at_job *j, at_graph *g, at_value *output, const at_inputs *in, at_value **loss,
                      at_value **count)
{
    const settings *o = j->options;
    const at_loss l = at_softmax_xent(g, output, at_inputs_get(g, in, "labels"), NULL, o->label_smoothing);
    *loss = l.sum;
    *count = l.weight;
}

/* ---- From logits to tags ---- */

at_status at_said_init(at_ctx *ctx, at_said *s, int64_t most_words)
{
    *s = (at_said){.tag = at_alloc_array(ctx, most_words, sizeof *s->tag),
                   .probability = at_alloc_array(ctx, most_words, sizeof *s->probability)};
    if (s->tag && s->probability) return AT_OK;
    at_said_deinit(ctx, s);
    return AT_E_NOMEM;
}

void at_said_deinit(at_ctx *ctx, at_said *s)
{
    at_free(ctx, s->tag);
    at_free(ctx, s->probability);
    *s = (at_said){0};
}

int64_t at_tagged_longest(const at_tagged *of, const at_dataset *d)
{
    int64_t most = 0;
    for (int64_t i = 0; i < d->n; i++) {
        const int64_t s = at_tagged_tokens_sentence(d, i);
        most = at_max(most, of->start[s + 1] - of->start[s]);
    }
    return most;
}

static int32_t first_of_largest(const float *row, int n)
{
    int best = 0;
    for (int i = 1; i < n; i++)
        if (row[i] > row[best]) best = i;
    return best;
}

int64_t at_said_read(const at_job *j, at_said *s, const at_tagged *of, const at_dataset *d, int64_t sample,
                     const float *logits)
{
    const at_tagging *k = j->self;
    const int64_t sentence = at_tagged_tokens_sentence(d, sample),
                  n = of->start[sentence + 1] - of->start[sentence];
    const int32_t *words = at_tagged_tokens_words(d, sample);
    for (int64_t i = 0; i < n; i++) {
        s->tag[i] = k->tags.outside;
        s->probability[i] = 0;
    }
    for (int64_t r = 0; r < d->rows(d, sample); r++, logits += j->n_outputs) {
        if (words[r] < 0 || (r > 0 && words[r] == words[r - 1])) continue;
        const int32_t tag = s->tag[words[r]] = first_of_largest(logits, j->n_outputs);
        s->probability[words[r]] = exp(at_log_probability(logits, j->n_outputs, tag));
    }
    return n;
}

/* ---- Scores ---- */

typedef struct sums {
    at_entity_counts *by_type; /* NULL: no entities */
    int64_t words, right;
} sums;

static void add_sentence(const at_job *j, sums *s, const int32_t *truth, const int32_t *said, int64_t n)
{
    const at_tagging *k = j->self;
    s->words += n;
    for (int64_t i = 0; i < n; i++) s->right += truth[i] == said[i];
    if (s->by_type) at_entities_count(&k->tags, s->by_type, truth, said, n);
}

static void put_score(at_scores *out, const char *name, double value)
{
    out->list[out->n++] = (at_score_value){.name = name, .value = value, .higher_is_better = true};
}

static void put_scores(const at_job *j, at_scores *out, const sums *s)
{
    const at_tagging *k = j->self;
    out->n = 0;
    if (s->by_type) {
        at_entity_counts all = {0};
        for (int i = 0; i < k->tags.n_types; i++) {
            all.truly += s->by_type[i].truly;
            all.said += s->by_type[i].said;
            all.right += s->by_type[i].right;
        }
        const at_entity_scores e = at_entities_score(&all);
        put_score(out, "f1", e.f1);
        put_score(out, "precision", e.precision);
        put_score(out, "recall", e.recall);
    }
    put_score(out, "accuracy", (double)s->right / (double)at_max(s->words, 1));
}

static at_status score(const at_job *j, at_split split, const float *outputs, at_scores *out)
{
    const at_tagging *k = j->self;
    const at_dataset *d = j->split[split];
    const at_tagged *of = k->split[split];
    at_said said;
    sums s = {0};
    AT_TRY(at_said_init(j->ctx, &said, at_tagged_longest(of, d)));
    if (k->tags.list) s.by_type = at_alloc_array(j->ctx, k->tags.n_types, sizeof *s.by_type);
    const at_status status = k->tags.list && !s.by_type ? AT_E_NOMEM : AT_OK;
    for (int64_t i = 0; i < d->n && status == AT_OK; i++) {
        const int64_t n = at_said_read(j, &said, of, d, i, outputs);
        add_sentence(j, &s, of->tag + of->start[at_tagged_tokens_sentence(d, i)], said.tag, n);
        outputs += d->rows(d, i) * j->n_outputs;
    }
    if (status == AT_OK) put_scores(j, out, &s);
    at_free(j->ctx, s.by_type);
    at_said_deinit(j->ctx, &said);
    return status;
}

/* ---- Predictions ---- */

/* Characters before a byte of a text, as Python counts them. */
static long long characters(const char *text, int64_t bytes)
{
    long long n = 0;
    for (int64_t i = 0; i < bytes; i++) n += ((unsigned char)text[i] & 0xc0) != 0x80;
    return n;
}

typedef struct sentence {
    const at_tagged *of;
    int64_t index, n; /* words */
    const at_said *said;
} sentence;

static at_status describe_entity(const at_job *j, const sentence *s, const at_entity *e, at_text *json,
                                 at_text *text)
{
    const at_tagging *k = j->self;
    const int64_t first = s->of->start[s->index] + e->first, last = s->of->start[s->index] + e->end - 1;
    const char *whole = s->of->text[s->index].text;
    const int64_t begin = s->of->place[first], end = s->of->place[last] + (int64_t)s->of->words[last].n;
    double sum = 0;
    for (int64_t i = e->first; i < e->end; i++) sum += s->said->probability[i];
    char *part;
    AT_NEW(j->ctx, part, end - begin + 1);
    memcpy(part, whole + begin, (size_t)(end - begin));
    at_text_add(json, "{\"type\":");
    at_text_json(json, k->tags.types[e->type]);
    at_text_add(json, ",\"text\":");
    at_text_json(json, part);
    at_text_printf(json, ",\"start\":%lld,\"end\":%lld,\"probability\":", characters(whole, begin),
                   characters(whole, end));
    at_text_number(json, sum / (double)(e->end - e->first));
    at_text_add(json, "}");
    at_text_printf(text, "%s %s", k->tags.types[e->type], part);
    at_free(j->ctx, part);
    return AT_OK;
}

static at_status describe_entities(const at_job *j, const sentence *s, at_text *json, at_text *text)
{
    const at_tagging *k = j->self;
    at_entity e = {0};
    bool any = false;
    at_text_add(json, "\"entities\":[");
    while (at_entity_next(&k->tags, s->said->tag, s->n, e.end, &e)) {
        if (any) at_text_add(json, ",");
        if (any) at_text_add(text, ", ");
        AT_TRY(describe_entity(j, s, &e, json, text));
        any = true;
    }
    at_text_add(json, "],");
    if (!any) at_text_add(text, "none");
    return AT_OK;
}

static at_status describe_sentence(const at_job *j, const sentence *s, at_text *json, at_text *text)
{
    const bool entities = ((const at_tagging *)j->self)->tags.list != NULL;
    if (entities) AT_TRY(describe_entities(j, s, json, text));
    at_text_add(json, "\"tags\":[");
    for (int64_t i = 0; i < s->n; i++) {
        const int32_t tag = s->said->tag[i];
        if (i) at_text_add(json, ",");
        if (tag < 0)
            at_text_add(json, "null");
        else
            at_text_json(json, j->labels[tag]);
        if (!entities) at_text_printf(text, "%s%s", i ? " " : "", tag < 0 ? "-" : j->labels[tag]);
    }
    at_text_add(json, "]");
    return AT_OK;
}

static at_status describe_rows(const at_job *j, const at_dataset *d, int64_t sample, const float *output,
                               at_text *json, at_text *text)
{
    const at_tagging *k = j->self;
    const at_tagged *of = &k->files;
    const int64_t i = at_tagged_tokens_sentence(d, sample);
    at_said said;
    AT_TRY(at_said_init(j->ctx, &said, of->start[i + 1] - of->start[i]));
    const sentence s = {of, i, at_said_read(j, &said, of, d, sample, output), &said};
    const at_status status = describe_sentence(j, &s, json, text);
    at_said_deinit(j->ctx, &said);
    return status;
}

const at_task at_task_token_classification = {
    .name = "token-classification",
    .doc = "a tag for every word of a text: named entities, parts of speech",
    .family = "text",
    .per_token = true,
    .options = &at_options_token_classification,
    .data_options = &at_options_tagged,
    .main_metric = "f1",
    .loss = "nats a token",
    .sample = "text",
    .size = sizeof(at_tagging),
    .expects =
        "tagged sentences (.conll, .bio, .iob; or .txt, .tsv and .jsonl that hold them), or a folder of such "
        "files (train, valid, test)",
    .recognise = at_is_tagged,
    .open = open_data,
    .close = close_data,
    .open_files = open_files,
    .objective = objective,
    .score = score,
    .describe_rows = describe_rows,
    .report = at_report_tags};
