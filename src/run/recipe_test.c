/* recipe_test.c: which of several sources of a setting wins, and what a complete recipe is. */
#include "run/recipe.h"
#include "run/settings.h"
#include "tests/harness/test.h"
#include <stdio.h>

typedef struct scene {
    at_ctx *ctx;
    at_recipe *r;
} scene;

static void open(scene *s)
{
    s->ctx = at_test_ctx();
    at_expect_ok(s->ctx, at_recipe_create(&s->r, s->ctx));
}

static void close(scene *s)
{
    at_recipe_destroy(s->r);
    at_test_done(s->ctx);
}

static void load(scene *s, const char *text)
{
    char folder[1024], path[1100];
    at_test_folder(folder, "recipe-unit");
    snprintf(path, sizeof path, "%s/r.yaml", folder);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    at_expect_ok(s->ctx, at_recipe_load(s->r, path));
}

static at_train_settings train_of(scene *s)
{
    at_train_settings t;
    at_expect_ok(s->ctx, at_recipe_read(s->r, &at_options_train, &t));
    return t;
}

AT_TEST(test_recipe__flag_over_file_over_method_over_default)
{
    scene s;
    const at_tree *edits;
    open(&s);
    assert_int_equal(train_of(&s).epochs, 15);
    assert_true(train_of(&s).learning_rate == 1e-4);
    at_expect_ok(s.ctx, at_recipe_apply_method(s.r, "head", "image", &edits));
    assert_int_equal(train_of(&s).epochs, 50);
    assert_true(train_of(&s).learning_rate == 1e-3);
    load(&s, "train: { epochs: 7 }\n");
    assert_int_equal(train_of(&s).epochs, 7);
    assert_true(train_of(&s).learning_rate == 1e-3);
    at_expect_ok(s.ctx, at_recipe_set(s.r, "train.epochs", "8"));
    at_expect_ok(s.ctx, at_recipe_set(s.r, "num_train_epochs", "9")); /* of two flags the later */
    load(&s, "num_train_epochs: 10\n");                               /* a file after flags does not win */
    assert_int_equal(train_of(&s).epochs, 9);
    at_expect_ok(s.ctx, at_recipe_set(s.r, "train.epochs", "null")); /* as if absent there */
    assert_int_equal(train_of(&s).epochs, 9);
    close(&s);
}

AT_TEST(test_recipe__a_new_run_forgets_what_the_last_decided)
{
    scene s;
    const at_tree *edits;
    open(&s);
    at_expect_ok(s.ctx, at_recipe_set(s.r, "train.clip", "3"));
    at_expect_ok(s.ctx, at_recipe_apply_method(s.r, "head", "image", &edits));
    at_expect_ok(s.ctx, at_recipe_decide(s.r, "train.batch_size", at_tree_whole(&s.r->arena, 16)));
    assert_int_equal(train_of(&s).batch_size, 16);
    at_recipe_begin(s.r);
    const at_train_settings t = train_of(&s);
    assert_int_equal(t.batch_size, -1);
    assert_int_equal(t.epochs, 15);
    assert_true(t.clip == 3);
    close(&s);
}

AT_TEST(test_recipe__names_where_a_value_came_from)
{
    scene s;
    open(&s);
    load(&s, "\nseed: 3\n");
    assert_non_null(strstr(at_recipe_where(s.r, "seed"), "r.yaml:2: seed"));
    at_expect_ok(s.ctx, at_recipe_set(s.r, "seed", "4"));
    assert_string_equal(at_recipe_where(s.r, "seed"), "--seed: seed");
    assert_string_equal(at_recipe_where(s.r, "task"), "task");
    close(&s);
}

AT_TEST(test_recipe__texts_of_flags_are_taken_as_they_are)
{
    static const char *const texts[] = {"photos #2", "[old]", "a: b", "~", "12", "true", "{x", "- y", " z "};
    scene s;
    at_general g;
    open(&s);
    for (int i = 0; i < AT_COUNT(texts); i++) {
        at_expect_ok(s.ctx, at_recipe_set(s.r, "output", texts[i]));
        at_expect_ok(s.ctx, at_recipe_read(s.r, &at_options_general, &g));
        assert_string_equal(g.output, texts[i]);
    }
    close(&s);
}

AT_TEST(test_recipe__dashes_and_underscores_are_one)
{
    scene s;
    open(&s);
    at_expect_ok(s.ctx, at_recipe_set(s.r, "train.batch-size", "3"));
    at_expect_ok(s.ctx, at_recipe_set(s.r, "image-classification.label_smoothing", "0.5"));
    at_expect_ok(s.ctx, at_recipe_set(s.r, "image_classification.class-weights", "balanced"));
    assert_int_equal(train_of(&s).batch_size, 3);
    assert_true(at_recipe_is_set(s.r, "image-classification.class_weights"));
    close(&s);
}

AT_TEST(test_recipe__sections_and_structures_of_a_file)
{
    scene s;
    at_general g;
    at_data_options d;
    open(&s);
    load(&s, "data: { train: a, valid: 10% }\nmethod: [ { train: head } ]\nedits:\n  - freeze: stem\n");
    at_expect_ok(s.ctx, at_recipe_read(s.r, &at_options_data, &d));
    at_expect_ok(s.ctx, at_recipe_read(s.r, &at_options_general, &g));
    assert_string_equal(d.train, "a");
    assert_string_equal(d.valid, "10%");
    assert_null(d.test);
    assert_int_equal(g.method->kind, AT_LIST);
    assert_int_equal(g.edits->n, 1);
    close(&s);
    open(&s);
    load(&s, "data: photos\n"); /* as other tools have it */
    at_expect_ok(s.ctx, at_recipe_read(s.r, &at_options_data, &d));
    assert_string_equal(d.train, "photos");
    close(&s);
}

static void expect_unread(scene *s, const char *const *keys, int n)
{
    const at_setting *t = NULL;
    for (int i = 0; i < n; i++) {
        assert_non_null(t = at_recipe_next_unread(s->r, t));
        assert_string_equal(t->key, keys[i]);
    }
    assert_null(at_recipe_next_unread(s->r, t));
}

/* Newest first; no default, nothing of a method, nothing that is absent. */
AT_TEST(test_recipe__tells_what_nothing_has_read)
{
    static const char *const keys[] = {"data.delimiter", "data.encoding"}, *const all[] = {"data.delimiter",
                                                                                           "data.valid",
                                                                                           "data.encoding"};
    scene s;
    at_data_options d;
    const at_tree *edits;
    open(&s);
    load(&s, "data: { header: auto, encoding: latin-1 }\nlora: { r: null }\n");
    at_expect_ok(s.ctx, at_recipe_set(s.r, "data.valid", "10%"));
    at_expect_ok(s.ctx, at_recipe_set(s.r, "data.delimiter", ";"));
    at_expect_ok(s.ctx, at_recipe_apply_method(s.r, "head", "image", &edits));
    at_expect_ok(s.ctx, at_recipe_read(s.r, &at_options_data, &d));
    expect_unread(&s, keys, AT_COUNT(keys));
    at_recipe_begin(s.r); /* another run has read nothing yet */
    expect_unread(&s, all, AT_COUNT(all));
    close(&s);
}

/* Written and read again it differs in nothing, whichever source the values came from. */
AT_TEST(test_recipe__a_complete_recipe_reads_back_equal)
{
    scene a, b;
    at_tree *whole, *again;
    at_text yaml;
    open(&a);
    at_expect_ok(a.ctx, at_recipe_set(a.r, "train.warmup", "10"));
    at_expect_ok(a.ctx, at_recipe_set(a.r, "train.learning_rate", "1"));
    at_expect_ok(a.ctx, at_recipe_set(a.r, "data.train", "12"));
    at_expect_ok(a.ctx, at_recipe_set(a.r, "edits", "[{lr: {\"stem*\": 0.1}}]"));
    at_expect_ok(a.ctx, at_recipe_set(a.r, "output", "somewhere"));
    at_expect_ok(a.ctx, at_recipe_tree(a.r, &whole));
    at_text_init(&yaml, a.ctx);
    at_yaml_write(&yaml, whole);
    assert_null(strstr(yaml.data, "somewhere")); /* belongs to the call */
    open(&b);
    load(&b, yaml.data);
    at_expect_ok(b.ctx, at_recipe_tree(b.r, &again));
    assert_null(at_recipe_difference(b.r, whole, again));
    at_expect_ok(b.ctx, at_recipe_set(b.r, "threads", "3"));
    at_expect_ok(b.ctx, at_recipe_tree(b.r, &again));
    assert_null(at_recipe_difference(b.r, whole, again)); /* may change */
    at_expect_ok(b.ctx, at_recipe_set(b.r, "edits", "[{lr: {\"stem*\": 0.2}}]"));
    at_expect_ok(b.ctx, at_recipe_tree(b.r, &again));
    assert_string_equal(at_recipe_difference(b.r, whole, again), "edits");
    at_text_deinit(&yaml);
    close(&b);
    close(&a);
}
