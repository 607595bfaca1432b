/* full_disk_test.c: no space at every kind of moment: what the program says, and that nothing is lost. A
 * limit on the size of files stands for the disk, so that the moment can be chosen; a small file system is
 * the real thing. */
#include "tests/harness/program.h"
#include "tests/harness/scene.h"
#include "tests/harness/test.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>

typedef struct moment {
    const char *name, *flags;
    int kib;             /* largest file that can be written */
    const char *refused; /* what cannot be written */
} moment;

static const moment moments[] = {
    {"recipe", "--method head", 0, "run/recipe.yaml: cannot write"},
    {"logs", "--method head --train.epochs 200 --logging_steps 1 --data.valid none", 16,
     "run/events.out.tfevents.1.attune: cannot write"},
    {"best", "--method full --train.epochs 2", 32, "run/checkpoints/best/state.safetensors: cannot write"},
    {"checkpoint", "--method full --train.epochs 2", 128,
     "run/checkpoints/step-00000001/state.safetensors: cannot write"},
    {"hand-over", "--method head --train.epochs 2", 48, "run/.model.tmp/model.safetensors: cannot write"},
};

/* Everything that had been written is still whole: files open, no model stands half in its place, no
 * temporary file is left. */
static void expect_whole(const char *folder)
{
    char command[2400];
    snprintf(command, sizeof command,
             "cd '%s' && test ! -e run/model && test ! -e run/result.json && test -z \"$(find run -name "
             "'*.tmp-*')\"",
             folder);
    if (system(command) != 0) fail_msg("%s: something half-written is left", folder);
}

AT_TEST(test_full_disk__is_told_and_loses_nothing)
{
    char scene[1024], folder[1100], command[5000], line[1024], shell[64], message[1200], whole[1200],
        run[1300];
    at_make_scene(scene, "full-disk", 4);
    for (int i = 0; i < AT_COUNT(moments); i++) {
        const moment *m = &moments[i];
        at_output o;
        snprintf(folder, sizeof folder, "%s/%s", scene, m->name);
        snprintf(command, sizeof command, "mkdir '%s' && cp -r '%s/model' '%s/photos' '%s'", folder, scene,
                 scene, folder);
        assert_int_equal(system(command), 0);
        snprintf(line, sizeof line, "train model photos --output run --json --quiet --cache none %s",
                 m->flags);
        snprintf(shell, sizeof shell, "trap '' XFSZ; ulimit -f %d;", 2 * m->kib); /* units of 512 bytes */
        at_attune_after(&o, folder, shell, line);
        if (m->kib) { /* without any room there is none for the message either */
            snprintf(message, sizeof message, "attune: %s: File too large\n", m->refused);
            assert_string_equal(o.err, message);
        }
        assert_int_equal(o.code, 1);
        at_output_free(&o);
        expect_whole(folder);
        /* With room again it goes on from what was saved, or from the start, to what an undisturbed run
         * gives. */
        at_attune_expect(0, folder, "%s --resume=auto", line);
        snprintf(line, sizeof line, "train model photos --output whole --json --quiet --cache none %s",
                 m->flags);
        at_attune_expect(0, folder, "%s", line);
        snprintf(whole, sizeof whole, "%s/whole", folder);
        snprintf(run, sizeof run, "%s/run", folder);
        at_expect_same_file(whole, run, "model/model.safetensors");
        at_expect_same_file(whole, run, "metrics.jsonl");
    }
}

AT_TEST(test_full_disk__on_a_small_file_system)
{
    char folder[1024], disk[1100], command[2400];
    at_output o;
    at_make_scene(folder, "full-tmpfs", 4);
    snprintf(disk, sizeof disk, "%s/disk", folder);
    snprintf(command, sizeof command, "mkdir '%s'", disk);
    assert_int_equal(system(command), 0);
    if (mount("none", disk, "tmpfs", 0, "size=256k") != 0) AT_SKIP("no file system can be mounted here");
    at_attune(&o, folder,
              "train model photos --output disk/run --train.epochs 3 --quiet --json --cache none");
    const bool told =
        strstr(o.err, "No space left on device; free some space or choose another folder\n") != NULL;
    const bool one_line = strchr(o.err, '\n') == o.err + strlen(o.err) - 1;
    snprintf(command, sizeof command, "find '%s' -name '*.tmp-*' | grep -q .", disk);
    const bool left = system(command) == 0;
    umount(disk);
    if (!told || !one_line) fail_msg("it says: %s", o.err);
    assert_int_equal(o.code, 1);
    assert_false(left);
    at_output_free(&o);
}
