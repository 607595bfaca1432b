/* Strip: blanks at the ends go. */
#include "text/kinds.h"

typedef struct strip {
    bool left, right;
} strip;

static at_status parse(const at_section *s, void *params)
{
    strip *p = params;
    AT_TRY(at_section_flag(s, &p->left, "strip_left", true));
    return at_section_flag(s, &p->right, "strip_right", true);
}

static void rewrite(at_pieces *w, const void *params, const char *text, int32_t n)
{
    const strip *p = params;
    int32_t first = 0, end = 0; /* of what is between the blanks */
    bool seen = false;
    uint32_t c;
    for (int32_t i = 0, k; i < n; i += k) {
        k = at_utf8_next(&c, text + i);
        if (at_is_space(c)) continue;
        if (!seen) first = i;
        seen = true;
        end = i + k;
    }
    if (!seen && (p->left || p->right)) return;
    if (!p->left) first = 0;
    if (!p->right) end = n;
    at_drop(w, first);
    at_keep(w, end - first);
}

static void apply(const void *params, at_pieces *w)
{
    at_pieces_rewrite(w, rewrite, params);
}

const at_normalizer at_normalizer_strip = {
    .name = "Strip",
    .doc = "blanks at the ends go",
    .size = sizeof(strip),
    .parse = parse,
    .apply = apply,
};
