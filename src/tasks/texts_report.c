/* texts_report.c: what a report tells of a table of texts: how many a class has, and how long they are. Plain
 * HTML; its classes are those of the report's style sheet. */
#include "tasks/texts.h"

/* Whole characters of UTF-8, cut where a reader has seen enough. */
static void write_beginning(const at_cell *c, at_text *html)
{
    enum { SHOWN = 400 };
    size_t n = c->n;
    if (n > SHOWN)
        for (n = SHOWN; n > 0 && ((unsigned char)c->text[n] & 0xc0) == 0x80;) n--;
    char text[SHOWN + 1];
    memcpy(text, c->text, n);
    text[n] = '\0';
    at_text_html(html, text);
    if (n < c->n) at_text_add(html, " ...");
}

at_status at_show_text(const at_job *j, const at_dataset *d, int64_t sample, at_text *html)
{
    (void)j;
    const char *text = d->name(d, sample);
    at_text_add(html, "<q>");
    write_beginning(&(at_cell){text, strlen(text)}, html);
    at_text_add(html, "</q>");
    return AT_OK;
}

/* A bar of a table's cell: a share of the longest. */
static void write_bar(int64_t part, int64_t most, at_text *html)
{
    at_text_printf(html,
                   "<div class=\"range\" aria-hidden=\"true\"><i style=\"left:0;width:%.1f%%\"></i></div>",
                   100.0 * (double)part / (double)at_max(most, 1));
}

static void write_classes(const at_texts *t, const at_text_stats *s, at_text *html)
{
    int64_t most = 0;
    for (int c = 0; c < t->n_classes; c++) most = at_max(most, s->class_texts[c]);
    at_text_add(html, "<div class=\"card scroll\"><table><caption>Classes</caption><thead><tr><th "
                      "scope=\"col\">class</th><th scope=\"col\">texts</th><th scope=\"col\">words</th><th "
                      "scope=\"col\">words a text</th></tr></thead>\n<tbody>");
    for (int c = 0; c < t->n_classes; c++) {
        const int64_t texts = s->class_texts[c], words = s->class_words[c];
        at_text_add(html, "<tr><th scope=\"row\">");
        at_text_html(html, t->classes[c]);
        at_text_printf(html, "</th><td>%lld", (long long)texts);
        write_bar(texts, most, html);
        at_text_printf(html, "</td><td>%lld</td><td>%.1f</td></tr>\n", (long long)words,
                       texts ? (double)words / (double)texts : 0.0);
    }
    at_text_add(html, "</tbody></table></div>\n");
}

/* Bin 0: no words; bin i: 2^(i - 1) to 2^i - 1. */
static void write_lengths(const at_text_stats *s, at_text *html)
{
    int64_t most = 0;
    for (int i = 0; i < AT_TEXT_LENGTHS; i++) most = at_max(most, s->lengths[i]);
    at_text_add(html, "<div class=\"card scroll\"><table><caption>Lengths</caption><thead><tr><th "
                      "scope=\"col\">words</th><th scope=\"col\">texts</th></tr></thead>\n<tbody>");
    for (int i = 0; i < AT_TEXT_LENGTHS; i++) {
        const long long least = i ? 1LL << (i - 1) : 0,
                        last = i == AT_TEXT_LENGTHS - 1
                                   ? (long long)s->longest
                                   : at_min(i ? (1LL << i) - 1 : 0, (long long)s->longest);
        if (!s->lengths[i]) continue;
        if (least >= last)
            at_text_printf(html, "<tr><th scope=\"row\">%lld</th>", least);
        else
            at_text_printf(html, "<tr><th scope=\"row\">%lld to %lld</th>", least, last);
        at_text_printf(html, "<td>%lld", (long long)s->lengths[i]);
        write_bar(s->lengths[i], most, html);
        at_text_add(html, "</td></tr>\n");
    }
    at_text_add(html, "</tbody></table></div>\n");
}

at_status at_report_texts(const at_job *j, const at_texts *t, at_text *html)
{
    at_text_stats s;
    at_arena memory;
    at_arena_init(&memory, j->ctx);
    const at_status status = at_texts_stats(&memory, &s, t);
    if (status == AT_OK) {
        at_text_add(html, "<h3>The texts</h3>\n<p>");
        at_text_html(html, t->table.path);
        at_text_printf(html, ": %lld texts, %lld of them different; %.1f words a text, %lld at most.</p>",
                       (long long)s.texts, (long long)s.distinct,
                       s.texts ? (double)s.words / (double)s.texts : 0.0, (long long)s.longest);
        if (s.class_texts) write_classes(t, &s, html);
        write_lengths(&s, html);
    }
    at_arena_deinit(&memory);
    return status == AT_OK ? at_text_status(html) : status;
}
