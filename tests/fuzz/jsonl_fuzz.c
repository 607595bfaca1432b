/* jsonl_fuzz.c: any bytes as lines or as a list of JSON: cells are text with an end, or lists of such, and
 * the table written as JSON lines is read back the same. */
#include "formats/table_internal.h"
#include "tests/fuzz/fuzz.h"

static at_status read_bytes(at_ctx *ctx, at_table *t, const char *bytes, size_t n, bool lines)
{
    *t = (at_table){.path = "input"};
    at_arena_init(&t->arena, ctx);
    return at__json_read(t, bytes, n, lines);
}

static void check_items(const at_items *items)
{
    for (int64_t i = 0; i < items->n; i++) AT_MUST(strlen(items->list[i].text) == items->list[i].n);
}

static void check_cells(const at_table *t, size_t size)
{
    AT_MUST(t->n_rows > 0 && t->n_columns > 0 && t->n_columns <= AT_TABLE_COLUMNS);
    for (int64_t row = 0; row < t->n_rows; row++) {
        AT_MUST(t->line[row] >= (row ? t->line[row - 1] : 1) && t->line[row] <= (int64_t)size + 1);
        for (int i = 0; i < t->n_columns; i++) {
            AT_MUST(strlen(at_table_cell(t, row, i)->text) == at_table_cell(t, row, i)->n);
            if (at_table_has_lists(t, i)) check_items(at_table_items(t, row, i));
        }
    }
}

static void write_list(at_text *out, const at_items *items)
{
    at_text_add(out, "[");
    for (int64_t i = 0; i < items->n; i++) {
        if (i) at_text_add(out, ",");
        at_text_json(out, items->list[i].text);
    }
    at_text_add(out, "]");
}

static void check_same_lists(const at_table *a, const at_table *b, int column)
{
    AT_MUST(at_table_has_lists(a, column) == at_table_has_lists(b, column));
    for (int64_t row = 0; row < a->n_rows && at_table_has_lists(a, column); row++) {
        const at_items *x = at_table_items(a, row, column), *y = at_table_items(b, row, column);
        AT_MUST(x->n == y->n);
        for (int64_t i = 0; i < x->n; i++) AT_MUST(strcmp(x->list[i].text, y->list[i].text) == 0);
    }
}

static void check_written(const at_table *t)
{
    at_table back;
    at_text out;
    at_text_init(&out, t->arena.ctx);
    for (int64_t row = 0; row < t->n_rows; row++)
        for (int i = 0; i < t->n_columns; i++) {
            at_text_add(&out, i ? ", " : "{");
            at_text_json(&out, t->names[i]);
            at_text_add(&out, ": ");
            if (at_table_has_lists(t, i))
                write_list(&out, at_table_items(t, row, i));
            else
                at_text_json(&out, at_table_cell(t, row, i)->text);
            if (i == t->n_columns - 1) at_text_add(&out, "}\n");
        }
    AT_MUST(at_text_status(&out) == AT_OK);
    AT_MUST(read_bytes(t->arena.ctx, &back, out.data, out.size, true) == AT_OK);
    AT_MUST(back.n_rows == t->n_rows && back.n_columns == t->n_columns);
    for (int i = 0; i < t->n_columns; i++) AT_MUST(strcmp(t->names[i], back.names[i]) == 0);
    for (int64_t i = 0; i < t->n_rows * t->n_columns; i++)
        AT_MUST(strcmp(t->cells[i].text, back.cells[i].text) == 0);
    for (int i = 0; i < t->n_columns; i++) check_same_lists(t, &back, i);
    at_table_deinit(&back);
    at_text_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int lines = 0; lines < 2; lines++) {
        at_ctx *ctx = at_fuzz_begin();
        at_table t;
        const at_status status = read_bytes(ctx, &t, (const char *)data, size, lines);
        if (status == AT_OK) {
            check_cells(&t, size);
            check_written(&t);
        }
        at_table_deinit(&t);
        at_fuzz_end(ctx,
                    status == AT_E_RANGE ? AT_E_FORMAT : status); /* too many keys are a fault of the file */
    }
    return 0;
}
