/* mistake.c: the table of mistakes, line by line. */
#include "tests/harness/mistake.h"
#include "tests/harness/program.h"
#include "tests/harness/scene.h"
#include "tests/harness/test.h"
#include <stdio.h>
#include <stdlib.h>

static void copy_scene(char folder[1200], const char *scene, const char *name)
{
    char command[4096];
    snprintf(folder, 1200, "%s-cases/%s", scene, name);
    snprintf(command, sizeof command, "mkdir -p '%s' && cp -r '%s/.' '%s'", folder, scene, folder);
    if (system(command) != 0) fail_msg("cannot copy %s", scene);
}

static void expect_mistake(const char *folder, const at_mistake *m, bool late)
{
    char before[65], after[65], whole[2048];
    at_output o;
    at_folder_digest(before, folder, late ? "run" : NULL);
    at_attune(&o, folder, "%s", m->line);
    snprintf(whole, sizeof whole, "attune: %s\n", m->message);
    if (strcmp(o.err, whole) != 0)
        fail_msg("%s: attune %s\nsays      %sexpected  %s", m->name, m->line, o.err, whole);
    if (o.code != m->code) fail_msg("%s: exit code %d, expected %d", m->name, o.code, m->code);
    at_folder_digest(after, folder, late ? "run" : NULL);
    if (strcmp(before, after) != 0) fail_msg("%s: files changed", m->name);
    at_output_free(&o);
}

void at_expect_mistakes(const char *group, const at_mistake *list, int n, bool late)
{
    char scene[1024], cases[1100], folder[1200];
    at_make_scene(scene, group, 4);
    snprintf(cases, sizeof cases, "%s-cases", group);
    at_test_folder(folder, cases);
    for (int i = 0; i < n; i++) {
        copy_scene(folder, scene, list[i].name);
        if (list[i].make) list[i].make(folder);
        expect_mistake(folder, &list[i], late);
    }
    if (n == 0) fail_msg("nothing was checked");
}
