/* ladder_test.c: `attune train --ladder`: its rungs are whole runs, its table agrees with them, and what it
 * refuses. */
#include "tests/harness/program.h"
#include "tests/harness/scene.h"
#include "tests/harness/test.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* full learns what the words mean, head cannot: the best rung is in the middle. */
#define LADDER                                                                                               \
    "train bert films.tsv --output runs --ladder=full,head --train.epochs 30 --train.learning_rate 1e-2 "    \
    "--train.head_learning_rate 1e-2 --precision f32 --data.valid 25%% --data.test 25%%"

static double number(const at_tree *t, const char *key)
{
    const at_tree *x = at_tree_at(t, key);
    if (!x || (x->kind != AT_NUMBER && x->kind != AT_WHOLE)) fail_msg("%s is no number", key);
    return x->number;
}

static const char *text(const at_tree *t, const char *key)
{
    const at_tree *x = at_tree_at(t, key);
    if (!x || x->kind != AT_STRING) fail_msg("%s is no text", key);
    return x->text;
}

static const at_tree *rung(const at_tree *ladder, int index)
{
    const at_tree *t = at_tree_get(ladder, "rungs")->first;
    while (t && index-- > 0) t = t->next;
    if (!t) fail_msg("a rung is missing");
    return t;
}

static const at_tree *climb(at_arena *a, const char *folder, const char *options, const at_tree **lines)
{
    at_output o;
    at_attune(&o, folder, LADDER " --json %s", options);
    if (o.code != 0) fail_msg("exit code %d: %s", o.code, o.err);
    *lines = at_json_lines(a, o.out);
    const at_tree *ladder = at_event_named(*lines, "ladder", 0);
    assert_non_null(ladder);
    at_output_free(&o);
    return ladder;
}

/* Of two classes alike, the commonest answer is right every other time. */
static void expect_commonest(const at_tree *ladder)
{
    const at_tree *first = rung(ladder, 0);
    assert_string_equal(text(first, "method"), "commonest");
    assert_true(fabs(number(first, "valid.accuracy") - 0.5) < 0.1);
    assert_true(number(first, "valid.balanced_accuracy") == 0.5);
    assert_true(number(first, "trainable_parameters") == 0);
    assert_true(number(first, "gain") == 0);
}

/* Each rung's scores are its run's, and its gain is over the best before. */
static void expect_rungs(at_ctx *ctx, at_arena *a, const char *folder, const at_tree *ladder)
{
    static const char *const methods[] = {"full", "head"};
    double best = number(rung(ladder, 0), "valid.accuracy");
    const char *winner = "commonest";
    assert_int_equal(at_tree_get(ladder, "rungs")->n, 3);
    for (int i = 0; i < AT_COUNT(methods); i++) {
        const at_tree *g = rung(ladder, i + 1);
        char path[1400];
        at_tree *result;
        snprintf(path, sizeof path, "%s/runs/%s/result.json", folder, methods[i]);
        at_expect_ok(ctx, at_tree_read(a, &result, path));
        const double accuracy = number(g, "valid.accuracy");
        assert_string_equal(text(g, "method"), methods[i]);
        assert_true(accuracy == number(result, "valid.accuracy"));
        assert_true(number(g, "test.log_loss") == number(result, "test.log_loss"));
        assert_true(number(g, "trainable_parameters") == number(result, "trainable_parameters"));
        assert_true(fabs(number(g, "gain") - (accuracy - best)) < 1e-12);
        if (accuracy > best) best = accuracy, winner = methods[i];
    }
    assert_string_equal(text(ladder, "best"), winner);
    assert_string_equal(winner, "full");
    assert_true(number(rung(ladder, 1), "gain") > 0.2);
    assert_true(number(rung(ladder, 2), "gain") < 0);
}

AT_TEST(test_ladder__table_is_that_of_its_runs)
{
    char folder[1024], *page;
    size_t size;
    at_ctx *ctx = at_test_ctx();
    at_arena arena;
    const at_tree *lines;
    at_arena_init(&arena, ctx);
    at_test_folder(folder, "ladder");
    at_copy_bert(folder, "bert");
    at_make_films(folder);
    const at_tree *ladder = climb(&arena, folder, "", &lines);
    expect_commonest(ladder);
    expect_rungs(ctx, &arena, folder, ladder);
    for (int i = 0; i < 2; i++) {
        const at_tree *announced = at_event_named(lines, "rung", i);
        assert_non_null(announced);
        assert_true(number(announced, "forecast.memory_bytes") > 0);
    }
    char path[1200];
    snprintf(path, sizeof path, "%s/runs/report.html", folder);
    at_expect_ok(ctx, at_file_read(ctx, &page, &size, path, 1 << 24));
    assert_non_null(strstr(page, "href=\"full/report.html\""));
    assert_non_null(strstr(page, "href=\"head/report.html\""));
    at_free(ctx, page);

    /* continued: nothing is trained again, and the table is the same */
    const at_tree *again = climb(&arena, folder, "--resume", &lines);
    assert_null(at_event_named(lines, "step", 0));
    expect_rungs(ctx, &arena, folder, again);
    at_arena_deinit(&arena);
    at_test_done(ctx);
}

static void expect_refused(const char *folder, const char *line, const char *want)
{
    at_output o;
    at_attune(&o, folder, "%s", line);
    if (o.code == 0 || !strstr(o.err, want)) fail_msg("%s: code %d, \"%s\"", line, o.code, o.err);
    at_output_free(&o);
}

AT_TEST(test_ladder__refuses_before_it_starts)
{
    static const char *const cases[][2] = {
        {"train model photos --output runs --ladder=probe,fulll",
         "--ladder: ladder: no method is called \"fulll\"; did you mean \"full\"?; a ladder is a list like "
         "probe,last:3,full"},
        {"train model photos --output runs --ladder=probe,,full", "no method is called \"\""},
        {"train model photos --output runs --ladder --method full",
         "--method: method: a ladder chooses the methods itself; list them instead: --ladder=probe,full"},
        {"train model photos --output runs --ladder=a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q",
         "no method is called \"a\""},
        {"train model photos --output model --ladder", "model exists; choose another --output"},
        {"train model photos --output runs --ladder --data.valid none --data.test none",
         "a ladder compares methods on a validation or a test split, and there is none: see data.valid"},
    };
    char folder[1024];
    at_ctx *ctx = at_test_ctx();
    at_make_scene(folder, "ladder-refused", 1);
    for (int i = 0; i < AT_COUNT(cases); i++) expect_refused(folder, cases[i][0], cases[i][1]);
    char path[1200];
    snprintf(path, sizeof path, "%s/runs", folder);
    assert_false(at_path_exists(path));
    at_test_done(ctx);
}
