/* Split: cuts where a pattern matches, which is a text or a regular expression. */
#include "text/kinds.h"

typedef struct split_params {
    at_regex *pattern; /* NULL: nothing matches */
    at_behaviour behaviour;
    bool invert;
} split_params;

static at_status parse(const at_section *s, void *params)
{
    split_params *p = params;
    AT_TRY(at_section_pattern(s, &p->pattern));
    AT_TRY(at_section_behaviour(s, &p->behaviour, NULL));
    return at_section_flag(s, &p->invert, "invert", false);
}

static void split(at_pieces *w, const void *params, const char *text, int32_t n)
{
    const split_params *p = params;
    at_split_regex(w, p->pattern, text, n, p->behaviour, p->invert);
}

static void apply(const void *params, at_pieces *w)
{
    const split_params *p = params;
    if (p->pattern) at_pieces_split(w, split, p);
}

const at_pre_tokenizer at_pre_tokenizer_split = {
    .name = "Split",
    .doc = "at matches of a pattern",
    .size = sizeof(split_params),
    .parse = parse,
    .apply = apply,
};
