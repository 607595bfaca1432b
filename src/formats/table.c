/* table.c: tables of texts whatever their format: opening, names of columns. Layer: formats. Reading path:
 * at_table_read, then csv.c or table_json.c. */
#include "base/text.h"
#include "formats/file.h"
#include "formats/table_internal.h"
#include <stdio.h>
#include <strings.h>

/* ---- Names ---- */

/* Is `name` in the list that NULL ends? In any case of the letters, white space around it aside. */
static bool is_one_of(const char *name, const char *const *list)
{
    static const char space[] = " \t\r\n";
    name += strspn(name, space);
    size_t n = strlen(name);
    while (n > 0 && strchr(space, name[n - 1])) n--;
    for (; *list; list++)
        if (strncasecmp(name, *list, n) == 0 && !(*list)[n]) return true;
    return false;
}

bool at_names_label(const char *name)
{
    static const char *const names[] = {"label", "class", "target", "category", "sentiment", NULL};
    return is_one_of(name, names);
}

bool at_names_labels(const char *name)
{
    static const char *const names[] = {"labels", "classes", "targets", "categories", NULL};
    return is_one_of(name, names);
}

bool at_names_text(const char *name)
{
    static const char *const names[] = {"text",     "sms",       "sentence", "message", "review",
                                        "question", "sentence1", "premise",  "text_a",  NULL};
    return is_one_of(name, names);
}

bool at_names_pair(const char *name)
{
    static const char *const names[] = {"sentence2", "hypothesis", "text_b", NULL};
    return is_one_of(name, names);
}

bool at_names_score(const char *name)
{
    static const char *const names[] = {"score", "similarity", NULL};
    return is_one_of(name, names) || at_names_label(name);
}

bool at_names_negative(const char *name)
{
    return is_one_of(name, (const char *const[]){"negative", NULL});
}

/* Whatever else columns beside texts are called. */
static bool names_other(const char *name)
{
    static const char *const names[] = {"title",  "body",   "content",  "comment", "tweet",  "labels",
                                        "id",     "idx",    "index",    "split",   "source", "query",
                                        "answer", "anchor", "positive", NULL};
    return is_one_of(name, names) || at_names_score(name) || at_names_negative(name);
}

bool at__is_header(const at_cell *row, int n)
{
    bool label = false, text = false, all = true;
    int named = 0;
    for (int i = 0; i < n; i++) {
        const bool is_label = at_names_score(row[i].text), is_text = at_names_text(row[i].text);
        label |= is_label;
        text |= is_text;
        if (is_label || is_text || at_names_pair(row[i].text) || names_other(row[i].text))
            named++;
        else
            all = all && row[i].n == 0; /* tables saved with their index have a column without name */
    }
    return named > 0 && (all || (label && text));
}

static const char *ending(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot && !strchr(dot, '/') ? dot : "";
}

static bool is_json_list(const char *path)
{
    return strcasecmp(ending(path), ".json") == 0;
}

static bool is_json_lines(const char *path)
{
    return strcasecmp(ending(path), ".jsonl") == 0 || strcasecmp(ending(path), ".ndjson") == 0;
}

bool at_is_table_name(const char *path)
{
    static const char *const delimited[] = {".csv", ".tsv", ".tab", ".txt", NULL};
    return is_json_list(path) || is_json_lines(path) || is_one_of(ending(path), delimited);
}

/* ---- Reading ---- */

at_status at__table_make_room(at_table *t, int64_t cells, int64_t rows)
{
    const size_t bytes = (size_t)cells * sizeof *t->cells;
    AT_TRY(at_block_map(t->arena.ctx, &t->rows, bytes + (size_t)rows * sizeof *t->line));
    t->cells = t->rows.data;
    t->line = (int64_t *)(void *)((char *)t->rows.data + bytes);
    return AT_OK;
}

static at_status check_choice(at_ctx *ctx, const char *key, const char *value, const char *const *choices)
{
    char list[64] = "";
    size_t n = 0;
    if (!value) return AT_OK;
    for (int i = 0; choices[i]; i++) {
        if (strcmp(value, choices[i]) == 0) return AT_OK;
        n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", i ? ", " : "", choices[i]);
    }
    return at_fail(ctx, AT_E_ARG, "%s is \"%s\", must be one of: %s", key, value, list);
}

static at_status check_options(at_ctx *ctx, const at_table_options *o, const char *path)
{
    static const char *const quotes[] = {"\"", "none", NULL}, *const headers[] = {"auto", "yes", "no", NULL},
                             *const encodings[] = {"utf-8", "latin-1", NULL};
    AT_TRY(check_choice(ctx, "data.quote", o->quote, quotes));
    AT_TRY(check_choice(ctx, "data.header", o->header, headers));
    AT_TRY(check_choice(ctx, "data.encoding", o->encoding, encodings));
    AT_REQUIRE(ctx,
               !o->encoding || strcmp(o->encoding, "utf-8") == 0 ||
                   !(is_json_list(path) || is_json_lines(path)),
               AT_E_ARG, "%s: JSON is UTF-8; leave data.encoding away", path);
    return AT_OK;
}

static at_status read_table(at_table *t, const char *path, const at_table_options *o)
{
    at_ctx *ctx = t->arena.ctx;
    AT_TRY(check_options(ctx, o, path));
    if (!(t->path = at_arena_strdup(&t->arena, path))) return AT_E_NOMEM;
    at_file f;
    AT_TRY(at_file_map(ctx, &f, path));
    const char *bytes = f.size ? (const char *)f.data : "";
    const bool lines = is_json_lines(path);
    const at_status status = lines || is_json_list(path) ? at__json_read(t, bytes, f.size, lines)
                                                         : at__csv_read(t, bytes, f.size, o);
    at_file_unmap(ctx, &f);
    return status;
}

at_status at_table_read(at_ctx *ctx, at_table *out, const char *path, const at_table_options *o)
{
    *out = (at_table){0};
    at_table t = {0};
    at_arena_init(&t.arena, ctx);
    const at_status status = read_table(&t, path, o ? o : &(at_table_options){0});
    if (status == AT_OK)
        *out = t;
    else
        at_table_deinit(&t);
    return status;
}

void at_table_deinit(at_table *t)
{
    at_block_unmap(t->arena.ctx, &t->rows);
    at_block_unmap(t->arena.ctx, &t->text);
    at_arena_deinit(&t->arena);
    *t = (at_table){0};
}

/* ---- Finding columns ---- */

void at_table_title(char out[AT_COLUMN_TITLE], const at_table *t, int column)
{
    if (t->names)
        snprintf(out, AT_COLUMN_TITLE, "column %d \"%s\"", column + 1, t->names[column]);
    else
        snprintf(out, AT_COLUMN_TITLE, "column %d", column + 1);
}

static int find_name(const at_table *t, const char *name, int (*compare)(const char *, const char *))
{
    for (int i = 0; t->names && i < t->n_columns; i++)
        if (compare(t->names[i], name) == 0) return i;
    return -1;
}

/* The number that all of `name` is, from 1; 0 = none. */
static int64_t number_of(const char *name)
{
    int64_t n = 0;
    for (const char *p = name; *p; p++) {
        if (*p < '0' || *p > '9' || n > INT32_MAX) return 0;
        n = 10 * n + *p - '0';
    }
    return n;
}

static const char *nearest(const at_table *t, const char *name)
{
    const char *best = t->names[0];
    int least = INT32_MAX;
    for (int i = 0; i < t->n_columns; i++) {
        const int distance = at_edit_distance(t->names[i], name, 128);
        if (distance >= least) continue;
        least = distance;
        best = t->names[i];
    }
    return best;
}

at_status at_table_find(at_ctx *ctx, int *out, const at_table *t, const char *name, const char *key)
{
    const int64_t number = number_of(name);
    int column = find_name(t, name, strcmp);
    if (column < 0) column = find_name(t, name, strcasecmp);
    if (column < 0 && number > 0 && number <= t->n_columns) column = (int)number - 1;
    AT_REQUIRE(
        ctx, column >= 0 || t->names, AT_E_ARG,
        "%s: %s is %s, but the file has no header and %d column%s; give a number from 1, or set data.header "
        "yes",
        t->path, key, name, t->n_columns, t->n_columns == 1 ? "" : "s");
    AT_REQUIRE(ctx, column >= 0, AT_E_ARG, "%s: %s is %s, but no column is called so; the nearest is \"%s\"",
               t->path, key, name, nearest(t, name));
    *out = column;
    return AT_OK;
}
