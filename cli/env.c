/* env: this machine and this build. */
#include "cli/cli.h"

static int run(at_line *line)
{
    const int code = at_take_most(line, 0, "env takes no arguments");
    return code ? code : at_finish(line, at_environment(line->ctx, at_show, line));
}

const at_verb at_verb_env = {
    .name = "env",
    .summary = "this machine and this build",
    .usage = "attune env [--json]",
    .details = "Processor, instruction sets (what it has, what is used), threads, memory limit, environment "
               "variables read.",
    .examples = "  attune env\n"
                "  attune env --isa avx2\n",
    .run = run,
};
