/* train: fine-tune a model on data. */
#include "cli/cli.h"
#include <stdio.h>
#include <sys/stat.h>

/* "attune train --resume runs/x": the run's own recipe, and its folder as output. */
static int take_run(at_line *line)
{
    char path[4096];
    struct stat info;
    snprintf(path, sizeof path, "%s/recipe.yaml", line->args[0]);
    if (line->n_args != 1 || stat(path, &info) != 0) return 0;
    at_status s = at_recipe_load(line->recipe, path);
    if (s == AT_OK) s = at_recipe_set(line->recipe, "output", line->args[0]);
    line->n_args = 0;
    return s == AT_OK ? 0 : at_finish(line, s);
}

static int run(at_line *line)
{
    int code = at_take_most(line, 2, "train takes a model and a data folder");
    if (!code && line->n_args == 1) code = take_run(line);
    if (!code) code = at_set(line, "model", 0);
    if (!code) code = at_set(line, "data.train", 1);
    return code ? code : at_finish(line, at_train(line->ctx, line->recipe, at_show, line));
}

const at_verb at_verb_train = {
    .name = "train",
    .summary = "fine-tune a model on data",
    .usage = "attune train MODEL DATA [--recipe FILE] [--key value ...]",
    .details =
        "MODEL is a folder with config.json and model.safetensors (Transformers or timm layout), or "
        "an earlier run.\n"
        "DATA is a folder with one sub-folder of photos a class, or with train/ and test/ of that "
        "kind. Everything is\n"
        "checked before work starts; the run folder receives the best model, logs, checkpoints and "
        "report.html.\n"
        "Ctrl-C saves and stops; --resume continues with the same bits. --ladder runs several methods "
        "from the cheapest\n"
        "to the dearest, each with its forecast, and shows what each gains over the commonest answer and "
        "the ones before;\n"
        "Ctrl-C shows what there is.",
    .examples = "  attune train mobilenet/ photos/\n"
                "  attune train mobilenet/ photos/ --method head --output runs/quick\n"
                "  attune train mobilenet/ photos/ --method last:3 --epochs 30 --augment '[{flip: both}]'\n"
                "  attune train --recipe recipe.yaml --learning_rate 3e-4\n"
                "  attune train minilm/ messages.tsv --ladder=probe,lora,full\n"
                "  attune train --resume runs/quick\n",
    .takes_recipe = true,
    .run = run,
};
