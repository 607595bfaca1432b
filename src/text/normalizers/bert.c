/* BertNormalizer: control characters go, blanks become spaces, ideographs stand alone, accents go, letters
 * become lower case: each as its option says. strip_accents null: as lowercase. */
#include "text/normalizers/forms.h"

typedef struct bert_normalizer {
    bool clean_text, handle_chinese_chars, strip_accents, lowercase;
} bert_normalizer;

static at_status parse(const at_section *s, void *params)
{
    bert_normalizer *p = params;
    AT_TRY(at_section_flag(s, &p->clean_text, "clean_text", true));
    AT_TRY(at_section_flag(s, &p->handle_chinese_chars, "handle_chinese_chars", true));
    AT_TRY(at_section_flag(s, &p->lowercase, "lowercase", true));
    return at_section_flag(s, &p->strip_accents, "strip_accents", p->lowercase);
}

static bool goes(uint32_t c)
{
    return c == 0 || c == 0xfffd || (at_is_control(c) && c != '\t' && c != '\n' && c != '\r');
}

typedef enum becomes { ITSELF, NOTHING, BLANK, ALONE, LOWER } becomes;

static becomes meet(const bert_normalizer *p, uint32_t c)
{
    if (c > ' ' && c < 0x7f) return p->lowercase && c >= 'A' && c <= 'Z' ? LOWER : ITSELF;
    if (p->clean_text && goes(c)) return NOTHING;
    if (p->clean_text && at_is_space(c)) return c == ' ' ? ITSELF : BLANK;
    return p->handle_chinese_chars && at_is_chinese(c) ? ALONE : ITSELF;
}

/* clean_text and handle_chinese_chars in one pass, and ASCII's letters to lower case: most texts then have
 * nothing left to do. */
static void clean(at_pieces *w, const void *params, const char *text, int32_t n)
{
    const bert_normalizer *p = params;
    uint32_t c;
    int32_t same = 0; /* bytes before i that stay as they are */
    for (int32_t i = 0, k; i < n; i += k) {
        k = at_utf8_next(&c, text + i);
        const becomes what = meet(p, c);
        if (what == ITSELF) {
            same += k;
            continue;
        }
        at_keep(w, same);
        same = 0;
        if (what == NOTHING) {
            at_drop(w, k);
        } else if (what == ALONE) {
            at_emit(w, ' ', 0);
            at_emit(w, c, 1);
            at_emit(w, ' ', 1);
        } else {
            at_emit(w, what == LOWER ? c + ('a' - 'A') : ' ', 0);
        }
    }
    at_keep(w, same);
}

static void apply(const void *params, at_pieces *w)
{
    const bert_normalizer *p = params;
    at_pieces_rewrite(w, clean, p);
    if (at_pieces_are_ascii(w)) return;
    if (p->strip_accents) {
        at_apply_form(w, &(at_form){.compose = false, .compatible = false});
        at_filter(w, at_is_nonspacing_mark);
    }
    if (p->lowercase) at_apply_lowercase(w);
}

const at_normalizer at_normalizer_bert = {
    .name = "BertNormalizer",
    .doc = "BERT's cleaning of text",
    .size = sizeof(bert_normalizer),
    .parse = parse,
    .apply = apply,
};
