/* texts.c: tables of texts for tasks: from the keys data.* to splits of tokens. Reading path:
 * at_text_data_open, open_file, make_split. */
#include "tasks/texts.h"
#include "formats/file.h"

static const at_option option_list[] = {
    {"label", AT_OPTION_TEXT, AT_OPTION(at_text_settings, label), .aliases = "label_column",
     .help = "column of the labels, by name or number; inferred when absent"},
    {"text", AT_OPTION_TEXT, AT_OPTION(at_text_settings, text), .aliases = "text_column",
     .help = "column of the texts, by name or number; inferred when absent"},
    {"text_pair", AT_OPTION_TEXT, AT_OPTION(at_text_settings, text_pair), .aliases = "text_pair_column",
     .help = "column of the second texts of pairs, or none; inferred when absent"},
    {"label_separator", AT_OPTION_TEXT, AT_OPTION(at_text_settings, label_separator),
     .help = "between the classes of a label cell; makes the task multi-label-text-classification, whose "
             "own is \",\"; lists of JSON need none"},
    {"negative", AT_OPTION_TEXT, AT_OPTION(at_text_settings, negative), .aliases = "negative_column",
     .help = "of texts to compare: column of texts that do not belong to the first, or none; inferred when "
             "absent"},
    {"score_range", AT_OPTION_TEXT, AT_OPTION(at_text_settings, score_range),
     .help =
         "of texts to compare: least and largest score, \"0..5\", which become 0 and 1; when absent 0..5, "
         "unless all are between -1 and 1, which stay"},
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
    {"slices", AT_OPTION_TREE, AT_OPTION(at_text_settings, slices),
     .help = "columns, by name or number: the report gives the main score of each of their values"},
    {0},
};

const at_options at_options_texts = {"data", option_list, sizeof(at_text_settings)};

/* Files of tagged words have a task of their own; what is no table is told when it is read. */
bool at_text_data_recognise(at_ctx *ctx, const char *path)
{
    return at_path_exists(path) && !at_is_tagged(ctx, path);
}

/* ---- Reading ---- */

static void note(void *j, const char *text)
{
    at_job_note(j, "%s", text);
}

/* What the keys say, for the table of a job that is open or not yet. */
static at_texts_options options_of(const at_job_setup *setup, const at_text_settings *s)
{
    return (at_texts_options){
        .table = {.delimiter = s->delimiter, .quote = s->quote, .header = s->header, .encoding = s->encoding},
        .label = s->label,
        .text = s->text,
        .text_pair = s->text_pair,
        .label_separator = s->label_separator,
        .negative = s->negative,
        .skip_corrupt = strcmp(setup->data.corrupt, "skip") == 0};
}

static at_status read_table(at_job *j, const at_text_data *k, at_texts *out, const char *path,
                            at_texts_target target, const at_texts *like)
{
    const at_text_settings *s = j->data_options;
    at_texts_options o = options_of(&j->setup, s);
    o.target = target;
    o.pairs = k->pairs && !(s->text_pair && strcmp(s->text_pair, "none") == 0);
    o.keep_empty = k->pairs && !o.pairs; /* embeddings: a row for each text */
    o.classes = j->setup.uses_head ? j->labels : NULL;
    o.n_classes = j->setup.uses_head ? j->n_labels : 0;
    o.note = note;
    o.note_data = j;
    return at_texts_read(j->ctx, out, path, &o, like);
}

at_status at_job_open_tokenizer(at_job *j, at_tokenizer **out)
{
    const at_model *m = j->model;
    AT_TRY(at_tokenizer_open(out, j->ctx, m->folder));
    const int64_t size = at_tokenizer_size(*out);
    AT_REQUIRE(j->ctx, size <= m->text.vocabulary, AT_E_FORMAT,
               "%s: the tokenizer has %lld tokens, the network (config.json, vocab_size) only %lld; they "
               "belong to different checkpoints",
               m->folder, (long long)size, (long long)m->text.vocabulary);
    return AT_OK;
}

at_status at_job_max_length(const at_job *j, int64_t given, int64_t usual, int64_t *out)
{
    const int64_t most = j->model->text.positions;
    AT_REQUIRE(j->ctx, given <= most, AT_E_RANGE, "%s is %lld, but %s takes at most %lld tokens",
               at_job_where(j, "data.max_length"), (long long)given, j->model->folder, (long long)most);
    *out = given > 0 ? given : usual > 0 ? at_min(usual, most) : most;
    return AT_OK;
}

/* ---- Splits ---- */

static at_status tokens_of(at_job *j, at_text_data *k, at_dataset **out, const at_texts *texts,
                           const int32_t *index, int64_t n, bool labels)
{
    at_token_options o = {.tokenizer = k->tokenizer, .labels = labels && !k->pairs, .cache = j->setup.cache};
    at_token_stats stats;
    if (k->pairs) {
        o.parts = texts->pair_column < 0 ? 1 : texts->negative_column < 0 ? 2 : 3;
        o.scores = labels && texts->target == AT_TEXTS_NUMBER;
        o.hashes = labels && texts->target == AT_TEXTS_NONE;
    }
    AT_TRY(at_job_max_length(j, ((const at_text_settings *)j->data_options)->max_length, k->max_length,
                             &o.max_length));
    AT_TRY(at_tokens_create(out, j->ctx, texts, index, n, &o, &stats));
    if (*stats.lost) at_job_note(j, "tokens are not kept: %s", stats.lost);
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

static at_status make_whole_split(at_job *j, at_text_data *k, at_split split, const at_texts *texts)
{
    int32_t *index = at_job_all_samples(j, texts->n);
    return index ? make_split(j, k, split, texts, index, texts->n) : AT_E_NOMEM;
}

/* A split with a file of its own. */
static at_status open_file(at_job *j, at_text_data *k, at_split split, at_texts *texts, const char *path)
{
    if (!path) return AT_OK;
    AT_TRY(read_table(j, k, texts, path, k->train.target, &k->train));
    AT_TRY(make_whole_split(j, k, split, texts));
    at_job_note_equal(j, &k->train.contents, &texts->contents, split, "texts");
    return AT_OK;
}

at_status at_text_data_open(at_job *j, at_text_data *k, at_texts_target target, at_make_split_fn make_share)
{
    at_text_splits found;
    at_sources from;
    AT_TRY(at_job_open_tokenizer(j, &k->tokenizer));
    AT_TRY(at_texts_find_splits(&j->arena, &found, j->setup.data.train));
    AT_TRY(read_table(j, k, &k->train, found.train ? found.train : j->setup.data.train, target, NULL));
    AT_TRY(at_job_sources(j, &from, found.valid, found.test, k->train.n, "texts"));
    AT_TRY(open_file(j, k, AT_SPLIT_VALID, &k->valid, from.valid));
    AT_TRY(open_file(j, k, AT_SPLIT_TEST, &k->test, from.test));
    AT_TRY(at_text_slices_read(j, k));
    return at_job_make_shares(j, &k->train.contents, &from, make_share);
}

at_status at_text_choose_task(at_ctx *ctx, const at_job_setup *s, const at_task **out)
{
    static const char *const names[] = {[AT_TEXTS_CLASS] = "text-classification",
                                        [AT_TEXTS_SET] = "multi-label-text-classification",
                                        [AT_TEXTS_NUMBER] = "text-regression"};
    at_texts_options o = options_of(s, s->data_options);
    at_texts_target kind;
    at_text_splits found;
    at_arena a;
    at_arena_init(&a, ctx);
    at_status status = at_texts_find_splits(&a, &found, s->data.train);
    if (status == AT_OK) status = at_texts_kind(ctx, &kind, found.train ? found.train : s->data.train, &o);
    if (status == AT_OK) *out = at_registry_find(ctx, "task", names[kind]);
    at_arena_deinit(&a);
    return status;
}

bool at_config_problem_is(const at_tree *config, const char *problem)
{
    const at_tree *t = at_tree_get(config, "problem_type");
    return t && t->kind == AT_STRING && strcmp(t->text, problem) == 0;
}

at_status at_text_data_make_share(at_job *j, at_text_data *k, at_split split, int32_t *index, int64_t n)
{
    return make_split(j, k, split, &k->train, index, n);
}

at_status at_text_data_open_test(at_job *j, at_text_data *k, at_texts_target target)
{
    at_text_splits found;
    AT_TRY(at_job_open_tokenizer(j, &k->tokenizer));
    if (!j->setup.data.test) return AT_OK;
    AT_TRY(at_texts_find_splits(&j->arena, &found, j->setup.data.test));
    AT_TRY(read_table(j, k, &k->test, found.test ? found.test : found.train, target, NULL));
    return make_whole_split(j, k, AT_SPLIT_TEST, &k->test);
}

at_status at_text_data_open_files(at_job *j, at_text_data *k, at_dataset **out, const char *const *paths,
                                  int n)
{
    AT_REQUIRE(j->ctx, n == 1, AT_E_ARG, "%d files are given; texts are predicted from one table at a time",
               n);
    AT_TRY(read_table(j, k, &k->files, paths[0], AT_TEXTS_NONE, NULL));
    int32_t *index = at_job_all_samples(j, k->files.n);
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
