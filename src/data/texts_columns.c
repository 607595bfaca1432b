/* texts_columns.c: which columns of a table are label and text: as told, as the training set has them, or by
 * their names and what they hold. Layer: data. Reading path: at__choose_columns, infer. */
#include "base/text.h"
#include "data/texts_internal.h"

enum { MOST_VALUES = 100000 }; /* a column with more is none of labels */

/* ---- As told ---- */

static at_status take_told(at_texts *t, int *column, const char *name, const char *key)
{
    return name ? at_table_find(t->arena.ctx, column, &t->table, name, key) : AT_OK;
}

/* The column of the same name as in the training set; without names, of the same number. */
static at_status take_same(at_texts *t, int *column, const at_table *like, int same, const char *key)
{
    const at_table *table = &t->table;
    if (same < 0) return AT_OK;
    if (like->names && table->names)
        return at_table_find(t->arena.ctx, column, table, like->names[same], key);
    AT_REQUIRE(t->arena.ctx, same < table->n_columns, AT_E_FORMAT,
               "%s: has %d column%s, but %s is column %d in %s", table->path, table->n_columns,
               table->n_columns == 1 ? "" : "s", key, same + 1, like->path);
    *column = same;
    return AT_OK;
}

/* ---- Inference ---- */

static bool is_chosen(const at_texts *t, int column)
{
    return column == t->label_column || column == t->text_column || column == t->pair_column ||
           column == t->negative_column;
}

static int find_named(const at_texts *t, bool (*names)(const char *))
{
    for (int i = 0; t->table.names && i < t->table.n_columns; i++)
        if (!is_chosen(t, i) && names(t->table.names[i])) return i;
    return -1;
}

/* The only column of lists that is not chosen; -1 = none, or several. */
static int only_lists(const at_texts *t)
{
    int found = -1;
    for (int i = 0; i < t->table.n_columns; i++) {
        if (is_chosen(t, i) || !at_table_has_lists(&t->table, i)) continue;
        if (found >= 0) return -1;
        found = i;
    }
    return found;
}

static int longest_column(const at_texts *t)
{
    int best = -1;
    size_t most = 0;
    for (int i = 0; i < t->table.n_columns; i++) {
        size_t bytes = 0;
        for (int64_t row = 0; row < t->table.n_rows; row++) bytes += at_table_cell(&t->table, row, i)->n;
        if (is_chosen(t, i) || at_table_has_lists(&t->table, i) || (best >= 0 && bytes <= most)) continue;
        best = i;
        most = bytes;
    }
    return best;
}

/* How many values a column has, up to `most` + 1. */
static at_status count_values(const at_texts *t, int column, int64_t *n, int64_t most)
{
    at__values v;
    at__values_init(&v, t->arena.ctx);
    at_status status = AT_OK;
    for (int64_t row = 0; row < t->table.n_rows && v.n <= most && status == AT_OK; row++)
        status = at__values_add(&v, &(int32_t){0}, at__trim(at_table_cell(&t->table, row, column)));
    *n = v.n;
    at__values_deinit(&v);
    return status;
}

/* The column with the fewest values, but for those that have the same in every row, and how many they are.
 * -1 = none. */
static at_status fewest_values(const at_texts *t, int *out, int64_t *values)
{
    int64_t least = MOST_VALUES + 1;
    *out = -1;
    for (int i = 0; i < t->table.n_columns; i++) {
        int64_t n;
        if (is_chosen(t, i) || at_table_has_lists(&t->table, i)) continue;
        AT_TRY(count_values(t, i, &n, least));
        if (n >= least || n < 2) continue;
        *values = least = n;
        *out = i;
    }
    return AT_OK;
}

/* Lists may be labels, but also tokens of the text, links ...: they are the label when the task wants lists,
 * or when no other column can be one, for values that most rows have to themselves are names or texts. */
static at_status find_label(at_texts *t, bool wants_lists)
{
    const int lists = t->target == AT_TEXTS_NUMBER ? -1 : only_lists(t);
    int64_t values = 0;
    t->label_column = find_named(t, at_names_labels);
    if (t->label_column >= 0) return AT_OK;
    t->label_column = lists;
    if (lists >= 0 && wants_lists) return AT_OK;
    if (t->table.n_columns == 2 && !is_chosen(t, 1 - t->text_column))
        t->label_column = 1 - t->text_column;
    else if (t->target != AT_TEXTS_NUMBER)
        AT_TRY(fewest_values(t, &t->label_column, &values));
    if (lists >= 0 && (t->label_column < 0 || 2 * values > t->table.n_rows)) t->label_column = lists;
    return AT_OK;
}

static at_status infer_label(at_texts *t, const at_texts_options *o)
{
    AT_TRY(find_label(t, t->target == AT_TEXTS_SET && !o->label_separator));
    AT_REQUIRE(t->arena.ctx, t->label_column >= 0, AT_E_ARG,
               "%s: its columns do not show which one is the label; set data.label", t->table.path);
    return AT_OK;
}

/* Labels found by name come first, so that they are no candidates for the text. */
static at_status infer(at_texts *t, const at_texts_options *o)
{
    const bool labels = t->target != AT_TEXTS_NONE;
    const bool pair = !o->text_pair && !o->text;
    if (t->label_column < 0) t->label_column = find_named(t, at_names_label);
    if (t->text_column < 0) t->text_column = find_named(t, at_names_text);
    if (t->text_column < 0) t->text_column = longest_column(t);
    AT_REQUIRE(t->arena.ctx, t->text_column >= 0, AT_E_FORMAT,
               "%s: has no column beside the label; a text is needed (data.delimiter, data.text)",
               t->table.path);
    if (pair) t->pair_column = find_named(t, at_names_pair);
    return labels && t->label_column < 0 ? infer_label(t, o) : AT_OK;
}

/* ---- Pairs ---- */

static int first_free(const at_texts *t)
{
    for (int i = 0; i < t->table.n_columns; i++)
        if (!is_chosen(t, i) && !at_table_has_lists(&t->table, i)) return i;
    return -1;
}

static bool is_number(const at_cell *cell)
{
    char text[64] = "";
    double x;
    const at_cell c = at__trim(cell);
    if (c.n < sizeof text) memcpy(text, c.text, c.n);
    return at_number_parse(&x, text);
}

/* The third column is a score or a negative as its last row, which is no header, is a number or not. */
static void infer_third(at_texts *t, bool negative)
{
    const int column = first_free(t);
    if (column < 0 || t->label_column >= 0 || t->negative_column >= 0) return;
    if (is_number(at_table_cell(&t->table, t->table.n_rows - 1, column)))
        t->label_column = column;
    else if (negative)
        t->negative_column = column;
}

static at_status infer_pairs(at_texts *t, const at_texts_options *o)
{
    const bool negative = !o->negative && t->target == AT_TEXTS_NUMBER;
    if (t->label_column < 0) t->label_column = find_named(t, at_names_score);
    if (negative) t->negative_column = find_named(t, at_names_negative);
    if (t->text_column < 0) t->text_column = find_named(t, at_names_text);
    if (t->pair_column < 0) t->pair_column = find_named(t, at_names_pair);
    if (t->text_column < 0) t->text_column = first_free(t);
    if (t->pair_column < 0) t->pair_column = first_free(t);
    AT_REQUIRE(
        t->arena.ctx, t->text_column >= 0 && t->pair_column >= 0, AT_E_FORMAT,
        "%s: a row must hold two texts to compare, but beside the score it holds %s; set data.text and "
        "data.text_pair",
        t->table.path, t->text_column < 0 ? "none" : "one");
    infer_third(t, negative);
    if (t->label_column < 0) t->target = AT_TEXTS_NONE;
    if (t->target == AT_TEXTS_NUMBER) t->negative_column = -1;
    return AT_OK;
}

static void note_columns(const at_texts *t, const at_texts_options *o)
{
    char label[AT_COLUMN_TITLE] = "", text[AT_COLUMN_TITLE], pair[AT_COLUMN_TITLE] = "";
    if (t->label_column >= 0) at_table_title(label, &t->table, t->label_column);
    at_table_title(text, &t->table, t->text_column);
    if (t->pair_column >= 0) at_table_title(pair, &t->table, t->pair_column);
    char negative[AT_COLUMN_TITLE] = "";
    if (t->negative_column >= 0) at_table_title(negative, &t->table, t->negative_column);
    at__texts_note(o, "%s: %s%s%stext: %s%s%s%s%s", t->table.path, *label ? "label: " : "", label,
                   *label ? ", " : "", text, *pair ? ", second text: " : "", pair,
                   *negative ? ", negative: " : "", negative);
}

/* ---- The whole ---- */

static at_status check_text(const at_texts *t, int column, const char *key)
{
    char title[AT_COLUMN_TITLE];
    if (column < 0 || !at_table_has_lists(&t->table, column)) return AT_OK;
    at_table_title(title, &t->table, column);
    return at_fail(t->arena.ctx, AT_E_FORMAT, "%s: %s holds lists, and no texts; set %s", t->table.path,
                   title, key);
}

static at_status check(const at_texts *t)
{
    const at_table *table = &t->table;
    AT_TRY(check_text(t, t->text_column, "data.text"));
    AT_TRY(check_text(t, t->pair_column, "data.text_pair"));
    AT_TRY(check_text(t, t->negative_column, "data.negative"));
    AT_REQUIRE(t->arena.ctx, t->label_column != t->text_column, AT_E_ARG,
               "%s: data.label and data.text are the same column, %d", table->path, t->text_column + 1);
    AT_REQUIRE(t->arena.ctx, t->pair_column < 0 || t->pair_column != t->text_column, AT_E_ARG,
               "%s: data.text and data.text_pair are the same column, %d", table->path, t->text_column + 1);
    AT_REQUIRE(t->arena.ctx, t->pair_column < 0 || t->pair_column != t->label_column, AT_E_ARG,
               "%s: data.label and data.text_pair are the same column, %d", table->path, t->label_column + 1);
    AT_REQUIRE(t->arena.ctx,
               t->negative_column < 0 ||
                   (t->negative_column != t->pair_column && t->negative_column != t->text_column),
               AT_E_ARG, "%s: data.negative is also %s, column %d", table->path,
               t->negative_column == t->text_column ? "data.text" : "data.text_pair", t->negative_column + 1);
    return AT_OK;
}

static at_status check_width(const at_texts *t)
{
    const at_table *table = &t->table;
    const char *form = table->delimiter ? table->delimiter : "JSON";
    AT_REQUIRE(t->arena.ctx, table->n_columns > 1 || t->target == AT_TEXTS_NONE || t->pairs, AT_E_FORMAT,
               "%s: has one column, a label and a text are needed; is data.delimiter right? It is %s",
               table->path, form);
    return AT_OK;
}

static at_status choose_pair_columns(at_texts *t, const at_texts_options *o)
{
    if (t->target != AT_TEXTS_NONE) AT_TRY(take_told(t, &t->label_column, o->label, "data.label"));
    AT_TRY(take_told(t, &t->text_column, o->text, "data.text"));
    AT_TRY(take_told(t, &t->pair_column, o->text_pair, "data.text_pair"));
    if (o->negative && strcmp(o->negative, "none") != 0 && t->target != AT_TEXTS_NONE)
        AT_TRY(take_told(t, &t->negative_column, o->negative, "data.negative"));
    AT_TRY(infer_pairs(t, o));
    note_columns(t, o);
    return check(t);
}

at_status at__choose_columns(at_texts *t, const at_texts_options *o, const at_texts *like)
{
    AT_TRY(check_width(t));
    if (like) {
        if (t->pairs) t->target = like->target;
        AT_TRY(take_same(t, &t->negative_column, &like->table, like->negative_column, "data.negative"));
        AT_TRY(take_same(t, &t->text_column, &like->table, like->text_column, "data.text"));
        AT_TRY(take_same(t, &t->pair_column, &like->table, like->pair_column, "data.text_pair"));
        if (t->target != AT_TEXTS_NONE)
            AT_TRY(take_same(t, &t->label_column, &like->table, like->label_column, "data.label"));
        return check(t);
    }
    if (o->pairs) return choose_pair_columns(t, o);
    if (t->target != AT_TEXTS_NONE) AT_TRY(take_told(t, &t->label_column, o->label, "data.label"));
    AT_TRY(take_told(t, &t->text_column, o->text, "data.text"));
    if (o->text_pair && strcmp(o->text_pair, "none") != 0)
        AT_TRY(take_told(t, &t->pair_column, o->text_pair, "data.text_pair"));
    if (t->text_column < 0 || (t->label_column < 0 && t->target != AT_TEXTS_NONE)) {
        AT_TRY(infer(t, o));
        note_columns(t, o);
    }
    return check(t);
}
