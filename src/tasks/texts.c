/* texts.c: tables of texts for tasks: from the keys data.* to splits of tokens. Reading path:
 * at_text_data_open, open_tables, make_shares, make_split. */
#include "tasks/texts.h"

static const at_option option_list[] = {
    {"label", AT_OPTION_TEXT, AT_OPTION(at_text_settings, label), .aliases = "label_column",
     .help = "column of the labels, by name or number; inferred when absent"},
    {"text", AT_OPTION_TEXT, AT_OPTION(at_text_settings, text), .aliases = "text_column",
     .help = "column of the texts, by name or number; inferred when absent"},
    {"text_pair", AT_OPTION_TEXT, AT_OPTION(at_text_settings, text_pair), .aliases = "text_pair_column",
     .help = "column of the second texts of pairs, or none; inferred when absent"},
    {"delimiter", AT_OPTION_TEXT, AT_OPTION(at_text_settings, delimiter),
     .help = "between cells: \",\", \";\", \"|\", tab or first-space; by the file when absent"},
    {"quote", AT_OPTION_TEXT, AT_OPTION(at_text_settings, quote),
     .help = "what encloses a cell: \"\\\"\" or none; none in files with tabs when absent"},
    {"header", AT_OPTION_CHOICE, AT_OPTION(at_text_settings, header), "auto", .choices = "auto|yes|no",
     .help = "is the first row of a table the names of its columns?"},
    {"encoding", AT_OPTION_CHOICE, AT_OPTION(at_text_settings, encoding), "utf-8", .choices = "utf-8|latin-1",
     .help = "of the files of texts"},
    {"max_length", AT_OPTION_WHOLE, AT_OPTION(at_text_settings, max_length), .low = 3, .high = 1 << 20,
     .aliases = "max_seq_length max_length",
     .help = "most tokens of a sample, special ones included; what the network takes when absent"},
    {0},
};

const at_options at_options_texts = {"data", option_list, sizeof(at_text_settings)};

/* ---- Reading ---- */

static void note(void *j, const char *text)
{
    at_job_note(j, "%s", text);
}

static at_status read_table(at_job *j, at_texts *out, const char *path, at_texts_target target,
                            const at_texts *like)
{
    const at_text_settings *s = j->data_options;
    const at_texts_options o = {
        .table = {.delimiter = s->delimiter, .quote = s->quote, .header = s->header, .encoding = s->encoding},
        .target = target,
        .label = s->label,
        .text = s->text,
        .text_pair = s->text_pair,
        .skip_corrupt = strcmp(j->setup.data.corrupt, "skip") == 0,
        .classes = j->setup.uses_head ? j->labels : NULL,
        .n_classes = j->setup.uses_head ? j->n_labels : 0,
        .note = note,
        .note_data = j};
    return at_texts_read(j->ctx, out, path, &o, like);
}

static at_status open_tokenizer(at_job *j, at_text_data *k)
{
    const at_model *m = j->model;
    AT_TRY(at_tokenizer_open(&k->tokenizer, j->ctx, m->folder));
    const int64_t size = at_tokenizer_size(k->tokenizer);
    AT_REQUIRE(j->ctx, size <= m->text.vocabulary, AT_E_FORMAT,
               "%s: the tokenizer has %lld tokens, the network (config.json, vocab_size) only %lld; they "
               "belong to different checkpoints",
               m->folder, (long long)size, (long long)m->text.vocabulary);
    return AT_OK;
}

static at_status max_length(at_job *j, int64_t *out)
{
    const at_text_settings *s = j->data_options;
    const int64_t most = j->model->text.positions;
    AT_REQUIRE(j->ctx, s->max_length <= most, AT_E_RANGE, "%s is %lld, but %s takes at most %lld tokens",
               at_job_where(j, "data.max_length"), (long long)s->max_length, j->model->folder,
               (long long)most);
    *out = s->max_length > 0 ? s->max_length : most;
    return AT_OK;
}

/* ---- Splits ---- */

static at_status tokens_of(at_job *j, at_text_data *k, at_dataset **out, const at_texts *texts,
                           const int32_t *index, int64_t n, bool labels)
{
    at_token_options o = {.tokenizer = k->tokenizer, .labels = labels};
    at_token_stats stats;
    AT_TRY(max_length(j, &o.max_length));
    AT_TRY(at_tokens_create(out, j->ctx, texts, index, n, &o, &stats));
    if (stats.cut)
        at_job_note(j, "%s: %lld of %lld texts are longer than %lld tokens and were cut", texts->table.path,
                    (long long)stats.cut, (long long)n, (long long)o.max_length);
    return AT_OK;
}

/* index: of the arena. */
static at_status make_split(at_job *j, at_text_data *k, at_split split, const at_texts *texts, int32_t *index,
                            int64_t n)
{
    k->split[split].texts = texts;
    k->split[split].index = index;
    return tokens_of(j, k, &j->split[split], texts, index, n, true);
}

static int32_t *all_of(at_job *j, const at_texts *texts)
{
    int32_t *index = at_arena_alloc(&j->arena, (size_t)texts->n * sizeof *index);
    for (int64_t i = 0; index && i < texts->n; i++) index[i] = (int32_t)i;
    return index;
}

static at_status make_whole_split(at_job *j, at_text_data *k, at_split split, const at_texts *texts)
{
    int32_t *index = all_of(j, texts);
    return index ? make_split(j, k, split, texts, index, texts->n) : AT_E_NOMEM;
}

/* Shares of the training table, and what is left of it. */
static at_status make_shares(at_job *j, at_text_data *k, double valid, double test)
{
    const int64_t n = k->train.n;
    bool *in_test = at_arena_alloc(&j->arena, (size_t)n * sizeof *in_test),
         *in_valid = at_arena_alloc(&j->arena, (size_t)n * sizeof *in_valid);
    if (!in_test || !in_valid) return AT_E_NOMEM;
    memset(in_test, 0, (size_t)n * sizeof *in_test);
    memset(in_valid, 0, (size_t)n * sizeof *in_valid);
    if (test > 0) AT_TRY(at_texts_split(j->ctx, in_test, &k->train, test, j->setup.seed + 1, NULL));
    if (valid > 0) AT_TRY(at_texts_split(j->ctx, in_valid, &k->train, valid, j->setup.seed, in_test));
    for (int split = 0; split < AT_SPLIT_COUNT; split++) {
        int32_t *index = at_arena_alloc(&j->arena, (size_t)n * sizeof *index);
        int64_t m = 0;
        if (!index) return AT_E_NOMEM;
        for (int64_t i = 0; i < n; i++) {
            const int of = in_test[i] ? AT_SPLIT_TEST : in_valid[i] ? AT_SPLIT_VALID : AT_SPLIT_TRAIN;
            if (of == split) index[m++] = (int32_t)i;
        }
        if (m > 0 && !j->split[split]) AT_TRY(make_split(j, k, (at_split)split, &k->train, index, m));
    }
    return AT_OK;
}

static void note_duplicates(at_job *j, const at_text_data *k, const at_texts *of, const char *which)
{
    const int64_t n = at_texts_duplicates(&k->train, of, NULL, NULL);
    if (n > 0)
        at_job_note(j,
                    "%lld pairs of equal texts are in the %s and the training split: its scores are too good",
                    (long long)n, which);
}

typedef struct sources { /* files; shares of train where there is none */
    const char *train, *valid, *test;
    double valid_share, test_share;
} sources;

static at_status find_sources(at_job *j, sources *s)
{
    at_text_splits found;
    const at_data_options *d = &j->setup.data;
    AT_TRY(at_texts_find_splits(&j->arena, &found, d->train));
    *s = (sources){.train = found.train ? found.train : d->train,
                   .valid = d->valid ? d->valid : found.valid,
                   .test = d->test ? d->test : found.test};
    AT_TRY(at_job_share(j, d->valid, "data.valid", &s->valid_share));
    AT_TRY(at_job_share(j, d->test, "data.test", &s->test_share));
    AT_REQUIRE(j->ctx, s->valid_share + s->test_share < 1, AT_E_RANGE,
               "%s and %s take %g %% of the texts together, which leaves none to learn from",
               at_job_where(j, "data.valid"), at_job_where(j, "data.test"),
               100 * (s->valid_share + s->test_share));
    if (at_job_is_none(s->valid) || s->valid_share > 0) s->valid = NULL;
    if (at_job_is_none(s->test) || s->test_share > 0) s->test = NULL;
    return AT_OK;
}

at_status at_text_data_open(at_job *j, at_text_data *k, at_texts_target target)
{
    sources s;
    AT_TRY(open_tokenizer(j, k));
    AT_TRY(find_sources(j, &s));
    AT_TRY(read_table(j, &k->train, s.train, target, NULL));
    if (!s.valid && s.valid_share == 0 && !at_job_is_none(j->setup.data.valid))
        s.valid_share = k->train.n < 1000 ? 0.2 : 0.1;
    if (s.valid) {
        AT_TRY(read_table(j, &k->valid, s.valid, target, &k->train));
        AT_TRY(make_whole_split(j, k, AT_SPLIT_VALID, &k->valid));
        note_duplicates(j, k, &k->valid, "valid");
    }
    if (s.test) {
        AT_TRY(read_table(j, &k->test, s.test, target, &k->train));
        AT_TRY(make_whole_split(j, k, AT_SPLIT_TEST, &k->test));
        note_duplicates(j, k, &k->test, "test");
    }
    return make_shares(j, k, s.valid_share, s.test_share);
}

at_status at_text_data_open_test(at_job *j, at_text_data *k, at_texts_target target)
{
    at_text_splits found;
    AT_TRY(open_tokenizer(j, k));
    if (!j->setup.data.test) return AT_OK;
    AT_TRY(at_texts_find_splits(&j->arena, &found, j->setup.data.test));
    AT_TRY(read_table(j, &k->test, found.test ? found.test : found.train, target, NULL));
    return make_whole_split(j, k, AT_SPLIT_TEST, &k->test);
}

at_status at_text_data_open_files(at_job *j, at_text_data *k, at_dataset **out, const char *const *paths,
                                  int n)
{
    AT_REQUIRE(j->ctx, n == 1, AT_E_ARG, "%d files are given; texts are predicted from one table at a time",
               n);
    AT_TRY(read_table(j, &k->files, paths[0], AT_TEXTS_NONE, NULL));
    int32_t *index = all_of(j, &k->files);
    return index ? tokens_of(j, k, out, &k->files, index, k->files.n, false) : AT_E_NOMEM;
}

void at_text_data_close(at_job *j, at_text_data *k)
{
    at_texts_deinit(&k->train);
    at_texts_deinit(&k->valid);
    at_texts_deinit(&k->test);
    at_texts_deinit(&k->files);
    at_tokenizer_close(j->ctx, k->tokenizer);
}
