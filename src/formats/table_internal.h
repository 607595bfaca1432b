/* table_internal.h: what the files behind table.h share. Layer: formats, private to it. */
#ifndef AT_TABLE_INTERNAL_H
#define AT_TABLE_INTERNAL_H

#include "formats/table.h"

/* Both fill a table whose arena and path are set, from the bytes of a file. */
at_status at__csv_read(at_table *t, const char *bytes, size_t size, const at_table_options *o) AT_MUST_USE;
at_status at__json_read(at_table *t, const char *bytes, size_t size, bool lines) AT_MUST_USE;

/* Room for so many cells and rows; what is not written to costs address space only. */
at_status at__table_make_room(at_table *t, int64_t cells, int64_t rows) AT_MUST_USE;

/* A row of delimited text at a time. The text is changed: cells end where their delimiter was, and quoted
 * ones move together where quotes were doubled. */
typedef struct at__csv {
    at_ctx *ctx;
    const char *path;
    char *next, *end;      /* *end is a NUL */
    int64_t line;          /* of next, from 1 */
    char delimiter, quote; /* quote 0: none */
    bool first_only;       /* the delimiter counts once a line */
} at__csv;

/* Step over empty lines; false at the end of the text. */
bool at__csv_more(at__csv *c);

/* Read the row at c->next: *n cells, of which cells[] gets the first `room`. */
at_status at__csv_row(at__csv *c, at_cell *cells, int64_t room, int64_t *n) AT_MUST_USE;

/* Set delimiter, quote and first_only by the options, else by the path's ending, else by the first lines. */
at_status at__csv_form(at__csv *c, const at_table_options *o) AT_MUST_USE;

const char *at__csv_delimiter_name(const at__csv *c);

/* Is a first row a header? (at_table_options.header) */
bool at__is_header(const at_cell *row, int n);

/* Bytes to UTF-8 that at__csv can work on, NUL-terminated, in the table's block of text. */
at_status at__csv_text(at_table *t, char **text, size_t *size, const char *bytes, size_t n,
                       bool latin1) AT_MUST_USE;

#endif
