/* tokenizer_test.c: every kind against Hugging Face's `tokenizers` (golden.py), and what is refused. */
#include "formats/file.h"
#include "formats/tree.h"
#include "tests/harness/scene.h"
#include "tests/harness/test.h"
#include "tests/harness/torture.h"
#include "text/tokenizer.h"
#include <stdio.h>

static at_tokenizer *open_text(at_ctx *ctx, const char *tokenizer_json)
{
    char folder[1024];
    at_tokenizer *t;
    at_test_folder(folder, "tokenizer");
    at_put_text(folder, "tokenizer.json", tokenizer_json);
    at_expect_ok(ctx, at_tokenizer_open(&t, ctx, folder));
    return t;
}

/* ---- Goldens ---- */

static bool same_numbers(const at_tree *want, const int32_t *got, int64_t n, int64_t stride)
{
    const at_tree *c = want->first;
    for (int64_t i = 0; i < n; i++, c = c->next)
        if (!c || c->whole != got[i * stride]) return false;
    return c == NULL;
}

static bool same_spans(const at_tree *want, const at_encoding *e)
{
    const at_tree *c = want->first;
    for (int64_t i = 0; i < e->n; i++, c = c->next->next)
        if (!c || !c->next || c->whole != e->spans[i].first || c->next->whole != e->spans[i].end)
            return false;
    return c == NULL;
}

static const char *difference(const at_tree *want, const at_encoding *e)
{
    static const at_token_span none;
    const at_token_span *spans = e->n ? e->spans : &none;
    if (!same_numbers(at_tree_get(want, "ids"), e->ids, e->n, 1)) return "ids";
    if (!same_numbers(at_tree_get(want, "type_ids"), e->type_ids, e->n, 1)) return "type_ids";
    if (!same_spans(at_tree_get(want, "spans"), e)) return "spans";
    if (!same_numbers(at_tree_get(want, "words"), &spans->word, e->n, 4)) return "words";
    return same_numbers(at_tree_get(want, "sequences"), &spans->sequence, e->n, 4) ? NULL : "sequences";
}

static void print_numbers(const char *name, const at_tree *list)
{
    printf("%s:", name);
    for (const at_tree *c = list->first; c; c = c->next) printf(" %lld", (long long)c->whole);
    printf("\n");
}

static void print_both(const at_tree *want, const at_encoding *e, const at_tokenizer *t)
{
    for (const at_tree *c = want->first; c; c = c->next)
        if (c->kind == AT_LIST) print_numbers(c->key, c);
    printf("got:");
    for (int64_t i = 0; i < e->n; i++)
        printf(" %d \"%s\" type %d bytes %d-%d word %d sequence %d;", e->ids[i],
               at_tokenizer_token(t, e->ids[i]), e->type_ids[i], e->spans[i].first, e->spans[i].end,
               e->spans[i].word, e->spans[i].sequence);
    printf("\n");
}

static bool check_encoding(at_ctx *ctx, const at_tokenizer *t, at_encoding *e, const at_tree *want,
                           const char *name)
{
    const char *text = at_tree_get(want, "text")->text;
    const at_tree *pair = at_tree_get(want, "pair"), *most = at_tree_get(want, "max_length");
    const bool special = !at_tree_get(want, "special");
    const size_t n_pair = pair ? strlen(pair->text) : 0;
    at_expect_ok(ctx, at_tokenizer_encode(ctx, t, e, text, strlen(text), pair ? pair->text : NULL, n_pair,
                                          most ? most->whole : 0, special));
    const char *what = difference(want, e);
    if (!what) return true;
    printf("%s: \"%s\", \"%s\": %s differ\n", name, text, pair ? pair->text : "", what);
    print_both(want, e, t);
    return false;
}

static int check_case(at_ctx *ctx, const at_tree *c, at_encoding *e, int *n_encodings)
{
    const char *name = at_tree_get(c, "name")->text;
    at_tokenizer *t = open_text(ctx, at_tree_get(c, "tokenizer")->text);
    int wrong = 0;
    for (const at_tree *want = at_tree_get(c, "encodings")->first; want; want = want->next, ++*n_encodings)
        wrong += !check_encoding(ctx, t, e, want, name);
    at_tokenizer_close(ctx, t);
    return wrong;
}

static void check_cases(const char *begin, int least)
{
    at_ctx *ctx = at_test_ctx();
    at_arena a;
    at_arena_init(&a, ctx);
    at_tree *golden;
    at_encoding e = {0};
    int wrong = 0, n_encodings = 0;
    at_expect_ok(ctx, at_tree_read(&a, &golden, AT_SOURCE_DIR "/src/text/golden.json"));
    for (const at_tree *c = golden->first; c; c = c->next)
        if (strncmp(at_tree_get(c, "name")->text, begin, strlen(begin)) == 0)
            wrong += check_case(ctx, c, &e, &n_encodings);
    assert_int_equal(wrong, 0);
    assert_true(n_encodings >= least);
    at_encoding_deinit(ctx, &e);
    at_arena_deinit(&a);
    at_test_done(ctx);
}

/* ---- Words that are cut already ---- */

enum { MOST_WORDS = 8 };

static bool words_differ(at_ctx *ctx, const at_tokenizer *t, const at_tree *want, at_encoding *e)
{
    static const at_token_span none;
    at_cell words[MOST_WORDS];
    int n = 0;
    for (const at_tree *c = at_tree_get(want, "words")->first; c; c = c->next)
        words[n++] = (at_cell){c->text, strlen(c->text)};
    at_expect_ok(
        ctx, at_tokenizer_encode_words(ctx, t, e, words, n, at_tree_get(want, "max_length")->whole, true));
    const at_token_span *spans = e->n ? e->spans : &none;
    return !same_numbers(at_tree_get(want, "ids"), e->ids, e->n, 1) ||
           !same_numbers(at_tree_get(want, "type_ids"), e->type_ids, e->n, 1) ||
           !same_numbers(at_tree_get(want, "of"), &spans->word, e->n, 4);
}

AT_TEST(test_tokenizer__words_match_the_library)
{
    at_ctx *ctx = at_test_ctx();
    at_arena a;
    at_arena_init(&a, ctx);
    at_tree *cases, *golden;
    at_encoding e = {0};
    int wrong = 0, checked = 0;
    at_expect_ok(ctx, at_tree_read(&a, &cases, AT_SOURCE_DIR "/src/text/golden.json"));
    at_expect_ok(ctx, at_tree_read(&a, &golden, AT_SOURCE_DIR "/src/text/golden_words.json"));
    for (const at_tree *c = golden->first; c; c = c->next) {
        at_tokenizer *t = open_text(ctx, at_tree_get(at_tree_get(cases, c->key), "tokenizer")->text);
        for (const at_tree *x = c->first; x; x = x->next, checked++) {
            if (!words_differ(ctx, t, x, &e)) continue;
            printf("%s: %s ...\n", c->key, at_tree_get(x, "words")->first->text);
            wrong++;
        }
        at_tokenizer_close(ctx, t);
    }
    assert_int_equal(wrong, 0);
    assert_true(checked >= 100);
    at_encoding_deinit(ctx, &e);
    at_arena_deinit(&a);
    at_test_done(ctx);
}

AT_TEST(test_tokenizer__normalizers_match_the_library)
{
    check_cases("normalizer", 100);
}

AT_TEST(test_tokenizer__pre_tokenizers_match_the_library)
{
    check_cases("pre-tokenizer", 100);
}

AT_TEST(test_tokenizer__post_processors_and_truncation_match_the_library)
{
    check_cases("post-processor", 100);
}

AT_TEST(test_tokenizer__added_tokens_match_the_library)
{
    check_cases("added", 10);
}

AT_TEST(test_tokenizer__bpe_matches_the_library)
{
    check_cases("bpe", 100);
}

AT_TEST(test_tokenizer__unigram_matches_the_library)
{
    check_cases("unigram", 50);
}

AT_TEST(test_tokenizer__words_too_long_are_unknown)
{
    check_cases("words too long", 5);
}

/* ---- Many merges ---- */

enum { LETTERS = 26, PAIRS = LETTERS * LETTERS };

/* Ids of pairs: in the order of the merges, but the second half of them backwards. */
static int32_t id_of_pair(int32_t i)
{
    return LETTERS + (i < PAIRS / 2 ? i : PAIRS - 1 - (i - PAIRS / 2));
}

static void put_pairs(at_text *json, bool strings)
{
    at_text_add(json, "{\"model\": {\"type\": \"BPE\", \"vocab\": {");
    for (int i = 0; i < LETTERS; i++) at_text_printf(json, "\"%c\": %d, ", 'a' + i, i);
    for (int i = 0; i < PAIRS; i++)
        at_text_printf(json, "%s\"%c%c\": %d", i ? ", " : "", 'a' + i / LETTERS, 'a' + i % LETTERS,
                       id_of_pair(i));
    at_text_add(json, "}, \"merges\": [");
    for (int i = 0; i < PAIRS; i++)
        at_text_printf(json, "%s%s%c%s%c%s", i ? ", " : "", strings ? "[\"" : "\"", 'a' + i / LETTERS,
                       strings ? "\", \"" : " ", 'a' + i % LETTERS, strings ? "\"]" : "\"");
    at_text_add(json, "]}}");
}

AT_TEST(test_tokenizer__merges_of_any_number_in_any_order)
{
    at_ctx *ctx = at_test_ctx();
    for (int strings = 0; strings < 2; strings++) {
        at_text json;
        at_encoding e = {0};
        at_text_init(&json, ctx);
        put_pairs(&json, strings);
        at_tokenizer *t = open_text(ctx, json.data);
        for (int i = 0; i < PAIRS; i++) {
            const char word[] = {(char)('a' + i / LETTERS), (char)('a' + i % LETTERS)};
            at_expect_ok(ctx, at_tokenizer_encode(ctx, t, &e, word, 2, NULL, 0, 0, false));
            assert_int_equal(e.n, 1);
            assert_int_equal(e.ids[0], id_of_pair(i));
        }
        at_encoding_deinit(ctx, &e);
        at_tokenizer_close(ctx, t);
        at_text_deinit(&json);
    }
    at_test_done(ctx);
}
