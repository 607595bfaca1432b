/* BertPreTokenizer: words are between blanks, and each punctuation mark is one. */
#include "text/kinds.h"

static void split(at_pieces *w, const void *params, const char *text, int32_t n)
{
    (void)params;
    uint32_t c;
    int32_t first = 0; /* of the word */
    for (int32_t i = 0, k; i < n; i += k) {
        k = at_utf8_next(&c, text + i);
        const bool blank = at_is_space(c);
        if (!blank && !at_is_punct(c)) continue;
        at_cut(w, first, i);
        if (!blank) at_cut(w, i, i + k);
        first = i + k;
    }
    at_cut(w, first, n);
}

static void apply(const void *params, at_pieces *w)
{
    at_pieces_split(w, split, params);
}

const at_pre_tokenizer at_pre_tokenizer_bert = {
    .name = "BertPreTokenizer",
    .doc = "at blanks and punctuation",
    .apply = apply,
};
