/* texts_labels.c: label cells to classes, sets of classes and numbers. Layer: data. Reading path:
 * at__read_labels, read_sets, sort_classes. A cell with a set has parts: the items of a list, or what is
 * between separators, none or one more than there are of them. */
#include "base/text.h"
#include "data/texts_internal.h"
#include <math.h>
#include <stdlib.h>

enum { MOST_CLASSES = 100000, WHOLE_DIGITS = 18 /* fit into int64_t */ };

/* ---- Parts of a label cell ---- */

typedef struct parts {
    at_cell rest;
    const char *separator; /* NULL: items are what is left of a list */
    at_items items;
    bool done;
} parts;

static parts parts_of(const at_texts *t, int64_t sample, const char *separator)
{
    const at_cell *cell = at_texts_cell(t, sample, t->label_column);
    if (at_table_has_lists(&t->table, t->label_column)) {
        const at_items *items = at_table_items(&t->table, t->samples[sample].row, t->label_column);
        return (parts){.items = *items, .done = items->n == 0};
    }
    return (parts){.rest = *cell, .separator = separator, .done = at__trim(cell).n == 0};
}

static void next_item(parts *p, at_cell *out)
{
    *out = at__trim(p->items.list++);
    p->done = --p->items.n == 0;
}

/* The next part, without white space around it. */
static bool next_part(parts *p, at_cell *out)
{
    if (p->done) return false;
    if (!p->separator) {
        next_item(p, out);
        return true;
    }
    at_cell part = p->rest;
    const size_t width = strlen(p->separator);
    const char *end = strstr(p->rest.text, p->separator);
    if (end) part.n = (size_t)(end - part.text);
    p->done = !end;
    if (end) p->rest = (at_cell){end + width, p->rest.n - part.n - width};
    *out = at__trim(&part);
    return true;
}

/* ---- Classes ---- */

typedef struct labeller {
    at_texts *t;
    at__values values; /* classes in the order in which they come, or as given */
    bool given;
    const char *separator;
    const at_texts *like;
} labeller;

static at_status unknown_label(const labeller *l, int64_t sample, at_cell label)
{
    enum { SHOWN = 20, SHOWN_BYTES = 100 };
    const at_texts *t = l->t;
    at_text list;
    at_text_init(&list, t->arena.ctx);
    for (int64_t i = 0; i < l->values.n && i < SHOWN; i++)
        at_text_printf(&list, "%s%s", i ? ", " : "", l->values.list[i].text);
    if (l->values.n > SHOWN) at_text_add(&list, ", ...");
    at_status status = at_text_status(&list);
    if (status == AT_OK)
        status = at_fail(
            t->arena.ctx, AT_E_FORMAT,
            "%s:%lld: label %.*s is not among the %lld of training (%s); correct it or remove the row",
            t->table.path, (long long)at_texts_line(t, sample), (int)at_min((int64_t)label.n, SHOWN_BYTES),
            label.text, (long long)l->values.n, list.data);
    at_text_deinit(&list);
    return status;
}

static at_status find_class(labeller *l, int64_t sample, at_cell label, int32_t *out)
{
    at_texts *t = l->t;
    if (l->given) {
        *out = at__values_find(&l->values, label);
        return *out < 0 ? unknown_label(l, sample, label) : AT_OK;
    }
    AT_TRY(at__values_add(&l->values, out, label));
    AT_REQUIRE(t->arena.ctx, l->values.n <= MOST_CLASSES, AT_E_RANGE,
               "%s: more than %d different labels in column %d; is that the label? Set data.label",
               t->table.path, (int)MOST_CLASSES, t->label_column + 1);
    return AT_OK;
}

static at_status take_given(labeller *l, const char *const *classes, int n)
{
    int32_t number;
    l->given = true;
    for (int i = 0; i < n; i++)
        AT_TRY(at__values_add(&l->values, &number, (at_cell){classes[i], strlen(classes[i])}));
    return AT_OK;
}

/* ---- Order ---- */

typedef struct named {
    const char *name;
    int64_t value; /* 0 unless all are whole numbers */
    int32_t number;
} named;

static bool is_whole(const char *text)
{
    if (*text == '-') text++;
    const size_t n = strspn(text, "0123456789");
    return n > 0 && n <= WHOLE_DIGITS && !text[n];
}

static int by_value(const void *a, const void *b)
{
    const named *x = a, *y = b;
    return x->value != y->value ? (x->value > y->value) - (x->value < y->value) : strcmp(x->name, y->name);
}

/* Names of the classes in their order; place[i] is where the i-th that came has gone. */
static at_status sort_classes(labeller *l, int32_t *place, named *list)
{
    at_texts *t = l->t;
    const int64_t n = l->values.n;
    bool whole = true;
    for (int64_t i = 0; i < n; i++) {
        const at_cell *name = &l->values.list[i];
        list[i] = (named){at_arena_printf(&t->arena, "%.*s", (int)name->n, name->text), 0, (int32_t)i};
        if (!list[i].name) return AT_E_NOMEM;
        whole = whole && is_whole(list[i].name);
    }
    for (int64_t i = 0; i < n && whole; i++) list[i].value = strtoll(list[i].name, NULL, 10);
    if (!l->given) qsort(list, (size_t)n, sizeof *list, by_value);
    for (int64_t i = 0; i < n; i++) {
        t->classes[i] = list[i].name;
        place[list[i].number] = (int32_t)i;
    }
    return AT_OK;
}

static int by_number(const void *a, const void *b)
{
    const int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

static void renumber(at_texts *t, const int32_t *place)
{
    if (t->target == AT_TEXTS_CLASS) {
        for (int64_t i = 0; i < t->n; i++) t->samples[i].label = place[t->samples[i].label];
        return;
    }
    for (int64_t i = 0; i < t->set_start[t->n]; i++) t->set[i] = place[t->set[i]];
    for (int64_t i = 0; i < t->n; i++)
        qsort(&t->set[t->set_start[i]], (size_t)(t->set_start[i + 1] - t->set_start[i]), sizeof *t->set,
              by_number);
}

static at_status name_classes(labeller *l)
{
    at_texts *t = l->t;
    at_ctx *ctx = t->arena.ctx;
    const int64_t n = l->values.n;
    AT_REQUIRE(ctx, n > 0, AT_E_FORMAT, "%s: no row has a label", t->table.path);
    AT_REQUIRE(
        ctx, n > 1 || l->given || t->target == AT_TEXTS_SET, AT_E_FORMAT,
        "%s: has one class only, %.*s; a classifier needs at least 2; is column %d the label? (data.label)",
        t->table.path, (int)at_min((int64_t)l->values.list[0].n, 100), l->values.list[0].text,
        t->label_column + 1);
    t->n_classes = (int)n;
    t->classes = at_arena_alloc(&t->arena, (size_t)n * sizeof *t->classes);
    named *list = at_alloc_array(ctx, n, sizeof *list);
    int32_t *place = at_alloc_array(ctx, n, sizeof *place);
    at_status status = t->classes && list && place ? sort_classes(l, place, list) : AT_E_NOMEM;
    if (status == AT_OK) renumber(t, place);
    at_free(ctx, place);
    at_free(ctx, list);
    return status;
}

/* ---- Classes of each sample ---- */

static at_status read_classes(labeller *l)
{
    at_texts *t = l->t;
    for (int64_t i = 0; i < t->n; i++)
        AT_TRY(find_class(l, i, at__trim(at_texts_cell(t, i, t->label_column)), &t->samples[i].label));
    return AT_OK;
}

static bool has(const int32_t *list, int64_t n, int32_t x)
{
    for (int64_t i = 0; i < n; i++)
        if (list[i] == x) return true;
    return false;
}

static at_status empty_label(const labeller *l, int64_t sample)
{
    const at_texts *t = l->t;
    const long long line = at_texts_line(t, sample);
    if (at_table_has_lists(&t->table, t->label_column))
        return at_fail(t->arena.ctx, AT_E_FORMAT, "%s:%lld: a label of the list is empty; remove it",
                       t->table.path, line);
    return at_fail(t->arena.ctx, AT_E_FORMAT,
                   "%s:%lld: a label between two \"%s\" is empty; remove a separator, or set "
                   "data.label_separator",
                   t->table.path, line, l->separator);
}

static at_status read_one_set(labeller *l, int64_t sample)
{
    at_texts *t = l->t;
    int32_t *set = &t->set[t->set_start[sample]];
    int64_t n = 0;
    parts p = parts_of(t, sample, l->separator);
    for (at_cell part; next_part(&p, &part);) {
        int32_t label;
        if (part.n == 0) return empty_label(l, sample);
        AT_TRY(find_class(l, sample, part, &label));
        if (!has(set, n, label)) set[n++] = label;
    }
    t->set_start[sample + 1] = t->set_start[sample] + n;
    return AT_OK;
}

static at_status read_sets(labeller *l)
{
    at_texts *t = l->t;
    int64_t room = 0;
    for (int64_t i = 0; i < t->n; i++) {
        parts p = parts_of(t, i, l->separator);
        for (at_cell part; next_part(&p, &part);) room++;
    }
    t->set = at_arena_alloc(&t->arena, (size_t)room * sizeof *t->set);
    t->set_start = at_arena_alloc(&t->arena, (size_t)(t->n + 1) * sizeof *t->set_start);
    if (!t->set || !t->set_start) return AT_E_NOMEM;
    for (int64_t i = 0; i < t->n; i++) AT_TRY(read_one_set(l, i));
    return AT_OK;
}

/* Shares are stratified by the class of which there are fewest. */
static at_status note_rarest(at_texts *t)
{
    int64_t *count;
    AT_NEW(t->arena.ctx, count, t->n_classes);
    for (int64_t i = 0; i < t->set_start[t->n]; i++) count[t->set[i]]++;
    for (int64_t i = 0; i < t->n; i++) {
        int32_t rarest = t->n_classes;
        for (int64_t k = t->set_start[i]; k < t->set_start[i + 1]; k++)
            if (rarest == t->n_classes || count[t->set[k]] < count[rarest]) rarest = t->set[k];
        t->samples[i].label = rarest;
    }
    at_free(t->arena.ctx, count);
    return AT_OK;
}

void at_texts_set_row(const at_texts *t, int64_t sample, float *out)
{
    memset(out, 0, (size_t)t->n_classes * sizeof *out);
    for (int64_t k = t->set_start[sample]; k < t->set_start[sample + 1]; k++) out[t->set[k]] = 1.0f;
}

/* ---- Numbers ---- */

static at_status read_numbers(at_texts *t)
{
    for (int64_t i = 0; i < t->n; i++) {
        const at_cell *cell = at_texts_cell(t, i, t->label_column);
        at_cell c = at__trim(cell);
        char text[64] = "";
        if (c.n < sizeof text) memcpy(text, c.text, c.n);
        double *x = &t->samples[i].number;
        AT_REQUIRE(t->arena.ctx, at_number_parse(x, text) && isfinite((float)*x), AT_E_FORMAT,
                   "%s:%lld: label %.*s is no finite number", t->table.path, (long long)at_texts_line(t, i),
                   (int)at_min((int64_t)c.n, 100), c.text);
    }
    return AT_OK;
}

/* ---- The whole ---- */

static at_status read_classes_or_sets(labeller *l, const at_texts_options *o)
{
    at_texts *t = l->t;
    if (l->like)
        AT_TRY(take_given(l, l->like->classes, l->like->n_classes));
    else if (o->classes)
        AT_TRY(take_given(l, o->classes, o->n_classes));
    const bool set = t->target == AT_TEXTS_SET;
    AT_TRY(set ? read_sets(l) : read_classes(l));
    AT_TRY(name_classes(l));
    return set ? note_rarest(t) : AT_OK;
}

at_status at__read_labels(at_texts *t, const at_texts_options *o, const at_texts *like)
{
    if (t->target == AT_TEXTS_NONE) return AT_OK;
    AT_REQUIRE(t->arena.ctx, t->target == AT_TEXTS_SET || !at_table_has_lists(&t->table, t->label_column),
               AT_E_FORMAT,
               "%s: column %d, the label, holds lists, which are sets of labels; take task "
               "multi-label-text-classification, or another column (data.label)",
               t->table.path, t->label_column + 1);
    if (t->target == AT_TEXTS_NUMBER) return read_numbers(t);
    labeller l = {.t = t, .like = like, .separator = o->label_separator ? o->label_separator : ","};
    AT_REQUIRE(t->arena.ctx, *l.separator, AT_E_ARG,
               "data.label_separator is empty, must be a text such as \";\"");
    at__values_init(&l.values, t->arena.ctx);
    const at_status status = read_classes_or_sets(&l, o);
    at__values_deinit(&l.values);
    return status;
}
