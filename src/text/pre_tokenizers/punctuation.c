/* Punctuation: cuts at punctuation marks. */
#include "text/kinds.h"

typedef struct punctuation {
    at_behaviour behaviour;
} punctuation;

static at_status parse(const at_section *s, void *params)
{
    punctuation *p = params;
    return at_section_behaviour(s, &p->behaviour, "Isolated");
}

static void split(at_pieces *w, const void *params, const char *text, int32_t n)
{
    const punctuation *p = params;
    at_split_class(w, text, n, at_is_punct, p->behaviour);
}

static void apply(const void *params, at_pieces *w)
{
    at_pieces_split(w, split, params);
}

const at_pre_tokenizer at_pre_tokenizer_punctuation = {
    .name = "Punctuation",
    .doc = "at punctuation marks",
    .size = sizeof(punctuation),
    .parse = parse,
    .apply = apply,
};
