/* csv_fuzz.c: any bytes as delimited text, in every form: cells are text with an end, rows have lines that
 * grow, and the table written with all cells in quotes is read back the same. */
#include "formats/table_internal.h"
#include "tests/fuzz/fuzz.h"

static at_status read_bytes(at_ctx *ctx, at_table *t, const char *bytes, size_t n, const at_table_options *o)
{
    *t = (at_table){.path = "input"};
    at_arena_init(&t->arena, ctx);
    return at__csv_read(t, bytes, n, o);
}

static void check_text(const at_cell *cell)
{
    uint32_t code;
    AT_MUST(strlen(cell->text) == cell->n);
    for (const char *p = cell->text; *p;) {
        const int n = at_utf8_decode(&code, p);
        AT_MUST(n > 0);
        p += n;
    }
}

static void check_cells(const at_table *t, size_t size)
{
    AT_MUST(t->n_rows > 0 && t->n_columns > 0 && t->n_columns <= AT_TABLE_COLUMNS);
    for (int64_t row = 0; row < t->n_rows; row++) {
        AT_MUST(t->line[row] > (row ? t->line[row - 1] : 0) && t->line[row] <= (int64_t)size + 1);
        for (int i = 0; i < t->n_columns; i++) check_text(at_table_cell(t, row, i));
    }
}

static void write_quoted(at_text *out, const char *text)
{
    at_text_add(out, "\"");
    for (; *text; text++) {
        if (*text == '"') at_text_add(out, "\"");
        at_text_bytes(out, text, 1);
    }
    at_text_add(out, "\"");
}

static void check_written(const at_table *t)
{
    at_table back;
    at_text out;
    at_text_init(&out, t->arena.ctx);
    for (int64_t row = 0; row < t->n_rows; row++)
        for (int i = 0; i < t->n_columns; i++) {
            if (i) at_text_add(&out, "|");
            write_quoted(&out, at_table_cell(t, row, i)->text);
            if (i == t->n_columns - 1) at_text_add(&out, row % 2 ? "\n" : "\r\n");
        }
    const at_table_options o = {.delimiter = "|", .header = "no"};
    AT_MUST(at_text_status(&out) == AT_OK);
    AT_MUST(read_bytes(t->arena.ctx, &back, out.data, out.size, &o) == AT_OK);
    AT_MUST(back.n_rows == t->n_rows && back.n_columns == t->n_columns);
    for (int64_t i = 0; i < t->n_rows * t->n_columns; i++)
        AT_MUST(strcmp(t->cells[i].text, back.cells[i].text) == 0);
    at_table_deinit(&back);
    at_text_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const at_table_options forms[] = {
        {0},
        {.delimiter = ",", .header = "yes"},
        {.delimiter = "tab", .header = "no"},
        {.delimiter = "first-space"},
        {.delimiter = ";", .encoding = "latin-1"},
    };
    for (int i = 0; i < AT_COUNT(forms); i++) {
        at_ctx *ctx = at_fuzz_begin();
        at_table t;
        const at_status status = read_bytes(ctx, &t, (const char *)data, size, &forms[i]);
        if (status == AT_OK) {
            check_cells(&t, size);
            check_written(&t);
        }
        at_table_deinit(&t);
        at_fuzz_end(ctx, status == AT_E_RANGE ? AT_E_FORMAT
                                              : status); /* too many columns are a fault of the file */
    }
    return 0;
}
