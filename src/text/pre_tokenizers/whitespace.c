/* Whitespace: words are runs of \w, and runs of what is neither \w nor blank. */
#include "text/kinds.h"

static void split(at_pieces *w, const void *params, const char *text, int32_t n)
{
    (void)params;
    uint32_t c;
    int32_t first = 0;
    enum { BLANK, WORD, OTHER } run = BLANK;
    for (int32_t i = 0, k; i < n; i += k) {
        k = at_utf8_next(&c, text + i);
        const int class = at_is_word(c) ? WORD : at_is_space(c) ? BLANK : OTHER;
        if (class == (int)run) continue;
        if (run != BLANK) at_cut(w, first, i);
        first = i;
        run = class;
    }
    if (run != BLANK) at_cut(w, first, n);
}

static void apply(const void *params, at_pieces *w)
{
    at_pieces_split(w, split, params);
}

const at_pre_tokenizer at_pre_tokenizer_whitespace = {
    .name = "Whitespace",
    .doc = "runs of letters and digits, and of other signs",
    .apply = apply,
};
