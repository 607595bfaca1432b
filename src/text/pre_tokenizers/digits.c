/* Digits: numbers stand alone, as wholes or each digit. */
#include "text/kinds.h"

typedef struct digits {
    bool individual;
} digits;

static at_status parse(const at_section *s, void *params)
{
    digits *p = params;
    return at_section_flag(s, &p->individual, "individual_digits", false);
}

static void split(at_pieces *w, const void *params, const char *text, int32_t n)
{
    const digits *p = params;
    at_split_class(w, text, n, at_is_numeric, p->individual ? AT_ISOLATED : AT_CONTIGUOUS);
}

static void apply(const void *params, at_pieces *w)
{
    at_pieces_split(w, split, params);
}

const at_pre_tokenizer at_pre_tokenizer_digits = {
    .name = "Digits",
    .doc = "numbers stand alone",
    .size = sizeof(digits),
    .parse = parse,
    .apply = apply,
};
