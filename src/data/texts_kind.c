/* texts_kind.c: what the label column of a table looks like, for who has not been told. Layer: data. Reading
 * path: at_texts_kind, kind_of. */
#include "base/text.h"
#include "data/texts_internal.h"
#include <math.h>

enum { FEW = 20, MOST = 100000 };

/* Numbers that are the names of classes: not more than a few different whole ones, or those from 0 or 1 on
 * without a gap. */
static bool are_classes(const at__values *v, double low, double high, bool whole)
{
    if (!whole) return false;
    return v->n <= FEW || ((low == 0 || low == 1) && high - low + 1 == (double)v->n);
}

static at_status look_at_cells(const at_texts *t, at__values *values, at_texts_target *out)
{
    double low = INFINITY, high = -INFINITY, x;
    bool whole = true;
    *out = AT_TEXTS_CLASS;
    for (int64_t row = 0; row < t->table.n_rows; row++) {
        char text[64];
        const at_cell c = at__trim(at_table_cell(&t->table, row, t->label_column));
        if (c.n == 0) continue;
        if (c.n >= sizeof text) return AT_OK;
        memcpy(text, c.text, c.n);
        text[c.n] = '\0';
        if (!at_number_parse(&x, text) || !isfinite(x)) return AT_OK;
        low = fmin(low, x);
        high = fmax(high, x);
        whole = whole && x == floor(x);
        if (values->n <= MOST) AT_TRY(at__values_add(values, &(int32_t){0}, c));
    }
    if (values->n > 0 && !are_classes(values, low, high, whole)) *out = AT_TEXTS_NUMBER;
    return AT_OK;
}

static at_status kind_of(at_texts *t, at_texts_target *out, const char *path, const at_texts_options *o)
{
    at__values values;
    AT_TRY(at_table_read(t->arena.ctx, &t->table, path, &o->table));
    AT_TRY(at__choose_columns(t, o, NULL));
    at__values_init(&values, t->arena.ctx);
    *out = AT_TEXTS_SET;
    at_status status = AT_OK;
    if (!at_table_has_lists(&t->table, t->label_column)) status = look_at_cells(t, &values, out);
    at__values_deinit(&values);
    return status;
}

at_status at_texts_kind(at_ctx *ctx, at_texts_target *out, const char *path, const at_texts_options *o)
{
    at_texts_options quiet = *o;
    quiet.note = NULL;
    quiet.target = AT_TEXTS_CLASS;
    at_texts t = {.target = AT_TEXTS_CLASS,
                  .label_column = -1,
                  .text_column = -1,
                  .pair_column = -1,
                  .negative_column = -1};
    at_arena_init(&t.arena, ctx);
    const at_status status = o->label_separator ? AT_OK : kind_of(&t, out, path, &quiet);
    if (o->label_separator) *out = AT_TEXTS_SET;
    at_texts_deinit(&t);
    return status;
}
