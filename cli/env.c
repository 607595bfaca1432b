/* env: this machine and this build. */
#include "cli/cli.h"
#include <stdio.h>

static int run(at_line *line)
{
    char *json;
    const int code = at_take_most(line, 0, "env takes no arguments");
    if (code) return code;
    const at_status s = at_environment(line->ctx, &json);
    if (s != AT_OK) return at_finish(line, s);
    printf("%s\n", json);
    at_text_free(line->ctx, json);
    return EXIT_OK;
}

const at_verb at_verb_env = {
    .name = "env",
    .summary = "this machine and this build, as JSON",
    .usage = "attune env",
    .details = "Processor, instruction sets (what it has, what is used), threads, memory limit, environment "
               "variables read.",
    .examples = "  attune env\n"
                "  attune env --isa avx2\n",
    .run = run,
};
