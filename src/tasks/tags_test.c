/* tags_test.c: entities and their scores against seqeval (tags_golden.py); which tags are entities' at all.
 */
#include "formats/tree.h"
#include "tasks/tags.h"
#include "tests/harness/test.h"
#include <math.h>
#include <stdio.h>

enum { MOST_TAGS = 24, MOST_WORDS = 64, MOST_TYPES = 8 };

typedef struct tagset {
    const char *names[MOST_TAGS];
    int n;
    at_tags tags;
    at_entity_counts by_type[MOST_TYPES];
} tagset;

static int32_t number_of(tagset *t, at_arena *a, const char *name, size_t n)
{
    for (int i = 0; i < t->n; i++)
        if (strlen(t->names[i]) == n && memcmp(t->names[i], name, n) == 0) return i;
    assert_true(t->n < MOST_TAGS);
    t->names[t->n] = at_arena_printf(a, "%.*s", (int)n, name);
    return t->n++;
}

/* "O B-PER" -> numbers; tags that are new get the next one. */
static int64_t read_tags(tagset *t, at_arena *a, const char *text, int32_t *out)
{
    int64_t n = 0;
    while (*text) {
        const size_t width = strcspn(text, " ");
        assert_true(n < MOST_WORDS);
        out[n++] = number_of(t, a, text, width);
        text += width + (text[width] == ' ');
    }
    return n;
}

static void expect_near(double got, double want, const char *what)
{
    if (!(fabs(got - want) < 1e-12)) fail_msg("%s is %.12g, must be %.12g", what, got, want);
}

static void expect_scores(const at_entity_counts *c, const double want[3], const char *what)
{
    const at_entity_scores s = at_entities_score(c);
    expect_near(s.precision, want[0], what);
    expect_near(s.recall, want[1], what);
    expect_near(s.f1, want[2], what);
}

static void count_sentences(tagset *t, at_arena *a, const at_tree *c)
{
    int32_t truth[MOST_WORDS], said[MOST_WORDS];
    const at_tree *z = at_tree_get(c, "said")->first;
    for (const at_tree *y = at_tree_get(c, "truth")->first; y; y = y->next, z = z->next) {
        const int64_t n = read_tags(t, a, y->text, truth);
        assert_int_equal(read_tags(t, a, z->text, said), n);
        if (t->tags.list) at_entities_count(&t->tags, t->by_type, truth, said, n);
    }
}

static void check_types(const tagset *t, const at_tree *types, at_entity_counts *all)
{
    int support = 0;
    for (int i = 0; i < t->tags.n_types; i++) {
        const at_entity_counts *c = &t->by_type[i];
        const at_tree *want = at_tree_get(types, t->tags.types[i]);
        all->truly += c->truly, all->said += c->said, all->right += c->right;
        if (!want) { /* seqeval leaves out types without an entity */
            assert_true(c->truly == 0 && c->said == 0);
            continue;
        }
        const at_tree *p = want->first, *r = p->next, *f = r->next;
        expect_scores(c, (const double[]){p->number, r->number, f->number}, t->tags.types[i]);
        assert_int_equal(c->truly, f->next->whole);
        support++;
    }
    assert_int_equal(support, types->n);
}

static void check_case(at_arena *a, const at_tree *c)
{
    tagset t = {.n = 0};
    at_entity_counts all = {0};
    count_sentences(&t, a, c); /* to learn the tags */
    at_expect_ok(a->ctx, at_tags_init(a, &t.tags, t.names, t.n));
    assert_true(t.tags.n_types <= MOST_TYPES);
    count_sentences(&t, a, c);
    check_types(&t, at_tree_get(c, "types"), &all);
    expect_scores(&all,
                  (const double[]){at_tree_get(c, "precision")->number, at_tree_get(c, "recall")->number,
                                   at_tree_get(c, "f1")->number},
                  at_tree_get(c, "truth")->first->text);
}

AT_TEST(test_tags__scores_equal_seqeval)
{
    at_ctx *ctx = at_test_ctx();
    at_arena a;
    at_tree *golden;
    at_arena_init(&a, ctx);
    at_expect_ok(ctx, at_tree_read(&a, &golden, AT_SOURCE_DIR "/src/tasks/tags_golden.json"));
    assert_true(golden->n >= 20);
    for (const at_tree *c = golden->first; c; c = c->next) check_case(&a, c);
    at_arena_deinit(&a);
    at_test_done(ctx);
}

/* -1 is a word that has no prediction. */
AT_TEST(test_tags__a_word_without_a_prediction_is_outside)
{
    static const char *const names[] = {"B-X", "I-X"};
    static const int32_t tag[] = {0, 1, -1, 1, 1};
    at_ctx *ctx = at_test_ctx();
    at_arena a;
    at_tags t;
    at_entity e;
    at_arena_init(&a, ctx);
    at_expect_ok(ctx, at_tags_init(&a, &t, names, 2));
    assert_true(at_entity_next(&t, tag, 5, 0, &e));
    assert_true(e.first == 0 && e.end == 2 && e.type == 0);
    assert_true(at_entity_next(&t, tag, 5, e.end, &e));
    assert_true(e.first == 3 && e.end == 5);
    assert_false(at_entity_next(&t, tag, 5, e.end, &e));
    at_arena_deinit(&a);
    at_test_done(ctx);
}

AT_TEST(test_tags__parts_of_speech_are_no_entities)
{
    static const char *const speech[] = {"NOUN", "O", "B-X"}, *const types[] = {"O", "I-B", "B-B", "B-A"};
    at_ctx *ctx = at_test_ctx();
    at_arena a;
    at_tags t;
    int32_t *inside;
    at_arena_init(&a, ctx);
    at_expect_ok(ctx, at_tags_init(&a, &t, speech, 3));
    assert_true(!t.list && t.n_types == 0 && t.outside == 1);
    at_expect_ok(ctx, at_tags_init(&a, &t, types, 4));
    assert_true(t.list && t.n_types == 2 && t.outside == 0);
    assert_string_equal(t.types[0], "A");
    at_expect_ok(ctx, at_tags_inside(&a, &inside, types, 4)); /* there is no I-A */
    assert_true(inside[0] == 0 && inside[1] == 1 && inside[2] == 1 && inside[3] == 3);
    at_arena_deinit(&a);
    at_test_done(ctx);
}
