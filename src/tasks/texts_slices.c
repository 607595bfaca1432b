/* texts_slices.c: scores of the samples that share a value of another column: is the network as good on
 * reviews as on tweets? Reading path: at_report_slices, find_values, write_slice. */
#include "tasks/texts.h"
#include <math.h>
#include <stdlib.h>

enum { SHOWN_VALUES = 20, SHOWN_BYTES = 60 };

/* ---- The option ---- */

static at_status check_column(at_job *j, const at_texts *t, const char *name)
{
    int column;
    return t->n ? at_texts_find_column(j->ctx, &column, t, name, "data.slices") : AT_OK;
}

static at_status take_column(at_job *j, at_text_data *k, const at_tree *t)
{
    const bool whole = t->kind == AT_WHOLE;
    AT_REQUIRE(j->ctx, (t->kind == AT_STRING || whole) && k->n_slices < AT_MOST_SLICES, AT_E_ARG,
               "%s must be a column, or a list of up to %d", at_job_where(j, "data.slices"), AT_MOST_SLICES);
    const char *name = whole ? at_arena_printf(&j->arena, "%lld", (long long)t->whole) : t->text;
    if (!name) return AT_E_NOMEM;
    AT_TRY(check_column(j, &k->train, name));
    AT_TRY(check_column(j, &k->valid, name));
    AT_TRY(check_column(j, &k->test, name));
    k->slices[k->n_slices++] = name;
    return AT_OK;
}

at_status at_text_slices_read(at_job *j, at_text_data *k)
{
    const at_tree *t = ((const at_text_settings *)j->data_options)->slices;
    if (!t) return AT_OK;
    if (t->kind != AT_LIST) return take_column(j, k, t);
    for (const at_tree *name = t->first; name; name = name->next) AT_TRY(take_column(j, k, name));
    return AT_OK;
}

/* ---- The samples of each value ---- */

typedef struct member {
    const at_cell *value;
    int32_t sample; /* of the split */
} member;

typedef struct value { /* members[first ... first + n - 1] have it */
    int64_t first, n;
} value;

typedef struct slices {
    const at_job *j;
    at_split split;
    const float *outputs;
    at_score_part_fn score;
    member *members; /* by value */
    value *values;   /* of most samples first */
    int64_t n, n_values;
    float *own; /* room for outputs of a value's samples, and for their numbers */
    int32_t *part;
} slices;

static int compare_cells(const at_cell *a, const at_cell *b)
{
    const size_t n = a->n < b->n ? a->n : b->n;
    const int c = memcmp(a->text, b->text, n);
    return c ? c : (a->n > b->n) - (a->n < b->n);
}

static int by_value(const void *a, const void *b)
{
    const member *x = a, *y = b;
    const int c = compare_cells(x->value, y->value);
    return c ? c : (x->sample > y->sample) - (x->sample < y->sample);
}

static int most_first(const void *a, const void *b)
{
    const value *x = a, *y = b;
    if (x->n != y->n) return x->n > y->n ? -1 : 1;
    return (x->first > y->first) - (x->first < y->first);
}

static void find_values(slices *s, const at_text_data *k, int column)
{
    const at_texts *t = k->split[s->split].texts;
    for (int64_t i = 0; i < s->n; i++)
        s->members[i] = (member){at_texts_cell(t, k->split[s->split].index[i], column), (int32_t)i};
    qsort(s->members, (size_t)s->n, sizeof *s->members, by_value);
    s->n_values = 0;
    for (int64_t i = 0, m; i < s->n; i = m) {
        for (m = i + 1; m < s->n && compare_cells(s->members[m].value, s->members[i].value) == 0;) m++;
        s->values[s->n_values++] = (value){i, m - i};
    }
    qsort(s->values, (size_t)s->n_values, sizeof *s->values, most_first);
}

/* ---- Words ---- */

static void write_name(const at_cell *c, at_text *html)
{
    char text[SHOWN_BYTES + 1];
    size_t n = c->n < SHOWN_BYTES ? c->n : SHOWN_BYTES;
    while (n > 0 && n < c->n && ((unsigned char)c->text[n] & 0xc0) == 0x80) n--; /* whole characters */
    memcpy(text, c->text, n);
    text[n] = '\0';
    at_text_html(html, n ? text : "(empty)");
    if (n < c->n) at_text_add(html, " ...");
}

static void write_score(const at_score_value *x, int64_t n, at_text *html)
{
    double low, high;
    if (isnan(x->value)) {
        at_text_add(html, "<td>not defined</td>");
        return;
    }
    const bool share = x->higher_is_better && !x->plain;
    at_text_printf(html, share ? "<td><b>%.1f %%</b>" : "<td><b>%.4g</b>", share ? 100 * x->value : x->value);
    if (x->proportion) {
        at_wilson(x->value, n, &low, &high);
        at_text_printf(html, " <small>%.1f to %.1f %%</small>", 100 * low, 100 * high);
    }
    at_text_add(html, "</td>");
}

static at_status write_value(slices *s, const value *v, at_text *html)
{
    const int K = s->j->n_outputs;
    at_scores scores;
    for (int64_t i = 0; i < v->n; i++) {
        s->part[i] = s->members[v->first + i].sample;
        memcpy(s->own + i * K, s->outputs + (int64_t)s->part[i] * K, (size_t)K * sizeof *s->own);
    }
    AT_TRY(s->score(s->j, s->split, s->own, s->part, v->n, &scores));
    at_text_add(html, "<tr><th scope=\"row\">");
    write_name(s->members[v->first].value, html);
    at_text_printf(html, "</th><td>%lld</td>", (long long)v->n);
    write_score(&scores.list[0], v->n, html);
    at_text_add(html, "</tr>\n");
    return AT_OK;
}

static at_status write_slice(slices *s, const char *column, at_text *html)
{
    at_text_add(html, "<h3>By ");
    at_text_html(html, column);
    at_text_add(html, "</h3>\n<div class=\"card scroll\"><table><thead><tr><th scope=\"col\">");
    at_text_html(html, column);
    at_text_add(html, "</th><th scope=\"col\">samples</th><th scope=\"col\">");
    for (const char *c = s->j->task->main_metric; *c; c++) at_text_printf(html, "%c", *c == '_' ? ' ' : *c);
    at_text_add(html, "</th></tr></thead>\n<tbody>");
    for (int64_t i = 0; i < s->n_values && i < SHOWN_VALUES; i++) AT_TRY(write_value(s, &s->values[i], html));
    at_text_add(html, "</tbody></table>");
    if (s->n_values > SHOWN_VALUES)
        at_text_printf(html, "<p class=\"soft\">The %d most frequent of %lld values.</p>", SHOWN_VALUES,
                       (long long)s->n_values);
    at_text_add(html, "</div>\n");
    return AT_OK;
}

static at_status write_all(slices *s, const at_text_data *k, at_text *html)
{
    for (int i = 0; i < k->n_slices; i++) {
        int column;
        AT_TRY(
            at_texts_find_column(s->j->ctx, &column, k->split[s->split].texts, k->slices[i], "data.slices"));
        const at_table *table = &k->split[s->split].texts->table;
        find_values(s, k, column);
        AT_TRY(write_slice(s, table->names ? table->names[column] : k->slices[i], html));
    }
    return AT_OK;
}

at_status at_report_slices(const at_job *j, const at_text_data *k, at_split split, const float *outputs,
                           at_score_part_fn score, at_text *html)
{
    slices s = {.j = j, .split = split, .outputs = outputs, .score = score, .n = j->split[split]->n};
    if (k->n_slices == 0) return AT_OK;
    s.members = at_alloc_array(j->ctx, s.n, sizeof *s.members);
    s.values = at_alloc_array(j->ctx, s.n, sizeof *s.values);
    s.own = at_alloc_array(j->ctx, s.n * j->n_outputs, sizeof *s.own);
    s.part = at_alloc_array(j->ctx, s.n, sizeof *s.part);
    const bool room = s.members && s.values && s.own && s.part;
    const at_status status = room ? write_all(&s, k, html) : AT_E_NOMEM;
    at_free(j->ctx, s.members);
    at_free(j->ctx, s.values);
    at_free(j->ctx, s.own);
    at_free(j->ctx, s.part);
    return status;
}
