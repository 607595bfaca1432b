/* csv.c: delimited text as a table: RFC 4180, tabs, and "label text" lines. Layer: formats.
 * The text is cut in place: a cell is a pointer into it, ended by a NUL where its delimiter was. Scanning is
 * left to memchr, once a line and once a cell. Strict where a mistake would swallow text: what follows a
 * closing quote must be a delimiter, a line's end or the end of the file. Reading path: at__csv_read,
 * read_rows, at__csv_row. */
#include "formats/table_internal.h"

/* ---- One row ---- */

static char *find(const char *from, const char *end, char c)
{
    return memchr(from, c, (size_t)(end - from));
}

/* Where the line that holds p ends: at its LF or at the end of the text. */
static char *line_end(const at__csv *c, char *p)
{
    char *end = find(p, c->end, '\n');
    return end ? end : c->end;
}

bool at__csv_more(at__csv *c)
{
    for (; c->next < c->end; c->line++) {
        char *p = c->next;
        if (*p == '\r') p++;
        if (*p != '\n') return p < c->end;
        c->next = p + 1;
    }
    return false;
}

/* In pieces, so that the inner sum is short and the compiler counts in vectors. */
static int64_t count_lines(const char *text, size_t n)
{
    enum { PIECE = 1 << 14 };
    int64_t lines = 0;
    while (n > 0) {
        const size_t m = n < PIECE ? n : PIECE;
        uint16_t sum = 0;
        for (size_t i = 0; i < m; i++) sum = (uint16_t)(sum + (text[i] == '\n'));
        lines += sum;
        text += m;
        n -= m;
    }
    return lines;
}

/* The quoted cell at c->next, whose line ends at `end`; *stop is what follows its closing quote. */
static at_status quoted_cell(at__csv *c, at_cell *cell, char **stop, const char *end)
{
    char *const text = c->next + 1, *to = text, *from = text, *q;
    for (;;) {
        q = find(from, c->end, c->quote);
        AT_REQUIRE(
            c->ctx, q, AT_E_FORMAT,
            "%s:%lld: the cell that begins with a quote here has no closing quote; write a quote inside a "
            "cell twice, or set data.quote none",
            c->path, (long long)c->line);
        if (to != from) memmove(to, from, (size_t)(q - from));
        to += q - from;
        if (q[1] != c->quote) break;
        *to++ = c->quote;
        from = q + 2;
    }
    const char *after = q[1] == '\r' ? q + 2 : q + 1;
    const bool ends = *after == '\n' || after == c->end;
    *cell = (at_cell){text, (size_t)(to - text)};
    AT_REQUIRE(c->ctx, ends || q[1] == c->delimiter, AT_E_FORMAT,
               "%s:%lld: text follows the closing quote of the cell that begins in line %lld; write a quote "
               "inside a "
               "cell twice, or set data.quote none",
               c->path, (long long)(c->line + count_lines(text, cell->n)), (long long)c->line);
    if (q > end) c->line += count_lines(text, cell->n);
    *to = '\0';
    *stop = q + 1;
    return AT_OK;
}

at_status at__csv_row(at__csv *c, at_cell *cells, int64_t room, int64_t *n)
{
    char *end = line_end(c, c->next), *stop = NULL;
    bool last = false;
    for (*n = 0; !last; ++*n) {
        at_cell cell;
        if (c->quote && *c->next == c->quote) {
            AT_TRY(quoted_cell(c, &cell, &stop, end));
            if (stop > end) end = line_end(c, stop);
            if (*stop == '\r') stop = end;
        } else {
            stop = c->first_only && *n ? NULL : find(c->next, end, c->delimiter);
            if (!stop) stop = end;
            const bool cr = stop == end && stop > c->next && stop[-1] == '\r';
            cell = (at_cell){c->next, (size_t)(stop - cr - c->next)};
            c->next[cell.n] = '\0';
        }
        if (*n < room) cells[*n] = cell;
        last = stop == end;
        c->next = stop < c->end ? stop + 1 : stop;
        *stop = '\0';
    }
    c->line++;
    return AT_OK;
}

/* ---- All rows ---- */

static at_status wrong_width(const at__csv *c, int64_t line, int64_t n, int64_t want, int64_t like)
{
    const char *name = at__csv_delimiter_name(c);
    AT_REQUIRE(c->ctx, !c->first_only, AT_E_FORMAT,
               "%s:%lld: no space: with data.delimiter first-space a line is a label, a space and a text",
               c->path, (long long)line);
    AT_REQUIRE(c->ctx, !c->quote, AT_E_FORMAT,
               "%s:%lld: %lld cell%s, but line %lld has %lld (data.delimiter %s); put a cell that holds the "
               "delimiter in double quotes",
               c->path, (long long)line, (long long)n, n == 1 ? "" : "s", (long long)like, (long long)want,
               name);
    return at_fail(
        c->ctx, AT_E_FORMAT,
        "%s:%lld: %lld cell%s, but line %lld has %lld (data.delimiter %s, data.quote none); take the "
        "delimiter out of the cell",
        c->path, (long long)line, (long long)n, n == 1 ? "" : "s", (long long)like, (long long)want, name);
}

static at_status take_names(at_table *t, const at_cell *row, int64_t line)
{
    t->names = at_arena_alloc(&t->arena, (size_t)t->n_columns * sizeof *t->names);
    if (!t->names) return AT_E_NOMEM;
    for (int i = 0; i < t->n_columns; i++) {
        t->names[i] = row[i].text;
        for (int k = 0; k < i; k++)
            AT_REQUIRE(t->arena.ctx, !row[i].n || strcmp(row[i].text, row[k].text) != 0, AT_E_FORMAT,
                       "%s:%lld: columns %d and %d are both called \"%s\"; rename one of them", t->path,
                       (long long)line, k + 1, i + 1, row[i].text);
    }
    return AT_OK;
}

/* As many rows and cells as the text can hold: a row takes a line at least, a cell a byte. */
static at_status make_room(at_table *t, const at__csv *c)
{
    const int64_t bytes = c->end - c->next, lines = 2 + count_lines(c->next, (size_t)bytes);
    const int64_t cells = at_min(lines * t->n_columns, bytes + 1 + 2 * (int64_t)t->n_columns);
    return at__table_make_room(t, cells, lines);
}

/* The first row says how many columns there are, and may name them. */
static at_status first_row(at_table *t, at__csv *c, at_cell *row, const char *header)
{
    int64_t n;
    const int64_t line = c->line;
    AT_TRY(at__csv_row(c, row, AT_TABLE_COLUMNS, &n));
    AT_REQUIRE(c->ctx, n <= AT_TABLE_COLUMNS, AT_E_RANGE, "%s:%lld: %lld cells, at most %d are read", c->path,
               (long long)line, (long long)n, (int)AT_TABLE_COLUMNS);
    if (c->first_only && n != 2) return wrong_width(c, line, n, 2, line);
    t->n_columns = (int)n;
    const bool automatic = !header || strcmp(header, "auto") == 0;
    if (automatic ? at__is_header(row, t->n_columns) : strcmp(header, "yes") == 0)
        AT_TRY(take_names(t, row, line));
    AT_TRY(make_room(t, c));
    if (t->names) return AT_OK;
    memcpy(t->cells, row, (size_t)n * sizeof *row);
    t->line[t->n_rows++] = line;
    return AT_OK;
}

static at_status read_rows(at_table *t, at__csv *c, at_cell *row, const char *header)
{
    AT_REQUIRE(c->ctx, at__csv_more(c), AT_E_FORMAT, "%s: has no rows, only empty lines", t->path);
    const int64_t first = c->line;
    AT_TRY(first_row(t, c, row, header));
    while (at__csv_more(c)) {
        int64_t n;
        AT_REQUIRE(c->ctx, t->n_rows < AT_TABLE_ROWS, AT_E_RANGE, "%s: more than %d rows", t->path,
                   (int)AT_TABLE_ROWS);
        t->line[t->n_rows] = c->line;
        AT_TRY(at__csv_row(c, &t->cells[t->n_rows * t->n_columns], t->n_columns, &n));
        if (n != t->n_columns) return wrong_width(c, t->line[t->n_rows], n, t->n_columns, first);
        t->n_rows++;
    }
    AT_REQUIRE(c->ctx, t->n_rows > 0, AT_E_FORMAT, "%s: has no rows, only a header", t->path);
    return AT_OK;
}

at_status at__csv_read(at_table *t, const char *bytes, size_t size, const at_table_options *o)
{
    at_ctx *ctx = t->arena.ctx;
    at__csv c = {.ctx = ctx, .path = t->path, .line = 1};
    size_t n;
    AT_TRY(at__csv_text(t, &c.next, &n, bytes, size, o->encoding && strcmp(o->encoding, "latin-1") == 0));
    c.end = c.next + n;
    AT_TRY(at__csv_form(&c, o));
    t->delimiter = at__csv_delimiter_name(&c);
    at_cell *row;
    AT_NEW(ctx, row, AT_TABLE_COLUMNS);
    const at_status status = read_rows(t, &c, row, o->header);
    at_free(ctx, row);
    return status;
}
