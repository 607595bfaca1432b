/* embed: a row of numbers for each text or photo. */
#include "cli/cli.h"
#include <stdio.h>

static int run(at_line *line)
{
    if (line->n_args < 2) {
        fprintf(stderr, "attune: embed takes a model and files or folders\n");
        return EXIT_USAGE;
    }
    const int code = at_set(line, "model", 0);
    return code ? code
                : at_finish(line, at_embed(line->ctx, line->recipe, line->args + 1, line->n_args - 1, at_show,
                                           line));
}

const at_verb at_verb_embed = {
    .name = "embed",
    .summary = "a row of numbers for each text or photo, for search and clustering",
    .usage = "attune embed MODEL FILE|FOLDER ... --output FILE [--key value ...]",
    .details = "Writes what the network makes of each row of a table of texts, or of each photo, in "
               "their order: FILE.safetensors (tensor\n"
               "\"embeddings\"), FILE.npy or FILE.jsonl. Of texts it is what the folder's modules.json says, "
               "as sentence-transformers writes\n"
               "it, else the mean of the tokens' rows; of photos what the output layer would take.",
    .examples = "  attune embed minilm/ questions.tsv --output questions.npy\n"
                "  attune embed runs/quick photos/ --output photos.safetensors\n",
    .takes_recipe = true,
    .run = run,
};
