/* show.c: how events look: one redrawn progress line on a terminal, sparse lines in a log, JSON with --json;
 * errors and exit codes; signals. */
#include "cli/cli.h"
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { LOG_SECONDS = 10, PROGRESS = 640 };

/* ---- Progress ---- */

static void end_line(at_display *d)
{
    if (d->is_open) fprintf(stderr, "\r\033[K");
    d->is_open = false;
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

/* "  42 %  epoch 6.3/15  step 50/120  loss 0.1234  accuracy 84.2 %  61 samples/s  38 s left": what is known
 * of it. */
static void format_progress(char out[PROGRESS], const at_display *d, const at_event *e)
{
    char time_left[32], left[48] = "", speed[48] = "", where[96];
    if (e->steps > 0)
        snprintf(where, sizeof where, "%3.0f %%  epoch %.1f/%.0f  step %lld/%lld",
                 100.0 * (double)e->step / (double)e->steps, e->epoch, e->epochs, (long long)e->step,
                 (long long)e->steps);
    else
        snprintf(where, sizeof where, "iteration %lld", (long long)e->step);
    if (e->samples_per_second > 0) snprintf(speed, sizeof speed, "  %.0f samples/s", e->samples_per_second);
    if (e->samples_per_second > 0 && e->steps > 0) {
        format_time(time_left, e->seconds_left);
        snprintf(left, sizeof left, "  %s left", time_left);
    }
    snprintf(out, PROGRESS, "%s  loss %.4f%s%s%s%s", where, e->loss, *d->score ? "  " : "", d->score, speed,
             left);
}

/* A line that wrapped could not be overwritten. */
static void cut_to_terminal(char *text)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 2) return;
    if (strlen(text) >= size.ws_col) text[size.ws_col - 1] = '\0';
}

/* In a log: the first line that tells how long it will take, then one every ten seconds, and the last. */
static bool is_due(at_display *d, const at_event *e)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    const double now = (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
    const bool first = d->last_line == 0 && e->samples_per_second > 0,
               last = e->steps > 0 && e->step == e->steps;
    if (!first && !last && (d->last_line == 0 || now - d->last_line < LOG_SECONDS)) return false;
    d->last_line = last ? 0 : now; /* another run may follow */
    return true;
}

static void show_step(at_display *d, const at_event *e)
{
    char text[PROGRESS];
    const bool terminal = isatty(STDERR_FILENO);
    if (!terminal && !is_due(d, e)) return;
    format_progress(text, d, e);
    if (terminal) cut_to_terminal(text);
    fprintf(stderr, terminal ? "\r\033[K%s" : "%s\n", text);
    d->is_open = terminal;
    fflush(stderr);
}

/* The validation score that the progress line shows; a new run has none. */
static void keep_score(at_display *d, const at_event *e)
{
    if (e->kind == AT_EVENT_PLAN) d->score[0] = '\0';
    if (e->kind != AT_EVENT_EVALUATION || e->n_scores == 0) return;
    const at_score_value *s = &e->scores[0];
    if (isnan(s->value))
        d->score[0] = '\0';
    else if (s->proportion)
        snprintf(d->score, sizeof d->score, "%s %.1f %%", s->name, 100 * s->value);
    else
        snprintf(d->score, sizeof d->score, "%s %.4f", s->name, s->value);
}

/* ---- Events ---- */

static void show_text(at_display *d, const at_event *e)
{
    if (e->kind == AT_EVENT_STEP) {
        show_step(d, e);
        return;
    }
    if (e->kind == AT_EVENT_CHECKPOINT) return;
    end_line(d);
    if (e->kind == AT_EVENT_NOTE)
        fprintf(stderr, "note: %s\n", e->text);
    else
        printf("%s\n", e->text);
    fflush(stdout);
}

void at_show(void *data, const at_event *e)
{
    at_line *line = data;
    keep_score(&line->display, e);
    if (line->json) {
        if (e->kind == AT_EVENT_STEP && !line->quiet) show_step(&line->display, e);
        printf("%s\n", e->json);
        fflush(stdout);
    } else if (!line->quiet || e->kind != AT_EVENT_STEP) {
        show_text(&line->display, e);
    }
}

/* ---- Ends ---- */

int at_finish(at_line *line, at_status status)
{
    end_line(&line->display);
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

static at_ctx *signalled; /* a handler gets no argument */

static void on_signal(int number)
{
    static const char text[] = "\nattune: stopping at the next step and saving; once more ends at once\n";
    at_request_stop(signalled);
    signal(number, SIG_DFL);
    const ssize_t n = write(STDERR_FILENO, text, sizeof text - 1);
    (void)n; /* nothing can be done about it here */
}

void at_catch_signals(at_ctx *ctx)
{
    signalled = ctx;
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
}
