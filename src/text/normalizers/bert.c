/* BertNormalizer: control characters go, blanks become spaces, ideographs stand alone, accents go, letters
 * become lower case: each as its option says. strip_accents null: as lowercase. */
#include "text/normalizers/forms.h"

typedef struct bert {
    bool clean_text, handle_chinese_chars, strip_accents, lowercase;
} bert;

static at_status parse(const at_section *s, void *params)
{
    bert *p = params;
    AT_TRY(at_section_flag(s, &p->clean_text, "clean_text", true));
    AT_TRY(at_section_flag(s, &p->handle_chinese_chars, "handle_chinese_chars", true));
    AT_TRY(at_section_flag(s, &p->lowercase, "lowercase", true));
    return at_section_flag(s, &p->strip_accents, "strip_accents", p->lowercase);
}

static bool goes(uint32_t c)
{
    return c == 0 || c == 0xfffd || (at_is_control(c) && c != '\t' && c != '\n' && c != '\r');
}

/* clean_text and handle_chinese_chars in one pass. */
static void clean(at_pieces *w, const void *params, const char *text, int32_t n)
{
    const bert *p = params;
    uint32_t c;
    for (int32_t i = 0, k; i < n; i += k) {
        k = at_utf8_next(&c, text + i);
        const bool gone = p->clean_text && goes(c), chinese = p->handle_chinese_chars && at_is_chinese(c);
        if (gone) {
            at_drop(w, k);
        } else if (chinese) {
            at_emit(w, ' ', 0);
            at_emit(w, c, 1);
            at_emit(w, ' ', 1);
        } else if (p->clean_text && at_is_space(c)) {
            at_emit(w, ' ', 0);
        } else {
            at_keep(w, k);
        }
    }
}

static void apply(const void *params, at_pieces *w)
{
    const bert *p = params;
    if (p->clean_text || p->handle_chinese_chars) at_pieces_rewrite(w, clean, p);
    if (p->strip_accents) {
        at_apply_form(w, &(at_form){.compose = false, .compatible = false});
        at_filter(w, at_is_nonspacing_mark);
    }
    if (p->lowercase) at_apply_lowercase(w);
}

const at_normalizer at_normalizer_bert = {
    .name = "BertNormalizer",
    .doc = "BERT's cleaning of text",
    .size = sizeof(bert),
    .parse = parse,
    .apply = apply,
};
