/* show.c: how events look: one redrawn progress line on a terminal, sparse lines in a log, JSON with --json;
 * errors and exit codes; signals. */
#include "cli/cli.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static bool line_is_open; /* a progress line waits to be overwritten */

static void end_line(void)
{
    if (line_is_open) fprintf(stderr, "\r\033[K");
    line_is_open = false;
}

static void format_time(char out[32], double seconds)
{
    if (seconds < 60)
        snprintf(out, 32, "%.0f s", seconds);
    else if (seconds < 5400)
        snprintf(out, 32, "%.0f min", seconds / 60);
    else
        snprintf(out, 32, "%.1f h", seconds / 3600);
}

/* In a log: at most a line every ten seconds. */
static bool is_due(const at_event *e)
{
    static time_t last;
    const time_t now = time(NULL);
    if (!last) last = now;
    if (e->step != e->steps && now - last < 10) return false;
    last = now;
    return true;
}

static void show_step(const at_event *e)
{
    char left[32];
    const bool terminal = isatty(STDERR_FILENO);
    if (!terminal && !is_due(e)) return;
    format_time(left, e->seconds_left);
    fprintf(stderr, "%sepoch %.1f/%.0f  step %lld/%lld  loss %.4f  %.0f samples/s  %s left%s",
            terminal ? "\r\033[K" : "", e->epoch, e->epochs, (long long)e->step, (long long)e->steps, e->loss,
            e->samples_per_second, left, terminal ? "" : "\n");
    line_is_open = terminal;
    fflush(stderr);
}

static void show_text(const at_event *e)
{
    if (e->kind == AT_EVENT_CHECKPOINT) return;
    end_line();
    if (e->kind == AT_EVENT_STEP)
        show_step(e);
    else if (e->kind == AT_EVENT_NOTE)
        fprintf(stderr, "note: %s\n", e->text);
    else
        printf("%s\n", e->text);
    fflush(stdout);
}

void at_show(void *data, const at_event *e)
{
    const at_line *line = data;
    if (line->json) {
        if (e->kind == AT_EVENT_STEP && !line->quiet) show_step(e);
        printf("%s\n", e->json);
        fflush(stdout);
    } else if (!line->quiet || e->kind != AT_EVENT_STEP) {
        show_text(e);
    }
}

/* ---- Ends ---- */

int at_finish(at_line *line, at_status status)
{
    end_line();
    if (status == AT_OK) return EXIT_OK;
    const char *message = at_last_error(line->ctx);
    fprintf(stderr, "attune: %s\n", *message ? message : at_status_name(status));
    switch (status) {
    case AT_E_ARG:
    case AT_E_RANGE:
        return EXIT_USAGE;
    case AT_E_INTERRUPTED:
        return EXIT_STOPPED;
    default:
        return EXIT_FAILED;
    }
}

int at_set(at_line *line, const char *key, int index)
{
    if (index >= line->n_args) return 0;
    const at_status s = at_recipe_set(line->recipe, key, line->args[index]);
    return s == AT_OK ? 0 : at_finish(line, s);
}

/* ---- Signals ---- */

static at_ctx *signalled;

static void on_signal(int number)
{
    at_request_stop(signalled);
    signal(number, SIG_DFL); /* the second one ends the program */
}

void at_catch_signals(at_ctx *ctx)
{
    signalled = ctx;
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
}
