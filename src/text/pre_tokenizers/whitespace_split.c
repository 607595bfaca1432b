/* WhitespaceSplit: words are between blanks. */
#include "text/kinds.h"

static void split(at_pieces *w, const void *params, const char *text, int32_t n)
{
    (void)params;
    at_split_class(w, text, n, at_is_space, AT_REMOVED);
}

static void apply(const void *params, at_pieces *w)
{
    at_pieces_split(w, split, params);
}

const at_pre_tokenizer at_pre_tokenizer_whitespace_split = {
    .name = "WhitespaceSplit",
    .doc = "at blanks",
    .apply = apply,
};
