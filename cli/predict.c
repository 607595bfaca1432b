/* predict: what a trained model says of files. */
#include "cli/cli.h"
#include <stdio.h>

static int run(at_line *line)
{
    if (line->n_args < 2) {
        fprintf(stderr, "attune: predict takes a model and files or folders\n");
        return EXIT_USAGE;
    }
    const int code = at_set(line, "model", 0);
    return code ? code
                : at_finish(line, at_predict(line->ctx, line->recipe, line->args + 1, line->n_args - 1,
                                             at_show, line));
}

const at_verb at_verb_predict = {
    .name = "predict",
    .summary = "what a trained model says of files",
    .usage = "attune predict MODEL FILE|FOLDER ... [--key value ...]",
    .details = "One line a file, in order: the label and its probability; with --json the probabilities of "
               "all labels.",
    .examples = "  attune predict runs/quick leaf.jpg\n"
                "  attune predict runs/quick inbox/ --json > predictions.jsonl\n",
    .takes_recipe = true,
    .run = run,
};
