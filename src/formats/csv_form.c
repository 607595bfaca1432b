/* csv_form.c: how a file's cells are delimited, by option, by its name, or by what its first lines show.
 * Layer: formats. */
#include "formats/table_internal.h"
#include <strings.h>

typedef struct form {
    const char *name; /* data.delimiter */
    char delimiter, quote;
    bool first_only;
} form;

/* In the order in which first lines are tried. In tab-separated files quotes are text, as their writers mean.
 */
static const form forms[] = {
    {"tab", '\t', 0, false}, {",", ',', '"', false},        {";", ';', '"', false},
    {"|", '|', '"', false},  {"first-space", ' ', 0, true},
};

static void take(at__csv *c, const form *f, const char *quote)
{
    c->delimiter = f->delimiter;
    c->first_only = f->first_only;
    c->quote = f->quote;
    if (quote) c->quote = *quote == '"' ? '"' : 0;
}

const char *at__csv_delimiter_name(const at__csv *c)
{
    for (int i = 0; i < AT_COUNT(forms); i++)
        if (forms[i].delimiter == c->delimiter) return forms[i].name;
    return "";
}

static const form *find_form(const char *name)
{
    for (int i = 0; i < AT_COUNT(forms); i++)
        if (strcmp(forms[i].name, name) == 0) return &forms[i];
    return strcmp(name, "\t") == 0 || strcmp(name, "\\t") == 0 ? &forms[0] : NULL;
}

static const char *form_of_ending(const char *path)
{
    static const char *const endings[][2] = {
        {".csv", ","}, {".tsv", "tab"}, {".tab", "tab"}, {".txt", "tab"}};
    const char *dot = strrchr(path, '.');
    for (int i = 0; dot && i < AT_COUNT(endings); i++)
        if (strcasecmp(dot, endings[i][0]) == 0) return endings[i][1];
    return NULL;
}

/* ---- The first lines ---- */

enum { SHOWN_BYTES = 64 << 10, SHOWN_ROWS = 100 };

/* How many of the first cells differ from those before. */
static int count_distinct(const at_cell *first, int rows)
{
    int distinct = 0;
    for (int i = 0; i < rows; i++) {
        int k = 0;
        while (strcmp(first[k].text, first[i].text) != 0) k++;
        distinct += k == i;
    }
    return distinct;
}

/* Do all rows have the same number of cells, two at least? Lines of prose have spaces, too: as labels, first
 * words must repeat. */
static bool fits(at__csv c, bool whole)
{
    at_cell first[SHOWN_ROWS];
    int64_t columns = 0, n;
    int rows = 0;
    for (; rows < SHOWN_ROWS && at__csv_more(&c); rows++) {
        if (at__csv_row(&c, &first[rows], 1, &n) != AT_OK) {
            if (whole || rows == 0) return false; /* else a quoted cell may reach beyond what is shown */
            break;
        }
        if (n < 2 || (columns && n != columns)) return false;
        columns = n;
    }
    return rows > 0 && (!c.first_only || 2 * count_distinct(first, rows) <= rows);
}

/* Try the forms on copies of the first lines. */
static at_status look(at__csv *c, const char *quote)
{
    at_ctx quiet; /* what does not fit is no failure */
    size_t n = (size_t)(c->end - c->next);
    const bool whole = n <= SHOWN_BYTES;
    if (!whole) {
        n = SHOWN_BYTES;
        while (n > 0 && c->next[n - 1] != '\n') n--;
    }
    char *copy = at_alloc(c->ctx, n + 1);
    if (!copy) return AT_E_NOMEM;
    at_ctx_fork(&quiet, c->ctx);
    int i = 0;
    for (; i < AT_COUNT(forms); i++) {
        at__csv trial = {.ctx = &quiet, .path = c->path, .next = copy, .end = copy + n};
        memcpy(copy, c->next, n);
        copy[n] = '\0';
        take(&trial, &forms[i], quote);
        if (fits(trial, whole)) break;
    }
    at_free(c->ctx, copy);
    AT_REQUIRE(c->ctx, i < AT_COUNT(forms), AT_E_FORMAT,
               "%s: the first lines do not show how cells are delimited; set data.delimiter: \",\" \";\" "
               "\"|\" tab or "
               "first-space",
               c->path);
    take(c, &forms[i], quote);
    return AT_OK;
}

at_status at__csv_form(at__csv *c, const at_table_options *o)
{
    const char *name = o->delimiter ? o->delimiter : form_of_ending(c->path);
    if (!name) return look(c, o->quote);
    const form *f = find_form(name);
    AT_REQUIRE(c->ctx, f, AT_E_ARG, "data.delimiter is \"%s\", must be \",\" \";\" \"|\" tab or first-space",
               name);
    take(c, f, o->quote);
    return AT_OK;
}
