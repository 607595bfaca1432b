/* survive.c: kills at steps, not at times: what is seen of a run decides when it ends. A delay after it,
 * different each time and up to two steps of this machine long, lets kills fall into steps, evaluations and
 * the writing of files. */
#include "tests/harness/survive.h"
#include "base/rng.h"
#include "tests/harness/program.h"
#include "tests/harness/scene.h"
#include "tests/harness/test.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { EVERY = 4, LONGEST_DELAY = 2 /* steps */ };

/* Eleven epochs of four steps of two micro batches, all that is random or counted along. */
static const char training[] =
    "train model photos --json --logging_steps 1 --train.epochs 11 --train.batch_size 6 --train.micro_batch "
    "3 "
    "--data.valid 25% --augment '[{flip: both}]' --dropout 0.3 --train.learning_rate 1e-3 --edits '[{norm: "
    "{sites: "
    "\"layer.1*\", mode: train}}]' --train.early_stop.metric log_loss --train.early_stop.patience 9 "
    "--checkpoint.every 4";

static int64_t step_in(const char *line)
{
    const char *step = strstr(line, "{\"event\":\"step\",\"step\":");
    return step ? strtoll(step + 23, NULL, 10) : 0;
}

/* Read until this step has been told; returns the last told. */
static int64_t read_until(at_running *p, int64_t step)
{
    char line[4096];
    int64_t seen = 0;
    while (seen < step && fgets(line, sizeof line, p->lines)) seen = step_in(line) ? step_in(line) : seen;
    return seen;
}

static int64_t first_step(const char *out)
{
    const char *line = strstr(out, "{\"event\":\"step\"");
    return line ? step_in(line) : 0;
}

static int64_t train_whole(const char *folder)
{
    at_ctx *ctx = at_test_ctx();
    at_arena a;
    at_output o;
    at_arena_init(&a, ctx);
    at_attune(&o, folder, "%s --output whole --quiet", training);
    if (o.code != 0) fail_msg("%s", o.err);
    const at_tree *end = at_event_named(at_json_lines(&a, o.out), "done", 0);
    const int64_t steps = (int64_t)at_tree_get(end, "steps")->number;
    at_output_free(&o);
    at_arena_deinit(&a);
    at_test_done(ctx);
    assert_in_range(steps, 40, 44); /* ten epochs or more */
    return steps;
}

static void expect_same_run(const char *folder, const char *name, int64_t steps, bool best)
{
    char whole[1200], other[1200], checkpoint[128];
    snprintf(whole, sizeof whole, "%s/whole", folder);
    snprintf(other, sizeof other, "%s/%s", folder, name);
    snprintf(checkpoint, sizeof checkpoint, "checkpoints/step-%08lld/state.safetensors", (long long)steps);
    at_expect_same_file(whole, other, "model/model.safetensors");
    if (best) at_expect_same_file(whole, other, "checkpoints/best/state.safetensors");
    at_expect_same_file(whole, other, checkpoint);
    at_expect_same_file(whole, other, "metrics.jsonl");
}

/* Ends the run near this step; returns the last step told. */
static int64_t end_run(const char *folder, const char *name, const char *flags, int64_t step, int delay_us,
                       int signal_number, int *code)
{
    at_running p;
    at_attune_start(&p, folder, "%s --output %s --quiet %s", training, name, flags);
    const int64_t seen = read_until(&p, step);
    nanosleep(&(struct timespec){.tv_nsec = 1000L * delay_us}, NULL);
    *code = at_attune_kill(&p, signal_number);
    return seen;
}

void at_expect_survives(const char *name, int kills)
{
    char folder[1024], run[32];
    at_make_scene(folder, name, 11);
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    const int64_t steps = train_whole(folder);
    clock_gettime(CLOCK_MONOTONIC, &end);
    const int64_t whole_us = (end.tv_sec - begin.tv_sec) * 1000000 + (end.tv_nsec - begin.tv_nsec) / 1000,
                  longest = LONGEST_DELAY * whole_us / steps + 1;
    const at_rng_key key = at_rng_make(7, 7, 7);
    int ended_early = 0;
    for (int k = 0; k < kills; k++) {
        at_output o;
        int code;
        const int64_t at = 1 + (int64_t)((0.05 + 0.9 * (k + 0.5) / kills) * (double)steps);
        const int delay = (int)(at_rng_u32(key, (uint64_t)k, 0, 0) % longest);
        snprintf(run, sizeof run, "killed-%d", k);
        const int64_t seen = end_run(folder, run, "", at, delay, SIGKILL, &code);
        assert_int_equal(seen, at);
        ended_early += code == 128 + SIGKILL;
        at_attune(&o, folder, "%s --output %s --quiet --resume=auto", training, run);
        if (o.code != 0) fail_msg("killed at step %lld: %s", (long long)at, o.err);
        const int64_t repeated = first_step(o.out) ? seen - first_step(o.out) + 1 : 0;
        if (repeated > EVERY) fail_msg("%lld steps are repeated", (long long)repeated);
        expect_same_run(folder, run, steps, true);
        at_output_free(&o);
    }
    assert_true(2 * ended_early > kills); /* a run may have ended before its kill; most have not */
}

void at_expect_stops(const char *name, int signal_number)
{
    char folder[1024];
    at_output o;
    int code;
    at_make_scene(folder, name, 11);
    const int64_t steps = train_whole(folder);
    /* No checkpoint but that of the stop: what it does not save is lost. */
    const int64_t seen =
        end_run(folder, "stopped", "--checkpoint.every 1000", steps / 3, 0, signal_number, &code);
    assert_int_equal(code, 130);
    at_attune(&o, folder, "train --resume stopped --json --quiet");
    assert_int_equal(o.code, 0);
    assert_true(first_step(o.out) > seen);            /* nothing is repeated */
    expect_same_run(folder, "stopped", steps, false); /* best/ knows when logs were last on the disk */
    at_output_free(&o);
}
