/* Sequence: pre-tokenizers one after the other. */
#include "text/kinds.h"

static at_status parse(const at_section *s, void *params)
{
    return at_steps_parse(params, s, "pretokenizers", at_pre_tokenizer_parse);
}

static void apply(const void *params, at_pieces *w)
{
    at_steps_apply(params, w);
}

const at_pre_tokenizer at_pre_tokenizer_sequence = {
    .name = "Sequence",
    .doc = "pre-tokenizers one after the other",
    .size = sizeof(at_steps),
    .parse = parse,
    .apply = apply,
};
