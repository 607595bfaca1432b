/* Prepend: a text goes before every text that is not empty. */
#include "text/kinds.h"

typedef struct prepend {
    const char *text;
} prepend;

static at_status parse(const at_section *s, void *params)
{
    prepend *p = params;
    return at_section_text(s, &p->text, "prepend", NULL);
}

/* What is put before a character belongs to it. */
static void rewrite(at_pieces *w, const void *params, const char *text, int32_t n)
{
    const prepend *p = params;
    if (n && *p->text) at_emit_before(w, p->text);
    at_keep(w, n);
    (void)text;
}

static void apply(const void *params, at_pieces *w)
{
    at_pieces_rewrite(w, rewrite, params);
}

const at_normalizer at_normalizer_prepend = {
    .name = "Prepend",
    .doc = "a text goes before",
    .size = sizeof(prepend),
    .parse = parse,
    .apply = apply,
};
