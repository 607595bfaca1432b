/* tags_report.c: what a report shows of tagged sentences: precision, recall and F1 of each type of entity,
 * and the sentences with most mistakes, what is true and what was said marked in them. Plain HTML; its
 * classes are those of the report's style sheet. */
#include "tasks/token_classification.h"
#include <stdlib.h>

enum { SHOWN_SENTENCES = 12, SHOWN_WORDS = 60 };

typedef struct wrong { /* a sentence with mistakes */
    int64_t sample, mistakes;
    const float *logits;
} wrong;

typedef struct outcome {
    const at_job *j;
    const at_tagging *k;
    const at_dataset *d;
    const at_tagged *of;
    at_said said;
    at_entity_counts *by_type; /* of entities; */
    wrong *list;
    int64_t n_wrong, words, right;
} outcome;

/* ---- Looking ---- */

static const int32_t *truth_of(const outcome *o, int64_t sample)
{
    return o->of->tag + o->of->start[at_tagged_tokens_sentence(o->d, sample)];
}

/* Entities that were missed or made up; without entities, words. */
static int64_t count_mistakes(outcome *o, const int32_t *truth, int64_t n)
{
    int64_t before = 0, after = 0, words = 0;
    const int n_types = o->k->tags.n_types;
    for (int i = 0; i < n_types; i++)
        before += o->by_type[i].truly + o->by_type[i].said - 2 * o->by_type[i].right;
    if (n_types) at_entities_count(&o->k->tags, o->by_type, truth, o->said.tag, n);
    for (int i = 0; i < n_types; i++)
        after += o->by_type[i].truly + o->by_type[i].said - 2 * o->by_type[i].right;
    for (int64_t i = 0; i < n; i++) words += truth[i] != o->said.tag[i];
    o->words += n;
    o->right += n - words;
    return n_types ? after - before : words;
}

static int most_first(const void *a, const void *b)
{
    const wrong *x = a, *y = b;
    if (x->mistakes != y->mistakes) return x->mistakes > y->mistakes ? -1 : 1;
    return (x->sample > y->sample) - (x->sample < y->sample);
}

static void look(outcome *o, const float *logits)
{
    for (int64_t i = 0; i < o->d->n; i++) {
        const int64_t n = at_said_read(o->j, &o->said, o->of, o->d, i, logits);
        const int64_t mistakes = count_mistakes(o, truth_of(o, i), n);
        if (mistakes) o->list[o->n_wrong++] = (wrong){i, mistakes, logits};
        logits += o->d->rows(o->d, i) * o->j->n_outputs;
    }
    qsort(o->list, (size_t)o->n_wrong, sizeof *o->list, most_first);
}

/* ---- Types ---- */

static void type_row(const char *name, const at_entity_counts *c, at_text *html)
{
    const at_entity_scores s = at_entities_score(c);
    at_text_add(html, "<tr><th scope=\"row\">");
    at_text_html(html, name);
    at_text_printf(html, "</th><td>%.1f %%</td><td>%.1f %%</td><td>%.1f %%</td><td>%lld</td></tr>\n",
                   100 * s.precision, 100 * s.recall, 100 * s.f1, (long long)c->truly);
}

static void types(const outcome *o, at_text *html)
{
    at_entity_counts all = {0};
    at_text_add(html,
                "<p>An entity is right when its words and its type are. Precision: how often that was so "
                "when the network named one. Recall: how many of the true ones were found.</p>\n"
                "<div class=\"card\"><table><caption>Entities by type</caption><thead><tr>"
                "<th scope=\"col\">type</th><th scope=\"col\">precision</th><th scope=\"col\">recall</th>"
                "<th scope=\"col\">F1</th><th scope=\"col\">entities</th></tr></thead>\n<tbody>");
    for (int i = 0; i < o->k->tags.n_types; i++) {
        const at_entity_counts *c = &o->by_type[i];
        type_row(o->k->tags.types[i], c, html);
        all.truly += c->truly;
        all.said += c->said;
        all.right += c->right;
    }
    type_row("all", &all, html);
    at_text_add(html, "</tbody></table></div>\n");
}

/* ---- Sentences ---- */

static void add_word(const outcome *o, int64_t word, at_text *html)
{
    const at_cell *c = &o->of->words[word];
    at_text text;
    at_text_init(&text, o->j->ctx);
    at_text_bytes(&text, c->text, c->n);
    at_text_html(html, text.data ? text.data : "");
    at_text_deinit(&text);
}

/* Words with their entities marked: "in [LOC New York] today". */
static void mark_entities(const outcome *o, const int32_t *tag, int64_t first, int64_t n, at_text *html)
{
    at_entity e;
    bool open = false;
    if (!at_entity_next(&o->k->tags, tag, n, 0, &e)) e.first = n;
    for (int64_t i = 0; i < n && i < SHOWN_WORDS; i++) {
        if (i) at_text_add(html, " ");
        if (i == e.first) {
            at_text_add(html, "<mark><small>");
            at_text_html(html, o->k->tags.types[e.type]);
            at_text_add(html, "</small> ");
            open = true;
        }
        add_word(o, first + i, html);
        if (i < e.first || i + 1 < e.end) continue;
        at_text_add(html, "</mark>");
        open = false;
        if (!at_entity_next(&o->k->tags, tag, n, e.end, &e)) e.first = n;
    }
    if (open) at_text_add(html, "</mark>");
    if (n > SHOWN_WORDS) at_text_add(html, " ...");
}

/* Words whose tags differ, with this one of the two: "the dog <mark>barks NOUN</mark>". */
static void mark_words(const outcome *o, const int32_t *tag, const int32_t *other, int64_t first, int64_t n,
                       at_text *html)
{
    for (int64_t i = 0; i < n && i < SHOWN_WORDS; i++) {
        if (i) at_text_add(html, " ");
        if (tag[i] != other[i]) at_text_add(html, "<mark>");
        add_word(o, first + i, html);
        if (tag[i] == other[i]) continue;
        at_text_add(html, " <small>");
        at_text_html(html, tag[i] < 0 ? "-" : o->j->labels[tag[i]]);
        at_text_add(html, "</small></mark>");
    }
    if (n > SHOWN_WORDS) at_text_add(html, " ...");
}

static void show_sentence(outcome *o, const wrong *w, at_text *html)
{
    const int64_t n = at_said_read(o->j, &o->said, o->of, o->d, w->sample, w->logits),
                  first = o->of->start[at_tagged_tokens_sentence(o->d, w->sample)];
    const int32_t *tag[] = {truth_of(o, w->sample), o->said.tag};
    for (int i = 0; i < 2; i++) {
        at_text_add(html, i ? "<br>said: " : "<li>true: ");
        if (o->k->tags.list)
            mark_entities(o, tag[i], first, n, html);
        else
            mark_words(o, tag[i], tag[!i], first, n, html);
    }
    at_text_printf(html, " <small>line %lld</small></li>\n", (long long)o->of->line[first]);
}

static void worst(outcome *o, at_text *html)
{
    if (!o->n_wrong) return;
    at_text_printf(html,
                   "<h3>Sentences with most mistakes</h3>\n<p>%lld of %lld sentences have mistakes; of ",
                   (long long)o->n_wrong, (long long)o->d->n);
    at_text_html(html, o->of->path);
    at_text_add(html, ", those with the most:</p>\n<ul class=\"sentences\">");
    for (int64_t i = 0; i < o->n_wrong && i < SHOWN_SENTENCES; i++) show_sentence(o, &o->list[i], html);
    at_text_add(html, "</ul>\n");
}

/* ---- The whole ---- */

static at_status report(outcome *o, const float *logits, at_text *html)
{
    AT_TRY(at_said_init(o->j->ctx, &o->said, at_tagged_longest(o->of, o->d)));
    AT_NEW(o->j->ctx, o->by_type, o->k->tags.n_types);
    AT_NEW(o->j->ctx, o->list, o->d->n);
    look(o, logits);
    at_text_printf(html, "<p>%lld of %lld words have the right tag (%.1f %%).</p>\n", (long long)o->right,
                   (long long)o->words, 100.0 * (double)o->right / (double)at_max(o->words, 1));
    if (o->k->tags.list) types(o, html);
    worst(o, html);
    return at_text_status(html);
}

at_status at_report_tags(const at_job *j, at_split split, const float *logits, at_text *html)
{
    const at_tagging *k = j->self;
    outcome o = {.j = j, .k = k, .d = j->split[split], .of = k->split[split]};
    const at_status s = report(&o, logits, html);
    at_said_deinit(j->ctx, &o.said);
    at_free(j->ctx, o.by_type);
    at_free(j->ctx, o.list);
    return s;
}
