/* table_json.c: JSON lists of maps and JSON lines as tables. Layer: formats.
 * The file is walked through once; each row is parsed by itself, so that neither the tree of a whole file is
 * built nor the limit on the size of a document applies, and errors have the line and column of the file.
 * What is between rows (brackets, commas, other keys) is read here. Reading path: at__json_read, read_list,
 * read_row, take_row, lay_out. */
#include "base/text.h"
#include "formats/table_internal.h"
#include "formats/tree_internal.h"
#include <stdio.h>

enum { ROWS_A_SCRATCH = 256 }; /* trees that are freed together */

typedef struct entry { /* a cell until all columns are known */
    at_cell cell;
    at_items items;
    int column;
    int32_t row;
} entry;

typedef struct seen { /* the first cell of a column that is not null */
    int64_t line;     /* 0 = none so far */
    bool list;
} seen;

typedef struct reader {
    at_table *t;
    at_ctx *ctx;
    at_arena scratch; /* trees of the last rows */
    const char *next, *end, *line_start;
    int64_t line;
    seen *seen;             /* [AT_TABLE_COLUMNS] */
    at_text entries, lines; /* growing arrays: entry, int64_t of each row */
} reader;

/* ---- What a row holds ---- */

/* The column of a key; most rows have their keys in the same order, so that it is the one that is guessed. */
static at_status find_column(reader *r, int *column, const char *key, int guess)
{
    at_table *t = r->t;
    if (guess < t->n_columns && strcmp(t->names[guess], key) == 0) {
        *column = guess;
        return AT_OK;
    }
    for (*column = 0; *column < t->n_columns; ++*column)
        if (strcmp(t->names[*column], key) == 0) return AT_OK;
    AT_REQUIRE(r->ctx, t->n_columns < AT_TABLE_COLUMNS, AT_E_RANGE, "%s:%lld: more than %d different keys",
               t->path, (long long)r->line, (int)AT_TABLE_COLUMNS);
    if (!(t->names[t->n_columns] = at_arena_strdup(&t->arena, key))) return AT_E_NOMEM;
    t->n_columns++;
    return AT_OK;
}

/* Text of a value that is text, a number, a flag or null. */
static at_status take_text(reader *r, at_cell *cell, const at_tree *v)
{
    char number[AT_NUMBER_TEXT] = "";
    const char *text = v->kind == AT_STRING ? v->text : number;
    if (v->kind == AT_FLAG) text = v->flag ? "true" : "false";
    if (v->kind == AT_WHOLE) snprintf(number, sizeof number, "%lld", (long long)v->whole);
    if (v->kind == AT_NUMBER) at_number_format(number, v->number);
    cell->n = strlen(text);
    cell->text = cell->n ? at_arena_strdup(&r->t->arena, text) : "";
    return cell->text ? AT_OK : AT_E_NOMEM;
}

/* "a, b": what people see of a list. */
static at_status join(reader *r, at_cell *out, const at_items *items)
{
    static const char between[] = ", ";
    enum { WIDTH = sizeof between - 1 };
    size_t size = 1;
    for (int64_t i = 0; i < items->n; i++) size += items->list[i].n + WIDTH;
    char *text = at_arena_alloc(&r->t->arena, size), *to = text;
    if (!text) return AT_E_NOMEM;
    for (int64_t i = 0; i < items->n; i++) {
        if (i) to = (char *)memcpy(to, between, WIDTH) + WIDTH;
        to = (char *)memcpy(to, items->list[i].text, items->list[i].n) + items->list[i].n;
    }
    *out = (at_cell){text, (size_t)(to - text)};
    return AT_OK;
}

static at_status take_list(reader *r, entry *e, const at_tree *v)
{
    int64_t n = 0;
    at_cell *list = at_arena_alloc(&r->t->arena, (size_t)v->n * sizeof *list);
    if (!list) return AT_E_NOMEM;
    for (const at_tree *item = v->first; item; item = item->next) {
        AT_REQUIRE(r->ctx, item->kind != AT_LIST && item->kind != AT_MAP && item->kind != AT_NULL,
                   AT_E_FORMAT, "%s:%lld: item %lld of \"%s\" is %s, must be text, a number, true or false",
                   r->t->path, (long long)r->line, (long long)n + 1, v->key, at_tree_kind_name(item->kind));
        AT_TRY(take_text(r, &list[n++], item));
    }
    e->items = (at_items){list, n};
    return join(r, &e->cell, &e->items);
}

static at_status take_value(reader *r, entry *e, const at_tree *v)
{
    const bool list = v->kind == AT_LIST;
    seen *s = &r->seen[e->column];
    AT_REQUIRE(r->ctx, v->kind != AT_MAP, AT_E_FORMAT,
               "%s:%lld: \"%s\" is a map, a cell must be text, a number, true, false, null or a list of such",
               r->t->path, (long long)r->line, v->key);
    if (!s->line && v->kind != AT_NULL) *s = (seen){r->line, list};
    AT_REQUIRE(r->ctx, v->kind == AT_NULL || s->list == list, AT_E_FORMAT,
               "%s:%lld: \"%s\" is %s, but %s in line %lld; make it a list in every row, or in none",
               r->t->path, (long long)r->line, v->key, at_tree_kind_name(v->kind),
               s->list ? "a list" : "none", (long long)s->line);
    return list ? take_list(r, e, v) : take_text(r, &e->cell, v);
}

static at_status take_row(reader *r, const at_tree *row)
{
    at_table *t = r->t;
    AT_REQUIRE(r->ctx, row->kind == AT_MAP, AT_E_FORMAT,
               "%s:%lld: a row is %s, must be a map like {\"text\": ...}", t->path, (long long)r->line,
               at_tree_kind_name(row->kind));
    AT_REQUIRE(r->ctx, t->n_rows < AT_TABLE_ROWS, AT_E_RANGE, "%s: more than %d rows", t->path,
               (int)AT_TABLE_ROWS);
    at_text_bytes(&r->lines, &r->line, sizeof r->line);
    int guess = 0;
    for (const at_tree *v = row->first; v; v = v->next) {
        entry e = {.row = (int32_t)t->n_rows};
        AT_TRY(find_column(r, &e.column, v->key, guess++));
        AT_TRY(take_value(r, &e, v));
        at_text_bytes(&r->entries, &e, sizeof e);
    }
    t->n_rows++;
    return at_text_status(&r->entries);
}

/* ---- Walking ---- */

static at__place place(const reader *r)
{
    return (at__place){r->t->path, (int)at_min(r->line, INT32_MAX),
                       (int)at_min(r->next - r->line_start + 1, INT32_MAX)};
}

static void step_over(reader *r, const char *to)
{
    for (const char *p; (p = memchr(r->next, '\n', (size_t)(to - r->next)));) {
        r->line++;
        r->next = r->line_start = p + 1;
    }
    r->next = to;
}

static void skip_space(reader *r)
{
    const char *p = r->next;
    while (p < r->end && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n')) p++;
    step_over(r, p);
}

/* Step over white space and then over `c`, if it comes next. */
static bool accept(reader *r, char c)
{
    skip_space(r);
    if (r->next == r->end || *r->next != c) return false;
    r->next++;
    return true;
}

static at_status expected(const reader *r, const char *what)
{
    const at__place at = place(r);
    return at_fail(r->ctx, AT_E_FORMAT, "%s:%d:%d: %s expected", at.name, at.line, at.column, what);
}

/* Behind the text whose opening quote is at p. */
static const char *end_of_text(const char *p, const char *end)
{
    for (p++; p < end && *p != '"'; p++)
        if (*p == '\\' && end - p > 1) p++;
    return p < end ? p + 1 : end;
}

/* Where a row ends at the latest: one byte more is too many. */
static const char *reach(const reader *r)
{
    return r->next + at_min(r->end - r->next, AT_TABLE_LINE + 1);
}

/* Behind the value at r->next: what is wrong inside it, the parser says. */
static const char *end_of_value(const reader *r)
{
    const char *p = r->next, *const end = reach(r);
    int depth = 0;
    if (p < end && !strchr("{[\"", *p)) {
        while (p < end && !strchr(",]} \t\r\n", *p)) p++;
        return p;
    }
    while (p < end) {
        depth += *p == '{' || *p == '[';
        depth -= *p == '}' || *p == ']';
        p = *p == '"' ? end_of_text(p, end) : p + 1;
        if (depth <= 0) break;
    }
    return p;
}

/* Parse the value from r->next to `end`, without stepping over it. */
static at_status parse_to(reader *r, at_tree **out, const char *end)
{
    AT_REQUIRE(r->ctx, end - r->next <= AT_TABLE_LINE, AT_E_FORMAT,
               "%s:%lld: a row of more than %d MiB; is this a table of texts?", r->t->path,
               (long long)r->line, AT_TABLE_LINE >> 20);
    if (end == r->next) return expected(r, "a value");
    if (r->t->n_rows % ROWS_A_SCRATCH == 0) at_arena_deinit(&r->scratch);
    return at__json_parse_piece(&r->scratch, out, r->next, (size_t)(end - r->next), place(r));
}

static at_status read_row(reader *r, const char *end)
{
    at_tree *row;
    AT_TRY(parse_to(r, &row, end));
    AT_TRY(take_row(r, row)); /* its messages name the line where it begins */
    step_over(r, end);
    return AT_OK;
}

/* What follows "[". */
static at_status read_list(reader *r)
{
    if (accept(r, ']')) return AT_OK;
    do {
        skip_space(r);
        AT_TRY(read_row(r, end_of_value(r)));
    } while (accept(r, ','));
    return accept(r, ']') ? AT_OK : expected(r, "',' or ']'");
}

static at_status read_key(reader *r, const char **key)
{
    at_tree *text;
    skip_space(r);
    if (r->next == r->end || *r->next != '"') return expected(r, "a key in quotes");
    const char *end = end_of_value(r);
    AT_TRY(parse_to(r, &text, end));
    step_over(r, end);
    if (!accept(r, ':')) return expected(r, "':'");
    *key = at_arena_strdup(&r->t->arena, text->text);
    return *key ? AT_OK : AT_E_NOMEM;
}

/* What follows "{" in a file that is a map: one of its values is the list of rows. */
static at_status read_map(reader *r)
{
    const char *list = NULL, *key = NULL;
    at_tree *value;
    do {
        AT_TRY(read_key(r, &key));
        if (accept(r, '[')) {
            AT_REQUIRE(
                r->ctx, !list, AT_E_FORMAT,
                "%s:%lld: has two lists, \"%s\" and \"%s\", and only one can be the rows; keep one of them",
                r->t->path, (long long)r->line, list, key);
            list = key;
            AT_TRY(read_list(r));
            continue;
        }
        const char *end = end_of_value(r);
        AT_TRY(parse_to(r, &value, end));
        step_over(r, end);
    } while (accept(r, ','));
    if (!accept(r, '}')) return expected(r, "',' or '}'");
    AT_REQUIRE(r->ctx, list, AT_E_FORMAT,
               "%s: has no list of rows, must be [{...}, ...] or {\"data\": [{...}, ...]}", r->t->path);
    return AT_OK;
}

static at_status read_document(reader *r)
{
    const bool list = accept(r, '[');
    AT_REQUIRE(r->ctx, list || accept(r, '{'), AT_E_FORMAT,
               "%s: has no list of rows, must be [{...}, ...] or {\"data\": [{...}, ...]}", r->t->path);
    AT_TRY(list ? read_list(r) : read_map(r));
    skip_space(r);
    return r->next == r->end ? AT_OK : expected(r, "the end of the file");
}

static at_status read_lines(reader *r)
{
    for (skip_space(r); r->next < r->end; skip_space(r)) {
        const char *const last = reach(r), *end = memchr(r->next, '\n', (size_t)(last - r->next));
        AT_TRY(read_row(r, end ? end : last));
    }
    return AT_OK;
}

/* ---- The table ---- */

static at_status make_room_for_items(reader *r)
{
    at_table *t = r->t;
    for (int i = 0; i < t->n_columns; i++) {
        if (!r->seen[i].list) continue;
        if (!t->items) t->items = at_arena_alloc(&t->arena, (size_t)t->n_columns * sizeof *t->items);
        if (!t->items) return AT_E_NOMEM;
        t->items[i] = at_arena_alloc(&t->arena, (size_t)t->n_rows * sizeof **t->items);
        if (!t->items[i]) return AT_E_NOMEM;
    }
    return AT_OK;
}

static at_status lay_out(reader *r)
{
    at_table *t = r->t;
    AT_REQUIRE(r->ctx, t->n_rows > 0, AT_E_FORMAT, "%s: has no rows", t->path);
    AT_REQUIRE(r->ctx, t->n_columns > 0, AT_E_FORMAT, "%s: its rows have no keys", t->path);
    const int64_t n = t->n_rows * t->n_columns, n_entries = (int64_t)(r->entries.size / sizeof(entry));
    AT_TRY(at__table_make_room(t, n, t->n_rows));
    AT_TRY(make_room_for_items(r));
    memcpy(t->line, r->lines.data, (size_t)t->n_rows * sizeof *t->line);
    for (int64_t i = 0; i < n; i++) t->cells[i].text = "";
    const entry *e = (const entry *)(const void *)r->entries.data;
    for (int64_t i = 0; i < n_entries; i++) {
        t->cells[e[i].row * (int64_t)t->n_columns + e[i].column] = e[i].cell;
        if (at_table_has_lists(t, e[i].column)) t->items[e[i].column][e[i].row] = e[i].items;
    }
    return AT_OK;
}

at_status at__json_read(at_table *t, const char *bytes, size_t size, bool lines)
{
    at_ctx *ctx = t->arena.ctx;
    AT_REQUIRE(ctx, size > 0, AT_E_FORMAT, "%s: is empty; a table with at least one row is needed", t->path);
    at__skip_mark(&bytes, &size);
    reader r = {.t = t, .ctx = ctx, .next = bytes, .end = bytes + size, .line_start = bytes, .line = 1};
    at_arena_init(&r.scratch, ctx);
    at_text_init(&r.entries, ctx);
    at_text_init(&r.lines, ctx);
    t->names = at_arena_alloc(&t->arena, AT_TABLE_COLUMNS * sizeof *t->names);
    r.seen = at_arena_alloc(&t->arena, AT_TABLE_COLUMNS * sizeof *r.seen);
    at_status status = t->names && r.seen ? AT_OK : AT_E_NOMEM;
    if (status == AT_OK) status = lines ? read_lines(&r) : read_document(&r);
    if (status == AT_OK) status = at_text_status(&r.lines);
    if (status == AT_OK) status = lay_out(&r);
    at_text_deinit(&r.lines);
    at_text_deinit(&r.entries);
    at_arena_deinit(&r.scratch);
    return status;
}
