/* bench: how fast this machine trains a network. */
#include "cli/cli.h"

static int run(at_line *line)
{
    int code = at_take_most(line, 1, "bench takes a model");
    if (!code) code = at_set(line, "model", 0);
    return code ? code : at_finish(line, at_bench(line->ctx, line->recipe, at_show, line));
}

const at_verb at_verb_bench = {
    .name = "bench",
    .summary = "how fast this machine trains a network, and what holds it back",
    .usage = "attune bench MODEL [--recipe FILE] [--bench.steps N] [--key value ...]",
    .details =
        "Trains on one batch of noise that stays in memory: no photos are read and nothing is written.\n"
        "Tells the time of a step, then how it compares with what the machine can do: memory bandwidth and\n"
        "products are measured, and give the least time for the bytes and the arithmetic of each node. A\n"
        "\"limit\" of 40 % says that the node takes 2.5 times that. What lies in a cache moves faster than\n"
        "memory, so small nodes may be above 100 %.",
    .examples = "  attune bench mobilenet/\n"
                "  attune bench mobilenet/ --batch_size 64 --method last:3 --precision f32\n"
                "  attune bench mobilenet/ --bench.size 320 --bench.steps 5 --json\n",
    .takes_recipe = true,
    .run = run,
};
