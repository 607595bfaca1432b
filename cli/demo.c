/* demo: the bundled demonstration. */
#include "cli/cli.h"
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* demo/ here, beside the build folder, or where `make install` puts it. */
static bool find_folder(char out[PATH_MAX])
{
    static const char *const beside[] = {"../demo", "../share/attune/demo"};
    char self[PATH_MAX];
    snprintf(out, PATH_MAX, "demo");
    if (is_folder("demo/recipes")) return true;
    const ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0) return false;
    self[n] = '\0';
    char *slash = strrchr(self, '/');
    if (slash) *slash = '\0';
    for (int i = 0; i < 2; i++) {
        if (snprintf(out, PATH_MAX, "%s/%s", self, beside[i]) < PATH_MAX && is_folder(out)) return true;
    }
    return false;
}

static int run(at_line *line)
{
    char folder[PATH_MAX];
    const int code = at_take_most(line, 1, "demo takes one folder");
    if (code) return code;
    if (line->n_args > 0)
        snprintf(folder, sizeof folder, "%s", line->args[0]);
    else if (!find_folder(folder)) {
        fprintf(stderr, "attune: the demo folder was not found; name it: attune demo FOLDER\n");
        return EXIT_USAGE;
    }
    return at_finish(line, at_demo(line->ctx, line->recipe, folder, at_show, line));
}

const at_verb at_verb_demo = {
    .name = "demo",
    .summary = "fine-tuning against training from scratch, on bundled photos",
    .usage = "attune demo [FOLDER] [--key value ...]",
    .details = "Trains the bundled network on 120 photos of bean leaves in four ways, scores "
               "them on 60 others, prints a table\n"
               "and writes runs/demo/report.html. FOLDER holds model/, photos/ and recipes/.",
    .examples = "  attune demo\n"
                "  attune demo --seed 1 --output runs/demo-1\n",
    .run = run,
};
