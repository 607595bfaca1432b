/* terminal_test.c: what a user of the program sees: one redrawn line on a terminal, plain lines in a log,
 * JSON and nothing else on stdout with --json, a word after Ctrl-C; and whether the reports that it writes
 * are valid. */
#include "formats/file.h"
#include "formats/image.h"
#include "formats/tree.h"
#include "tests/harness/html.h"
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM AT_BUILD_DIR "/attune"
#define MODEL   AT_SOURCE_DIR "/src/models/mobilenet_v2/golden_timm"

enum { PHOTOS = 8, WIDTH = 45, HEIGHT = 37, OUTPUT_LIMIT = 1 << 20, COLUMNS = 60 };

typedef struct stage { /* photos of two colours, and what a program wrote */
    at_ctx *ctx;
    char folder[1024], photos[1100], run[1100];
    char *out;
    int status;
} stage;

static void write_photo(stage *s, const char *class_folder, int i, int colour)
{
    static unsigned char rgb[WIDTH * HEIGHT * 3];
    char path[1300];
    unsigned char *jpeg;
    size_t n;
    for (int k = 0; k < WIDTH * HEIGHT * 3; k++)
        rgb[k] = (unsigned char)(k % 3 == colour ? 200 + i : 30 + (k * (i + 7)) % 40);
    at_expect_ok(s->ctx, at_image_encode_jpeg(s->ctx, &jpeg, &n, &(at_image){WIDTH, HEIGHT, rgb}, 90));
    snprintf(path, sizeof path, "%s/%d.jpg", class_folder, i);
    at_expect_ok(s->ctx, at_file_write(s->ctx, path, jpeg, n));
    at_free(s->ctx, jpeg);
}

static void set(stage *s, const char *name)
{
    static const char *const classes[] = {"red & <ripe>", "green"};
    char folder[1200];
    *s = (stage){.ctx = at_test_ctx()};
    at_test_folder(s->folder, name);
    snprintf(s->photos, sizeof s->photos, "%s/photos", s->folder);
    snprintf(s->run, sizeof s->run, "%s/run", s->folder);
    for (int c = 0; c < 2; c++) {
        snprintf(folder, sizeof folder, "%s/%s", s->photos, classes[c]);
        at_expect_ok(s->ctx, at_folder_make(s->ctx, folder));
        for (int i = 0; i < PHOTOS; i++) write_photo(s, folder, i, c);
    }
    s->out = at_alloc(s->ctx, OUTPUT_LIMIT);
    assert_non_null(s->out);
}

static void strike(stage *s)
{
    at_free(s->ctx, s->out);
    at_test_done(s->ctx);
}

/* Train with `epochs`, on a terminal of 60 columns. Interrupt it when it shows its first loss, if asked to.
 */
static void train_on_terminal(stage *s, const char *epochs, bool interrupt)
{
    struct winsize size = {.ws_row = 24, .ws_col = COLUMNS};
    int terminal;
    const pid_t child = forkpty(&terminal, NULL, NULL, &size);
    assert_true(child >= 0);
    if (child == 0) {
        execl(PROGRAM, "attune", "train", MODEL, s->photos, "--output", s->run, "--epochs", epochs,
              "--method", "head", "--batch_size", "4", "--cache", "none", "--threads", "1",
              "--train.early_stop.metric", "none", (char *)NULL);
        _exit(127);
    }
    size_t n = 0;
    for (ssize_t got; n < OUTPUT_LIMIT - 1 && (got = read(terminal, s->out + n, OUTPUT_LIMIT - 1 - n)) > 0;) {
        n += (size_t)got;
        s->out[n] = '\0';
        if (interrupt && strstr(s->out, "loss")) {
            interrupt = false;
            assert_int_equal(kill(child, SIGINT), 0);
        }
    }
    waitpid(child, &s->status, 0);
    close(terminal);
}

/* What stays on the screen: a carriage return with "erase to the end of the line" takes the line away. The
 * longest line that was ever shown: *widest. */
static void settle(char *text, size_t *widest)
{
    char *to = text, *line = text;
    *widest = 0;
    for (const char *p = text; *p; p++) {
        const bool erased = strncmp(p, "\r\033[K", 4) == 0;
        if ((erased || *p == '\n') && line[0] == ' ' && (size_t)(to - line) > *widest)
            *widest = (size_t)(to - line);
        if (erased) {
            to = line;
            p += 3;
        } else if (*p != '\r') {
            *to++ = *p;
            if (*p == '\n') line = to;
        }
    }
    *to = '\0';
}

static void expect_in(const char *text, const char *part)
{
    if (!strstr(text, part)) fail_msg("lacks \"%s\":\n%s", part, text);
}

static void expect_not_in(const char *text, const char *part)
{
    if (strstr(text, part)) fail_msg("has \"%s\":\n%s", part, text);
}

AT_TEST(test_terminal__progress_is_one_line_and_goes)
{
    stage s;
    size_t widest;
    set(&s, "terminal");
    train_on_terminal(&s, "30", false);
    assert_true(WIFEXITED(s.status) && WEXITSTATUS(s.status) == 0);
    expect_in(s.out, "\r\033[K");
    expect_in(s.out, " %  epoch ");
    settle(s.out, &widest);
    assert_in_range(widest, 20, COLUMNS - 1);
    expect_not_in(s.out, "\033");
    expect_not_in(s.out, " %  epoch "); /* how a progress line begins */
    expect_in(s.out, "are frozen\n");
    expect_in(s.out, "\nmemory ");
    expect_in(s.out, "\nepoch 30   valid: accuracy ");
    expect_in(s.out, "\ndone       in ");
    strike(&s);
}

AT_TEST(test_terminal__interruption_is_answered)
{
    stage s;
    set(&s, "terminal-interrupt");
    train_on_terminal(&s, "100000", true);
    assert_true(WIFEXITED(s.status));
    assert_int_equal(WEXITSTATUS(s.status), 130);
    expect_in(s.out, "attune: stopping at the next step and saving; once more ends at once");
    expect_in(s.out, "attune: interrupted after step ");
    expect_in(s.out, "continue with --resume");
    strike(&s);
}

/* ---- Without a terminal ---- */

/* attune train ... with its streams into files, which are read. */
static void train_to_files(stage *s, const char *more, char **out, char **err)
{
    char command[8192], path[1200];
    size_t n;
    snprintf(command, sizeof command,
             "'" PROGRAM "' train '" MODEL
             "' '%s' --output '%s' --epochs 30 --method head --batch_size 4 --cache none %s "
             ">'%s/out' 2>'%s/err'",
             s->photos, s->run, more, s->folder, s->folder);
    assert_int_equal(system(command), 0);
    snprintf(path, sizeof path, "%s/out", s->folder);
    at_expect_ok(s->ctx, at_file_read(s->ctx, out, &n, path, OUTPUT_LIMIT));
    snprintf(path, sizeof path, "%s/err", s->folder);
    at_expect_ok(s->ctx, at_file_read(s->ctx, err, &n, path, OUTPUT_LIMIT));
}

static int lines_of(const char *text)
{
    int n = 0;
    for (; *text; text++) n += *text == '\n';
    return n;
}

AT_TEST(test_terminal__a_log_has_few_plain_lines)
{
    stage s;
    char *out, *err;
    set(&s, "terminal-log");
    train_to_files(&s, "--train.early_stop.metric none", &out, &err);
    expect_not_in(err, "\r");
    expect_not_in(err, "\033");
    expect_not_in(out, "\033");
    assert_in_range(lines_of(err), 2,
                    60); /* of 120 steps: the first that knows how long, the last, one in 10 s */
    expect_in(strchr(err, '\n') - 5, " left\n");
    expect_in(err, "100 %  epoch 30.0/30  step ");
    expect_in(out, "done       in ");
    at_free(s.ctx, out);
    at_free(s.ctx, err);
    strike(&s);
}

AT_TEST(test_terminal__json_is_one_object_a_line)
{
    stage s;
    char *out, *err;
    int events = 0, steps = 0;
    at_arena a;
    set(&s, "terminal-json");
    at_arena_init(&a, s.ctx);
    train_to_files(&s, "--json", &out, &err);
    for (char *line = out, *end; (end = strchr(line, '\n')); line = end + 1, events++) {
        at_tree *t;
        at_expect_ok(s.ctx, at_json_parse(&a, &t, line, (size_t)(end - line), "stdout"));
        const at_tree *event = at_tree_get(t, "event");
        assert_true(event && event->kind == AT_STRING);
        steps += strcmp(event->text, "step") == 0;
    }
    assert_true(events > steps && steps > 3);
    expect_in(err, " samples/s");
    expect_not_in(err, "{");
    at_arena_deinit(&a);
    at_free(s.ctx, out);
    at_free(s.ctx, err);
    strike(&s);
}

/* ---- A demonstration ---- */

static void write_recipe(stage *s, const char *name, const char *text)
{
    char path[1300];
    snprintf(path, sizeof path, "%s/recipes/%s", s->folder, name);
    at_expect_ok(s->ctx, at_file_write(s->ctx, path, text, strlen(text)));
}

/* The same recipe under two names: what is called tuned is no better than what is called scratch. */
AT_TEST(test_terminal__demo_that_gains_nothing_fails)
{
    static const char recipe[] = "method: head\ntrain: { epochs: 2, batch_size: 4 }\ncache: none\n";
    stage s;
    char path[1200], command[8192], *out, *err, *html;
    size_t n;
    set(&s, "terminal-demo");
    snprintf(path, sizeof path, "%s/model", s.folder);
    assert_int_equal(symlink(MODEL, path), 0);
    snprintf(path, sizeof path, "%s/recipes", s.folder);
    at_expect_ok(s.ctx, at_folder_make(s.ctx, path));
    write_recipe(&s, "1-tuned.yaml", recipe);
    write_recipe(&s, "2-scratch.yaml", recipe);
    snprintf(command, sizeof command, "'" PROGRAM "' demo '%s' --output '%s' >'%s/out' 2>'%s/err'", s.folder,
             s.run, s.folder, s.folder);
    assert_int_equal(WEXITSTATUS(system(command)), 1);
    snprintf(path, sizeof path, "%s/out", s.folder);
    at_expect_ok(s.ctx, at_file_read(s.ctx, &out, &n, path, OUTPUT_LIMIT));
    snprintf(path, sizeof path, "%s/err", s.folder);
    at_expect_ok(s.ctx, at_file_read(s.ctx, &err, &n, path, OUTPUT_LIMIT));
    snprintf(path, sizeof path, "%s/report.html", s.run);
    at_expect_ok(s.ctx, at_file_read(s.ctx, &html, &n, path, OUTPUT_LIMIT));
    expect_in(out, "---- tuned (1 of 2)\n");
    expect_in(out, "\nmethod    accuracy   95 % interval          time   trained parameters\ntuned    ");
    expect_in(out, ": +0.0 points\n");
    expect_in(err, "attune: the demonstration failed: tuned reaches ");
    expect_in(err, "fine-tuning should gain more than 10 points");
    at_expect_html(html);
    expect_in(
        html,
        "<a href=\"tuned/report.html\">tuned</a><span class=\"badge\">best</span><small>head: only the new");
    expect_in(html, "The intervals of tuned and scratch overlap");
    at_free(s.ctx, html);
    at_free(s.ctx, out);
    at_free(s.ctx, err);
    strike(&s);
}

/* ---- The report of a real run ---- */

AT_TEST(test_terminal__report_of_a_run_is_valid)
{
    stage s;
    char *out, *err, *html, path[1200];
    size_t n;
    set(&s, "terminal-report");
    train_to_files(&s, "--quiet --data.test 30%", &out, &err);
    snprintf(path, sizeof path, "%s/report.html", s.run);
    at_expect_ok(s.ctx, at_file_read(s.ctx, &html, &n, path, OUTPUT_LIMIT));
    at_expect_html(html);
    expect_in(html, "<th scope=\"row\">red &amp; &lt;ripe&gt;</th>");
    expect_in(html, "aria-label=\"Loss of the training batches by epoch; training loss: ");
    expect_in(html, "aria-label=\"Validation accuracy by epoch; ");
    expect_in(html, "chose which weights");
    expect_in(html, "method: head");
    at_free(s.ctx, html);
    at_free(s.ctx, out);
    at_free(s.ctx, err);
    strike(&s);
}
