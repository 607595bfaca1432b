/* inspect: what a model folder is. */
#include "cli/cli.h"

static int run(at_line *line)
{
    int code = at_take_most(line, 1, "inspect takes a model folder");
    if (!code) code = at_set(line, "model", 0);
    return code ? code : at_finish(line, at_inspect(line->ctx, line->recipe, at_show, line));
}

const at_verb at_verb_inspect = {
    .name = "inspect",
    .summary = "what a model folder is: architecture, layers, labels",
    .usage = "attune inspect MODEL [--json]",
    .details = "Layer groups from the input to the head, with their parameters; --method last:N trains the "
               "last N of them.\n"
               "--json lists every tensor with its name in the network and in the file.",
    .examples = "  attune inspect mobilenet/\n"
                "  attune inspect runs/quick --json\n",
    .run = run,
};
