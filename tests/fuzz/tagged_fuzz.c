/* tagged_fuzz.c: any bytes as tagged sentences, in every form: words are UTF-8 and lie in their sentence's
 * text where they say, tags are of the classes, and sentences written as CoNLL are read back the same. */
#include "data/tagged.h"
#include "tests/fuzz/fuzz.h"

typedef struct form {
    const char *path;
    at_tagged_options o;
} form;

static void check_text(const char *text, size_t n)
{
    uint32_t code;
    for (size_t i = 0; i < n;) {
        const int width = at_utf8_decode(&code, text + i);
        AT_MUST(width > 0 && code != 0);
        i += (size_t)width;
    }
}

static void check_words(const at_tagged *t, const form *f)
{
    AT_MUST(t->n > 0 && t->start[0] == 0 && t->start[t->n] == t->n_words);
    for (int64_t i = 0; i < t->n; i++) {
        AT_MUST(t->start[i] < t->start[i + 1] && strlen(t->text[i].text) == t->text[i].n);
        for (int64_t k = t->start[i]; k < t->start[i + 1]; k++) {
            const at_cell *w = &t->words[k];
            check_text(w->text, w->n);
            AT_MUST(w->n > 0 && t->place[k] + (int64_t)w->n <= (int64_t)t->text[i].n);
            AT_MUST(memcmp(t->text[i].text + t->place[k], w->text, w->n) == 0);
            AT_MUST(t->line[k] > 0 && (k == 0 || t->line[k] >= t->line[k - 1]));
            AT_MUST(f->o.predicts ? t->tag[k] == -1 : t->tag[k] >= 0 && t->tag[k] < t->n_classes);
        }
    }
}

static bool is_white(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Has a word nothing that would mean something else in a line? */
static bool is_plain(const at_cell *w)
{
    for (size_t i = 0; i < w->n; i++)
        if (strchr("\t\n\r", w->text[i])) return false;
    return !is_white(w->text[0]) && !is_white(w->text[w->n - 1]) &&
           (w->n < 10 || memcmp(w->text, "-DOCSTART-", 10) != 0);
}

static bool can_be_written(const at_tagged *t)
{
    for (int64_t k = 0; k < t->n_words; k++)
        if (!is_plain(&t->words[k])) return false;
    for (int c = 0; c < t->n_classes; c++)
        if (!is_plain(&(at_cell){t->classes[c], strlen(t->classes[c])})) return false;
    return true;
}

static void check_written(const at_tagged *t)
{
    static const at_tagged_options plain = {0};
    at_tagged back;
    at_text out;
    if (!can_be_written(t)) return;
    at_text_init(&out, t->arena.ctx);
    at_text_add(&out, "\n"); /* a byte-order mark behind it is text */
    for (int64_t i = 0; i < t->n; i++) {
        for (int64_t k = t->start[i]; k < t->start[i + 1]; k++) {
            at_text_bytes(&out, t->words[k].text, t->words[k].n);
            at_text_printf(&out, "\t%s\n", t->classes[t->tag[k]]);
        }
        at_text_add(&out, "\n");
    }
    AT_MUST(at_text_status(&out) == AT_OK);
    AT_MUST(at_tagged_parse(t->arena.ctx, &back, out.data, out.size, "back", &plain, NULL) == AT_OK);
    AT_MUST(back.n == t->n && back.n_words == t->n_words && back.n_classes == t->n_classes);
    AT_MUST(memcmp(back.tag, t->tag, (size_t)t->n_words * sizeof *t->tag) == 0);
    at_tagged_deinit(&back);
    at_text_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const classes[] = {"O", "B-X"};
    static const form forms[] = {
        {"a.conll", {0}},
        {"a.conllu", {0}},
        {"a.conll", {.text = "2", .label = "1"}},
        {"a.jsonl", {.tags = "O,B-X"}},
        {"a.txt", {.predicts = true, .classes = classes, .n_classes = 2}},
    };
    for (int i = 0; i < AT_COUNT(forms); i++) {
        at_ctx *ctx = at_fuzz_begin();
        at_tagged t;
        const at_status status =
            at_tagged_parse(ctx, &t, (const char *)data, size, forms[i].path, &forms[i].o, NULL);
        if (status == AT_OK) {
            check_words(&t, &forms[i]);
            if (!forms[i].o.predicts) check_written(&t);
        }
        at_tagged_deinit(&t);
        at_fuzz_end(ctx, status);
    }
    for (int i = 0; i < 2; i++) {
        at_ctx *ctx = at_fuzz_begin();
        at_looks_tagged(ctx, (const char *)data, size, i ? "a.jsonl" : "a.txt"); /* leaves no error */
        at_fuzz_end(ctx, AT_OK);
    }
    return 0;
}
