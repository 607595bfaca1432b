/* page_test.c: what the pieces of a report are made of: valid HTML that loads nothing, whatever the names in
 * it. */
#include "formats/file.h"
#include "run/report.h"
#include "tests/harness/html.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#define ODD      "a<b>&\"c\"'d'" /* a name that would break a page */
#define ODD_HTML "a&lt;b&gt;&amp;&quot;c&quot;&#39;d&#39;"

static void expect_part(const at_text *html, const char *part)
{
    if (!strstr(html->data, part)) fail_msg("the page lacks: %s", part);
}

static int count(const char *text, const char *part)
{
    int n = 0;
    for (const char *p = text; (p = strstr(p, part)); p += strlen(part)) n++;
    return n;
}

static const at_scores scores = {.list = {{"accuracy", 0.8, true, true, false},
                                          {"log_loss", 0.51249, false, false, false},
                                          {"balanced_accuracy", 0.75, true, false, false}},
                                 .n = 3};

/* ---- The checker itself ---- */

AT_TEST(test_page__the_checker_sees_faults)
{
    static const char *const faults[][2] = {{"<p>a<b></p></b>", "closes nothing"},
                                            {"<p>", "never closed"},
                                            {"a & b", "bare &"},
                                            {"a < b", "bare <"},
                                            {"<p class=x>a</p>", "quotes"},
                                            {"<img src=\"data:,\">", "alt"},
                                            {"<img alt=\"\" src=\"x.png\">", "fetch"},
                                            {"<a href=\"//x\">a</a>", "fetch"},
                                            {"<script>x</script>", "script"},
                                            {"<p id=\"a\" id=\"b\">c</p>", "twice"},
                                            {"http://x", "address"},
                                            {"<style>a{b:url(c)}</style>", "fetch"},
                                            {"<a href=\"javascript:x\">a</a>", "fetch"}};
    char fault[AT_HTML_FAULT];
    for (int i = 0; i < AT_COUNT(faults); i++) {
        const char *found = at_html_fault(fault, faults[i][0]);
        if (!found || !strstr(found, faults[i][1]))
            fail_msg("%s: %s", faults[i][0], found ? found : "no fault");
    }
    at_expect_html(
        "<!doctype html><p>a &amp; b<br><a href=\"x/y.html\">c</a><img alt=\"\" src=\"data:,\"></p>");
}

/* ---- Page ---- */

AT_TEST(test_page__whole_page_with_odd_names_is_valid)
{
    at_ctx *ctx = at_test_ctx();
    at_text html;
    const at_page_fact facts[] = {{ODD, ODD, ODD}, {"no note", "1", NULL}};
    const at_report_row rows[] = {
        {.name = ODD, .note = ODD, .link = ODD "/report.html", .scores = &scores, .n = 60, .best = true},
        {.name = "plain", .scores = &scores, .n = 60}};
    const at_report_column columns[] = {{ODD, &scores, 60}, {"validation", &scores, 10}};
    at_text_init(&html, ctx);
    at__page_begin(&html, ODD, ODD);
    at__page_facts(&html, facts, 2);
    at__page_section(&html, ODD, ODD);
    at__page_comparison(&html, ODD, rows, 2);
    at__page_scores(ctx, &html, ODD, columns, 2);
    at__page_section_end(&html);
    at__page_end(&html);
    at_expect_ok(ctx, at_text_status(&html));
    at_expect_html(html.data);
    assert_null(strstr(html.data, ODD));
    /* title and heading, lead, fact 3, section 2, comparison: caption, link, name, note; scores: caption,
     * heading, a label in each of 3 rows */
    assert_int_equal(count(html.data, ODD_HTML), 2 + 1 + 3 + 2 + 4 + 2 + 3);
    at_text_deinit(&html);
    at_test_done(ctx);
}

AT_TEST(test_page__numbers_are_written_for_people)
{
    at_ctx *ctx = at_test_ctx();
    at_text html;
    const at_report_row row = {
        .name = "full", .scores = &scores, .n = 10, .seconds = 200.4, .trainable = 399971};
    const at_report_column column = {"test", &scores, 10};
    at_text_init(&html, ctx);
    at__page_comparison(&html, "caption", &row, 1);
    expect_part(&html, "<b>80.0 %</b> <small>49.0 to 94.3 %</small>"); /* 8 of 10 */
    expect_part(&html, "left:49.0%;width:45.3%");
    expect_part(&html, ">3 min 20 s<");
    expect_part(&html, ">400 thousand<");
    assert_null(strstr(html.data, "log loss")); /* shares with an interval only */
    at__page_scores(ctx, &html, "caption", &column, 1);
    expect_part(&html, ">0.512<");
    expect_part(&html, ">75.0 %<");
    expect_part(&html, "log loss<small>mean -log p");
    at_expect_html(html.data);
    at_text_deinit(&html);
    at_test_done(ctx);
}

/* ---- Charts ---- */

static const at_report_chart loss_chart = {"Loss", "nats", "loss", NULL, false};

/* A log of n training steps over `epochs`, each with its loss; then `more`. */
static const char *write_log(at_ctx *ctx, char path[1100], const char *name, int n, double epochs,
                             const char *more)
{
    char folder[1024];
    at_text log;
    at_text_init(&log, ctx);
    for (int i = 1; i <= n; i++)
        at_text_printf(&log, "{\"step\":%d,\"epoch\":%.6f,\"loss\":%.6f}\n", i, epochs * i / n, 1.0 / i);
    at_text_add(&log, more);
    snprintf(path, 1100, "%s/metrics.jsonl", at_test_folder(folder, name));
    at_expect_ok(ctx, at_file_write(ctx, path, log.data, log.size));
    at_text_deinit(&log);
    return path;
}

static int points_of(const char *html)
{
    const char *start = strstr(html, "points=\"");
    int n = 0;
    for (start += 8; *start != '"'; start++) n += *start == ',';
    return n;
}

AT_TEST(test_page__chart_takes_the_lines_of_its_split)
{
    at_ctx *ctx = at_test_ctx();
    char path[1100];
    at_text html;
    bool drawn;
    const at_report_chart valid = {"Validation accuracy", "higher is better", "accuracy", "valid", true};
    write_log(ctx, path, "page-chart", 4, 2,
              "{\"step\":2,\"epoch\":1,\"split\":\"valid\",\"accuracy\":0.25}\n"
              "{\"step\":4,\"epoch\":2,\"split\":\"valid\",\"accuracy\":0.75}\n"
              "{\"step\":4,\"epoch\":2,\"split\":\"test\",\"accuracy\":0.5}\n"
              "{\"step\":4,\"epoch\":2,\"split\":\"valid\",\"accuracy\":null}\n");
    const at_report_curve curve = {ODD, path};
    at_text_init(&html, ctx);
    at_expect_ok(ctx, at__page_chart(ctx, &html, &valid, &curve, 1, &drawn));
    assert_true(drawn);
    expect_part(&html, "points=\"500.0,300.0 1000.0,100.0\""); /* of 1000 x 400, from above */
    expect_part(&html, ">100 %</span>");
    expect_part(&html, ODD_HTML " <small>25.0 % at first, 75.0 % at last");
    at_text_deinit(&html);
    at_expect_ok(ctx, at__page_chart(ctx, &html, &loss_chart, &curve, 1, &drawn));
    expect_part(&html, "points=\"250.0,0.0 500.0,200.0 750.0,266.7 1000.0,300.0\"");
    expect_part(&html, "points=\"500.0,100.0 1000.0,283.3\""); /* epochs' means */
    expect_part(&html, "aria-label=\"Loss by epoch; " ODD_HTML ": 0.75 at first, 0.292 at last\"");
    at_expect_html(html.data);
    at_text_deinit(&html);
    at_test_done(ctx);
}

AT_TEST(test_page__no_lines_no_chart)
{
    at_ctx *ctx = at_test_ctx();
    char path[1100];
    at_text html;
    bool drawn = true;
    write_log(ctx, path, "page-empty", 0, 1, "{\"step\":1,\"epoch\":1,\"loss\":null}\n");
    at_text_init(&html, ctx);
    at_expect_ok(ctx, at__page_chart(ctx, &html, &loss_chart, &(at_report_curve){"a", path}, 1, &drawn));
    assert_false(drawn);
    assert_null(html.data);
    at_test_done(ctx);
}

AT_TEST(test_page__long_logs_stay_small)
{
    at_ctx *ctx = at_test_ctx();
    char path[1100];
    at_text html;
    write_log(ctx, path, "page-long", 20000, 1000, "");
    at_text_init(&html, ctx);
    at_expect_ok(ctx, at__page_chart(ctx, &html, &loss_chart, &(at_report_curve){"a", path}, 1, NULL));
    const char *mean = strstr(strstr(html.data, "points=") + 1, "<polyline class=\"s0\"");
    assert_int_equal(points_of(html.data), 400);
    assert_non_null(mean);
    assert_int_equal(points_of(mean), 400);
    assert_true(html.size < 20000);
    at_expect_html(html.data);
    at_text_deinit(&html);
    at_test_done(ctx);
}
