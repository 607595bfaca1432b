/* plan: what a training would take. */
#include "cli/cli.h"

static int run(at_line *line)
{
    int code = at_take_most(line, 2, "plan takes a model and a data folder");
    if (!code) code = at_set(line, "model", 0);
    if (!code) code = at_set(line, "data.train", 1);
    return code ? code : at_finish(line, at_estimate(line->ctx, line->recipe, at_show, line));
}

const at_verb at_verb_plan = {
    .name = "plan",
    .summary = "what a training would take: memory by class, and time",
    .usage = "attune plan MODEL DATA [--recipe FILE] [--key value ...]",
    .details = "Takes what train takes, checks the same, and does the first three steps to measure them. "
               "Nothing is written but\n"
               "cached features of frozen layers, which train will find.",
    .examples = "  attune plan mobilenet/ photos/\n"
                "  attune plan mobilenet/ photos/ --method last:3 --memory 200M\n",
    .takes_recipe = true,
    .run = run,
};
