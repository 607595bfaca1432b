/* classes_report_test.c: what a report says of a classification. */
#include "tasks/task.h"
#include "tests/harness/html.h"
#include <stdio.h>
#include <string.h>

static const char *name_of(const at_dataset *d, int64_t sample)
{
    (void)d;
    return sample == 5 ? "data/a<b/x\"5.jpg" : "plain.jpg";
}

static at_status show(const at_job *j, const at_dataset *d, int64_t sample, at_text *html)
{
    (void)j, (void)d;
    at_text_printf(html, "<img alt=\"%lld\" src=\"data:,\">", (long long)sample);
    return AT_OK;
}

static void expect_parts(const char *html, const char *const *parts)
{
    for (; *parts; parts++) { /* in this order */
        const char *found = strstr(html, *parts);
        if (!found) fail_msg("lacks, or has too early: %s", *parts);
        html = found + strlen(*parts);
    }
}

/* Three classes, eight samples; one is not counted. */
static const float logits[8][3] = {{4, 0, 0}, {4, 0, 0}, {0, 2, 0}, {0, 3, 0},
                                   {0, 3, 0}, {5, 0, 0}, {0, 1, 0}, {0, 0, 9}};
static const int32_t label[8] = {0, 0, 0, 1, 1, 1, 0, -100};

AT_TEST(test_classes_report__counts_and_orders)
{
    at_ctx *ctx = at_test_ctx();
    static const char *const labels[] = {"leaf_spot", "<rust>", "never"};
    const at_job j = {.ctx = ctx, .n_labels = 3, .labels = labels};
    const at_dataset d = {.n = 8, .name = name_of};
    at_text html;
    at_text_init(&html, ctx);
    at_expect_ok(ctx, at_report_classes(&j, &d, logits[0], label, 0, show, &html));
    at_expect_html(html.data);
    static const char *const parts[] = {
        "4 of 7 are right (57.1 %), 3 wrong. To compare: always guessing leaf spot would be right in 57.1 %",
        "<th scope=\"row\">leaf spot</th><td class=\"right\" style=\"--share:0.50\">2</td>"
        "<td class=\"wrong\" style=\"--share:0.50\">2</td><td class=\"none\" style=\"--share:0.00\">0</td>"
        "<td class=\"rate\">50 %</td>",
        "<th scope=\"row\">&lt;rust&gt;</th><td class=\"wrong\" style=\"--share:0.33\">1</td>"
        "<td class=\"right\" style=\"--share:0.67\">2</td>",
        "<th scope=\"row\">never</th>", "<td class=\"rate\">-</td></tr>", /* no such sample: no recall */
        "precision</th><td class=\"rate\">67 %</td><td class=\"rate\">50 %</td><td class=\"rate\">-</td>",
        "<b>leaf spot</b> taken for <b>&lt;rust&gt;</b>: 2 of 4",
        "<b>&lt;rust&gt;</b> taken for <b>leaf spot</b>: 1 of 3",
        /* the surest mistake first: 5, then 2, then 6 */
        "<img alt=\"5\"",
        "said <b>leaf spot</b>&nbsp;99&nbsp;%</span><span>is <b>&lt;rust&gt;</b>&nbsp;1&nbsp;%",
        "<small>a&lt;b/x&quot;5.jpg</small>", "<img alt=\"2\"", "<img alt=\"6\"", NULL};
    expect_parts(html.data, parts);
    at_text_deinit(&html);
    at_test_done(ctx);
}

AT_TEST(test_classes_report__nothing_wrong)
{
    at_ctx *ctx = at_test_ctx();
    static const char *const labels[] = {"a", "b", "c"};
    const at_job j = {.ctx = ctx, .n_labels = 3, .labels = labels};
    const at_dataset d = {.n = 2};
    at_text html;
    at_text_init(&html, ctx);
    at_expect_ok(ctx, at_report_classes(&j, &d, logits[0], label, 0, NULL, &html));
    at_expect_html(html.data);
    assert_non_null(strstr(html.data, "2 of 2 are right (100.0 %), 0 wrong"));
    assert_null(strstr(html.data, "Worst mistakes"));
    assert_null(strstr(html.data, "mix-ups"));
    at_text_deinit(&html);
    at_test_done(ctx);
}

AT_TEST(test_classes_report__many_classes_and_mistakes)
{
    enum { CLASSES = 41, SAMPLES = 41 };
    at_ctx *ctx = at_test_ctx();
    static char names[CLASSES][16];
    const char *labels[CLASSES];
    float *y = at_alloc_array(ctx, CLASSES * SAMPLES, sizeof *y);
    int32_t truth[SAMPLES];
    assert_non_null(y);
    for (int i = 0; i < CLASSES; i++) {
        snprintf(names[i], sizeof names[i], "c%d", i);
        labels[i] = names[i];
        truth[i] = i;
        y[i * CLASSES + (i < 20 ? 0 : i)] = 3; /* the first 20 are taken for c0, the others are right */
    }
    const at_job j = {.ctx = ctx, .n_labels = CLASSES, .labels = labels};
    const at_dataset d = {.n = SAMPLES};
    at_text html;
    at_text_init(&html, ctx);
    at_expect_ok(ctx, at_report_classes(&j, &d, y, truth, 0, NULL, &html));
    at_expect_html(html.data);
    assert_null(strstr(html.data, "<table")); /* nobody reads a matrix of 1,681 cells */
    static const char *const parts[] = {"22 of 41 are right",
                                        "<b>c1</b> taken for <b>c0</b>: 1 of 1",
                                        "<b>c5</b> taken for",
                                        "The 12 of 19 mistakes",
                                        "sample 1<",
                                        "sample 12<",
                                        NULL};
    expect_parts(html.data, parts);
    assert_null(strstr(html.data, "<b>c6</b> taken for"));
    assert_null(strstr(html.data, "sample 13<"));
    at_text_deinit(&html);
    at_free(ctx, y);
    at_test_done(ctx);
}
