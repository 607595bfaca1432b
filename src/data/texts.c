/* texts.c: a table of texts as samples: which rows count, what equals what. Layer: data. Reading path:
 * at_texts_read, read_set; columns are chosen in texts_columns.c, classes found in texts_labels.c. */
#include "data/texts.h"
#include "base/pool.h"
#include "base/text.h"
#include "data/texts_internal.h"
#include <stdio.h>

enum { NOTED_ROWS = 5 };

void at__texts_note(const at_texts_options *o, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    if (!o->note) return;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    o->note(o->note_data, text);
}

at_cell at__trim(const at_cell *cell)
{
    at_cell c = *cell;
    while (c.n > 0 && at__is_space(c.text[c.n - 1])) c.n--;
    for (; c.n > 0 && at__is_space(*c.text); c.n--) c.text++;
    return c;
}

/* ---- Rows that count ---- */

static bool is_empty(const at_texts *t, int64_t row, int column)
{
    return column >= 0 && at__trim(at_table_cell(&t->table, row, column)).n == 0;
}

/* What a row lacks; NULL = nothing. */
static const char *lack(const at_texts *t, int64_t row)
{
    const bool needs_label = t->target == AT_TEXTS_CLASS || t->target == AT_TEXTS_NUMBER;
    if (is_empty(t, row, t->text_column)) return "text";
    if (is_empty(t, row, t->pair_column)) return "second text";
    if (is_empty(t, row, t->negative_column)) return "negative";
    return needs_label && is_empty(t, row, t->label_column) ? "label" : NULL;
}

static at_status take_rows(at_texts *t, const at_texts_options *o)
{
    const at_table *table = &t->table;
    t->samples = at_arena_alloc(&t->arena, (size_t)table->n_rows * sizeof *t->samples);
    if (!t->samples) return AT_E_NOMEM;
    for (int64_t row = 0; row < table->n_rows; row++) {
        const char *what = o->keep_empty ? NULL : lack(t, row);
        AT_REQUIRE(t->arena.ctx, !what || o->skip_corrupt, AT_E_FORMAT,
                   "%s:%lld: the %s is empty; fill it in or remove the row, or set data.corrupt skip",
                   table->path, (long long)table->line[row], what);
        if (!what)
            t->samples[t->n++] = (at_text_sample){.row = row};
        else if (++t->skipped <= NOTED_ROWS)
            at__texts_note(o, "skipped: %s:%lld: the %s is empty", table->path, (long long)table->line[row],
                           what);
    }
    if (t->skipped)
        at__texts_note(o, "%lld of %lld rows of %s have an empty text or label and are left out",
                       (long long)t->skipped, (long long)table->n_rows, table->path);
    AT_REQUIRE(t->arena.ctx, t->n > 0, AT_E_FORMAT, "%s: every row has an empty text or label", table->path);
    return AT_OK;
}

/* ---- What is equal ---- */

void at__digest_text(at_digest *d, const at_cell *cell)
{
    char buffer[512];
    size_t n = 0;
    const at_cell c = at__trim(cell);
    for (size_t i = 0; i < c.n; i++) {
        const char x = c.text[i];
        if (at__is_space(x) && at__is_space(c.text[i - 1])) continue; /* the first is none */
        buffer[n++] = at__is_space(x) ? ' ' : x >= 'A' && x <= 'Z' ? (char)(x - 'A' + 'a') : x;
        if (n < sizeof buffer) continue;
        at_digest_add(d, buffer, n);
        n = 0;
    }
    at_digest_add(d, buffer, n);
}

typedef struct hashing {
    const at_texts *t;
    uint8_t (*digest)[AT_DIGEST_BYTES]; /* of each sample */
} hashing;

enum { HASHED = 64 }; /* samples a task */

static void hash_task(void *arg, int64_t task, int thread)
{
    (void)thread;
    const hashing *h = arg;
    const at_texts *t = h->t;
    for (int64_t i = task * HASHED; i < at_min(t->n, (task + 1) * HASHED); i++) {
        at_digest d;
        at_digest_init(&d);
        at__digest_text(&d, at_texts_text(t, i));
        if (t->pair_column >= 0) {
            at_digest_add(&d, "\n", 1); /* no text has one behind the white space that is taken out */
            at__digest_text(&d, at_texts_pair(t, i));
        }
        at_digest_end(&d, h->digest[i]);
    }
}

static at_status hash_texts(at_texts *t)
{
    at_contents c = {.n = t->n,
                     .n_labels = t->target == AT_TEXTS_CLASS ? t->n_classes
                                 : t->target == AT_TEXTS_SET ? t->n_classes + 1
                                                             : 1,
                     .source = t->table.path,
                     .noun = "text",
                     .holder = "file",
                     .classes = t->target == AT_TEXTS_CLASS ? t->classes : NULL};
    hashing h = {t, at_arena_alloc(&t->arena, (size_t)t->n * sizeof *h.digest)};
    c.items = at_arena_alloc(&t->arena, (size_t)t->n * sizeof *c.items);
    if (!h.digest || !c.items) return AT_E_NOMEM;
    at_parallel_for(t->arena.ctx->pool, at_ceil_div(t->n, HASHED), hash_task, &h);
    for (int64_t i = 0; i < t->n; i++) c.items[i] = (at_content){t->samples[i].label, h.digest[i]};
    AT_TRY(at_contents_sort(&t->arena, &c));
    t->contents = c;
    return AT_OK;
}

/* ---- Texts with different labels ---- */

static bool same_label(const at_texts *t, int64_t a, int64_t b)
{
    if (t->target == AT_TEXTS_NUMBER) return t->samples[a].number == t->samples[b].number;
    if (t->target != AT_TEXTS_SET) return t->samples[a].label == t->samples[b].label;
    const int64_t n = t->set_start[a + 1] - t->set_start[a], m = t->set_start[b + 1] - t->set_start[b];
    const int32_t *x = &t->set[t->set_start[a]], *y = &t->set[t->set_start[b]];
    return n == m && memcmp(x, y, (size_t)n * sizeof *x) == 0;
}

at_text_conflicts at_texts_conflicts(const at_texts *t)
{
    const at_contents *c = &t->contents;
    at_text_conflicts out = {.first = -1, .opposite = -1};
    for (int64_t i = 0, n; i < c->n; i += n) {
        n = at_contents_run(c, i);
        const int64_t first = c->by_digest[i].item; /* equal ones come in their order */
        int64_t k = 1;
        while (k < n && same_label(t, first, c->by_digest[i + k].item)) k++;
        if (k == n) continue;
        out.texts++;
        out.samples += n;
        if (out.first >= 0 && first > out.first) continue;
        out.first = first;
        out.opposite = c->by_digest[i + k].item;
    }
    return out;
}

static void note_conflicts(const at_texts *t, const at_texts_options *o)
{
    if (t->target == AT_TEXTS_NONE) return;
    const at_text_conflicts c = at_texts_conflicts(t);
    if (!c.texts) return;
    const at_cell a = at__trim(at_texts_cell(t, c.first, t->label_column)),
                  b = at__trim(at_texts_cell(t, c.opposite, t->label_column));
    at__texts_note(
        o,
        "%s: %lld text%s, in %lld rows, with different labels, such as that of line %lld (%.*s) and "
        "line %lld "
        "(%.*s)",
        t->table.path, (long long)c.texts, c.texts == 1 ? "" : "s", (long long)c.samples,
        (long long)at_texts_line(t, c.first), (int)at_min((int64_t)a.n, 80), a.text,
        (long long)at_texts_line(t, c.opposite), (int)at_min((int64_t)b.n, 80), b.text);
}

/* ---- The whole ---- */

static at_status read_set(at_texts *t, const char *path, const at_texts_options *o, const at_texts *like)
{
    at_ctx *ctx = t->arena.ctx;
    AT_TRY(at_table_read(ctx, &t->table, path, &o->table));
    AT_TRY(at__choose_columns(t, o, like));
    AT_TRY(take_rows(t, o));
    AT_TRY(at__read_labels(t, o, like));
    AT_TRY(hash_texts(t));
    note_conflicts(t, o);
    return AT_OK;
}

at_status at_texts_read(at_ctx *ctx, at_texts *out, const char *path, const at_texts_options *o,
                        const at_texts *like)
{
    *out = (at_texts){0};
    at_texts t = {.target = o->target,
                  .pairs = o->pairs,
                  .label_column = -1,
                  .text_column = -1,
                  .pair_column = -1,
                  .negative_column = -1};
    at_arena_init(&t.arena, ctx);
    const at_status status = read_set(&t, path, o, like);
    if (status == AT_OK)
        *out = t;
    else
        at_texts_deinit(&t);
    return status;
}

void at_texts_deinit(at_texts *t)
{
    at_table_deinit(&t->table);
    at_arena_deinit(&t->arena);
    *t = (at_texts){0};
}

at_status at_texts_find_column(at_ctx *ctx, int *out, const at_texts *t, const char *name, const char *key)
{
    return at_table_find(ctx, out, &t->table, name, key);
}

int64_t at_texts_duplicates(const at_texts *a, const at_texts *b,
                            void (*report)(void *data, int64_t sample_a, int64_t sample_b), void *data)
{
    return at_contents_duplicates(&a->contents, &b->contents, report, data);
}

/* ---- Statistics ---- */

static int64_t count_words(const at_cell *cell)
{
    int64_t words = 0;
    bool space = true;
    for (size_t i = 0; i < cell->n; i++) {
        const bool was = space;
        space = at__is_space(cell->text[i]);
        words += was && !space;
    }
    return words;
}

/* The bucket of a length: 0, 1, 2 to 3, 4 to 7 ... */
static int bucket(int64_t words)
{
    int b = 0;
    for (; words && b < AT_TEXT_LENGTHS - 1; words >>= 1) b++;
    return b;
}

static void count_class(const at_texts *t, at_text_stats *s, int64_t sample, int64_t words)
{
    const bool set = t->target == AT_TEXTS_SET;
    const int32_t *list = set ? &t->set[t->set_start[sample]] : &t->samples[sample].label;
    const int64_t n = set ? t->set_start[sample + 1] - t->set_start[sample] : 1;
    for (int64_t i = 0; i < n; i++) {
        s->class_texts[list[i]]++;
        s->class_words[list[i]] += words;
    }
}

at_status at_texts_stats(at_arena *arena, at_text_stats *out, const at_texts *t)
{
    at_text_stats s = {.texts = t->n};
    if (t->n_classes) {
        s.class_texts = at_arena_alloc(arena, (size_t)t->n_classes * sizeof *s.class_texts);
        s.class_words = at_arena_alloc(arena, (size_t)t->n_classes * sizeof *s.class_words);
        if (!s.class_texts || !s.class_words) return AT_E_NOMEM;
    }
    for (int64_t i = 0; i < t->n; i++) {
        const at_cell *pair = at_texts_pair(t, i), *text = at_texts_text(t, i);
        const int64_t words = count_words(text) + (pair ? count_words(pair) : 0);
        s.words += words;
        s.bytes += (int64_t)(text->n + (pair ? pair->n : 0));
        s.longest = at_max(s.longest, words);
        s.lengths[bucket(words)]++;
        if (t->n_classes) count_class(t, &s, i, words);
    }
    for (int64_t i = 0; i < t->n; i += at_contents_run(&t->contents, i)) s.distinct++;
    *out = s;
    return AT_OK;
}
