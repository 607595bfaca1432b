/* table.h: CSV, TSV, JSON and JSONL files as one kind of table: rows of text cells, each row with its line in
 * the file. Layer: formats. Time is linear in the file; memory is the file's size, decoded, and 16 bytes a
 * cell. */
#ifndef AT_TABLE_H
#define AT_TABLE_H

#include "base/alloc.h"

enum {
    AT_TABLE_LINE = 64 << 20, /* bytes of a line, and of an element of a JSON list */
    AT_TABLE_COLUMNS = 4096,
    AT_TABLE_ROWS = INT32_MAX
};

typedef struct at_cell {
    const char *text; /* UTF-8, NUL-terminated; "" when empty, never NULL */
    size_t n;         /* bytes, without the NUL */
} at_cell;

typedef struct at_items { /* of a cell that is a list */
    const at_cell *list;
    int64_t n;
} at_items;

typedef struct at_table {
    at_arena arena;
    at_block text, rows; /* what cells point into (delimited text); cells and lines */
    const char *path;
    int64_t n_rows; /* at least 1; without the header */
    int n_columns;
    const char **names;    /* [n_columns]; NULL = the file has no header */
    at_cell *cells;        /* [n_rows, n_columns] */
    int64_t *line;         /* [n_rows] where each begins, from 1 */
    at_items **items;      /* [n_columns]: [n_rows] where the cells are lists, else NULL; NULL = nowhere */
    const char *delimiter; /* as in the options, what was taken; NULL = JSON */
} at_table;

/* Recipe keys data.delimiter, data.quote, data.header, data.encoding; NULL = what the file suggests. */
typedef struct at_table_options {
    /* "," ";" "|" "tab"; "first-space": a line is a label, a space, and a text that may hold more of them.
     * NULL: comma for .csv, tab for .tsv, .tab and .txt, for other endings what the first lines show. */
    const char *delimiter;
    /* "\"" or "none": is text between double quotes one cell, whatever it holds? NULL: with , ; and | it is.
     */
    const char *quote;
    /* "yes", "no", "auto" (NULL): the first row is a header when its cells are names that columns of texts
     * usually have ("label", "text" ...), or when one of them names a label and another a text. */
    const char *header;
    const char *encoding; /* "utf-8" (NULL) or "latin-1"; JSON is UTF-8 */
} at_table_options;

/* Read a file; .jsonl and .ndjson are lists of maps, one a line, .json is a list of maps, or a map that holds
 * one list ({"data": [...]}); all else is delimited text. o: NULL = all as the file suggests.
 *
 * Delimited text follows RFC 4180, as Python's csv module reads it when it is strict. A byte-order mark is
 * skipped. Rows end with LF or CRLF; a CR elsewhere is text. Empty lines are skipped. Every row has the cells
 * of the first.
 * JSON: columns are the keys in the order in which they appear; a missing key and null are empty cells,
 * numbers and flags become their text, maps are refused. A list of such values, but for null, has its items
 * beside its text, "a, b"; its column then has lists, or empty cells, in every row.
 *
 * @return FORMAT with file, line and remedy; ARG (an option); IO; NOMEM; RANGE (more than the limits above).
 * *out is zeroed on failure. */
at_status at_table_read(at_ctx *ctx, at_table *out, const char *path, const at_table_options *o) AT_MUST_USE;

void at_table_deinit(at_table *t);

static inline const at_cell *at_table_cell(const at_table *t, int64_t row, int column)
{
    return &t->cells[row * t->n_columns + column];
}

/* Does a column hold lists? Then an empty cell is one without items. */
static inline bool at_table_has_lists(const at_table *t, int column)
{
    return t->items && t->items[column];
}

static inline const at_items *at_table_items(const at_table *t, int64_t row, int column)
{
    return &t->items[column][row];
}

/* The column with this name, in any case of its letters, or with this number ("1" is the first). An ARG
 * failure names the nearest one; `key` is the recipe key that asks. */
at_status at_table_find(at_ctx *ctx, int *out, const at_table *t, const char *name,
                        const char *key) AT_MUST_USE;

/* What a column is called in messages: `column 2 "text"` or `column 2`. */
enum { AT_COLUMN_TITLE = 120 };
void at_table_title(char out[AT_COLUMN_TITLE], const at_table *t, int column);

/* Does a name say that a column holds labels ("label", "class" ...), texts ("text", "review" ..., also the
 * first of a pair: "premise"), the second of a pair ("hypothesis"), numbers ("score", or what labels are
 * called), or texts that do not belong to the first ("negative")? In any case of the letters. */
bool at_names_label(const char *name);
bool at_names_labels(const char *name); /* several of a row: "labels" */
bool at_names_text(const char *name);
bool at_names_pair(const char *name);
bool at_names_score(const char *name);
bool at_names_negative(const char *name);

/* By its ending: is this file a table for sure (.csv .tsv .tab .txt .json .jsonl .ndjson)? */
bool at_is_table_name(const char *path);

#endif
