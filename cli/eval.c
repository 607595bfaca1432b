/* eval: score a trained model on data. */
#include "cli/cli.h"
#include <stdio.h>

static int run(at_line *line)
{
    int code = at_take_most(line, 2, "eval takes a model and a data folder");
    if (!code) code = at_set(line, "model", 0);
    if (!code) code = at_set(line, "data.test", 1);
    return code ? code : at_finish(line, at_evaluate(line->ctx, line->recipe, at_show, line));
}

const at_verb at_verb_eval = {
    .name = "eval",
    .summary = "score a trained model on data",
    .usage = "attune eval MODEL DATA [--key value ...]",
    .details = "MODEL is a run folder or a model folder with an output layer; DATA a folder with one "
               "sub-folder of photos a\n"
               "class, or with test/ of that kind.",
    .examples = "  attune eval runs/quick photos/test\n"
                "  attune eval runs/quick photos/ --json\n",
    .takes_recipe = true,
    .run = run,
};
