/* Replace: a text stands in the place of every match of a pattern, which is a text or a regular expression.
 */
#include "text/kinds.h"

typedef struct replace {
    at_regex *pattern; /* NULL: nothing matches */
    const char *content;
} replace;

static at_status parse(const at_section *s, void *params)
{
    replace *p = params;
    AT_TRY(at_section_pattern(s, &p->pattern));
    return at_section_text(s, &p->content, "content", NULL);
}

/* What replaces a match belongs where the match's last character came from. */
static void rewrite(at_pieces *w, const void *params, const char *text, int32_t n)
{
    const replace *p = params;
    at_regex_walk walk;
    at_range match;
    int32_t done = 0;
    at_regex_begin(&walk, w, p->pattern, text, n);
    while (at_regex_next(&walk, &match)) {
        at_keep(w, match.first - done);
        at_drop(w, match.end - match.first);
        at_emit_text(w, p->content, 1);
        done = match.end;
    }
    at_regex_end(&walk);
    at_keep(w, n - done);
}

static void apply(const void *params, at_pieces *w)
{
    const replace *p = params;
    if (p->pattern) at_pieces_rewrite(w, rewrite, p);
}

const at_normalizer at_normalizer_replace = {
    .name = "Replace",
    .doc = "a text for every match of a pattern",
    .size = sizeof(replace),
    .parse = parse,
    .apply = apply,
};
