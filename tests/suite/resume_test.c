/* resume_test.c: runs that are ended by signals and go on with the same bits. */
#include "tests/harness/program.h"
#include "tests/harness/scene.h"
#include "tests/harness/survive.h"
#include "tests/harness/test.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

AT_TEST(test_resume__a_killed_run_goes_on_with_the_same_bits)
{
    at_expect_survives("resume-killed", 4);
}

AT_TEST(test_resume__ctrl_c_saves_and_stops)
{
    at_expect_stops("resume-int", SIGINT);
}

AT_TEST(test_resume__sigterm_saves_and_stops)
{
    at_expect_stops("resume-term", SIGTERM);
}

static void expect_message(const char *folder, const char *line, int code, const char *message)
{
    at_output o;
    at_attune(&o, folder, "%s", line);
    assert_string_equal(o.err, message);
    assert_int_equal(o.code, code);
    at_output_free(&o);
}

#define TRAIN "train model photos --output run --quiet --train.epochs 3"

AT_TEST(test_resume__auto_starts_continues_and_rests)
{
    char folder[1024], before[65], after[65];
    at_output o;
    at_make_scene(folder, "resume-auto", 4);
    at_attune_expect(0, folder, "%s --resume=auto --json", TRAIN); /* nothing there: it starts */
    at_folder_digest(before, folder, NULL);
    expect_message(folder, TRAIN " --resume=auto", 0, "note: run is finished: nothing to do\n");
    expect_message(folder, TRAIN " --resume", 0, "note: run is finished: nothing to do\n");
    at_folder_digest(after, folder, NULL);
    assert_string_equal(before, after);
    char command[4000];
    snprintf(command, sizeof command, "cp -r '%s/run' '%s/first' && rm '%s/run/result.json'", folder, folder,
             folder);
    assert_int_equal(system(command), 0);
    at_attune(&o, folder, "%s --resume=auto --json",
              TRAIN); /* all steps are done: it only hands over again */
    assert_int_equal(o.code, 0);
    assert_null(strstr(o.out, "\"event\":\"step\""));
    assert_non_null(strstr(o.out, "\"event\":\"done\""));
    at_output_free(&o);
    snprintf(command, sizeof command, "rm -r '%s/run/checkpoints' '%s/run/result.json'", folder, folder);
    assert_int_equal(system(command), 0);
    at_attune(&o, folder, "%s --resume=auto --json", TRAIN); /* no complete checkpoint: it starts anew */
    assert_int_equal(o.code, 0);
    assert_non_null(strstr(o.out, "{\"event\":\"step\",\"step\":1,"));
    at_output_free(&o);
    char first[1100], run[1100];
    snprintf(first, sizeof first, "%s/first", folder);
    snprintf(run, sizeof run, "%s/run", folder);
    at_expect_same_file(first, run, "model/model.safetensors");
    at_expect_same_file(first, run, "metrics.jsonl");
}

AT_TEST(test_resume__a_finished_probe_rests)
{
    char folder[1024];
    at_make_scene(folder, "resume-probe", 4);
    at_attune_expect(0, folder, "train model photos --output run --method probe --resume=auto");
    expect_message(folder, "train model photos --output run --quiet --method probe --resume=auto", 0,
                   "note: run is finished: nothing to do\n");
}

AT_TEST(test_resume__what_differs_is_named)
{
    static const char *const changes[][2] = {
        {"--seed 3", "seed"},
        {"--train.learning_rate 1", "train.learning_rate"},
        {"--method head", "method"},
        {"--dropout 0.5", "dropout"},
        {"--clip 3", "train.clip"},
        {"--augment none", "augment"},
        {"--sgd.momentum 0", "sgd.momentum"},
    };
    char folder[1024], line[512], message[512], before[65], after[65];
    at_make_scene(folder, "resume-changed", 4);
    at_attune_expect(0, folder, TRAIN);
    at_folder_digest(before, folder, NULL);
    for (int i = 0; i < AT_COUNT(changes); i++) {
        snprintf(line, sizeof line, TRAIN " --resume %s", changes[i][0]);
        snprintf(message, sizeof message,
                 "attune: run/recipe.yaml: the key %s differs from the run that is to be resumed; give the "
                 "same value, or "
                 "another --output\n",
                 changes[i][1]);
        expect_message(folder, line, 2, message);
    }
    expect_message(folder, TRAIN " --resume --threads 1", 0, "note: run is finished: nothing to do\n");
    at_folder_digest(after, folder, NULL);
    assert_string_equal(before, after);
}

AT_TEST(test_resume__other_data_and_other_weights_are_refused)
{
    char folder[1024], command[4000], photos[1100];
    at_make_scene(folder, "resume-data", 4);
    at_attune_expect(0, folder, TRAIN);
    snprintf(command, sizeof command,
             "cd '%s' && rm run/result.json && cp -r model kept && cp photos/dog/01.jpg photos/dog/02.jpg",
             folder);
    assert_int_equal(system(command), 0);
    expect_message(folder, TRAIN " --resume", 1,
                   "attune: run/checkpoints/step-00000003/state.safetensors: was written while training on "
                   "other data than "
                   "photos has now; give another --output\n");
    snprintf(photos, sizeof photos, "%s/photos", folder);
    at_make_photos(photos, "dog", 4, 0);
    snprintf(command, sizeof command, "cd '%s' && cp run/model/model.safetensors run/model/config.json model",
             folder);
    assert_int_equal(system(command), 0);
    expect_message(folder, TRAIN " --resume --edits '[]'", 2,
                   "attune: run/recipe.yaml: the key edits differs from the run that is to be resumed; give "
                   "the same value, "
                   "or another --output\n");
    expect_message(folder, TRAIN " --resume", 1,
                   "attune: run/checkpoints/step-00000003/state.safetensors: belongs to another base model "
                   "than model\n");
}
