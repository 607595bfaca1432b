/* Metaspace: spaces become a visible character, one goes before the text, words begin with it. */
#include "text/kinds.h"

typedef enum scheme { ALWAYS, FIRST, NEVER } scheme;

typedef struct metaspace {
    const char *replacement; /* one character */
    int32_t n;               /* its bytes */
    scheme prepend;
    bool split;
} metaspace;

static at_status parse(const at_section *s, void *params)
{
    static const char *const schemes[] = {"always", "first", "never"}; /* in the order of scheme */
    metaspace *p = params;
    bool prefix; /* files of old say it so */
    int chosen;
    uint32_t code;
    AT_TRY(at_section_text(s, &p->replacement, "replacement", "\xe2\x96\x81"));
    p->n = (int32_t)strlen(p->replacement);
    AT_REQUIRE(s->ctx, p->n > 0 && at_utf8_next(&code, p->replacement) == p->n, AT_E_FORMAT,
               "%s: replacement must be one character, it is \"%s\"", s->where, p->replacement);
    AT_TRY(at_section_flag(s, &prefix, "add_prefix_space", true));
    AT_TRY(at_section_choice(s, &chosen, "prepend_scheme", schemes, AT_COUNT(schemes),
                             prefix ? "always" : "never"));
    p->prepend = (scheme)chosen;
    return at_section_flag(s, &p->split, "split", true);
}

static void rewrite(at_pieces *w, const void *params, const char *text, int32_t n)
{
    const metaspace *p = params;
    const bool there = n && (*text == ' ' || (n >= p->n && memcmp(text, p->replacement, (size_t)p->n) == 0));
    if (n && !there && (p->prepend == ALWAYS || (p->prepend == FIRST && w->piece->origin == 0)))
        at_emit_before(w, p->replacement);
    for (int32_t i = 0; i < n;) {
        const char *blank = memchr(text + i, ' ', (size_t)(n - i));
        const int32_t same = blank ? (int32_t)(blank - text) - i : n - i;
        at_keep(w, same);
        i += same;
        if (i == n) break;
        at_drop(w, 1);
        at_emit_text(w, p->replacement, 1);
        i++;
    }
}

static void split(at_pieces *w, const void *params, const char *text, int32_t n)
{
    const metaspace *p = params;
    at_splitter s;
    at_splitter_begin(&s, w, AT_MERGED_WITH_NEXT, false);
    for (int32_t i = 0; i + p->n <= n; i++)
        if (memcmp(text + i, p->replacement, (size_t)p->n) == 0) at_splitter_match(&s, i, i + p->n);
    at_splitter_end(&s, n);
}

static void apply(const void *params, at_pieces *w)
{
    const metaspace *p = params;
    at_pieces_rewrite(w, rewrite, p);
    if (p->split) at_pieces_split(w, split, p);
}

const at_pre_tokenizer at_pre_tokenizer_metaspace = {
    .name = "Metaspace",
    .doc = "words begin with a visible space",
    .size = sizeof(metaspace),
    .parse = parse,
    .apply = apply,
};
