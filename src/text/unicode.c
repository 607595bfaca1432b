/* unicode.c: classes of characters by utf8proc. Layer: text. */
#include "text/unicode.h"
#include <utf8proc.h>

#define CLASS(name) (1u << UTF8PROC_CATEGORY_##name)

enum {
    LETTERS = CLASS(LU) | CLASS(LL) | CLASS(LT) | CLASS(LM) | CLASS(LO),
    MARKS = CLASS(MN) | CLASS(MC) | CLASS(ME),
    NUMBERS = CLASS(ND) | CLASS(NL) | CLASS(NO),
    PUNCTUATION = CLASS(PC) | CLASS(PD) | CLASS(PS) | CLASS(PE) | CLASS(PI) | CLASS(PF) | CLASS(PO),
    WORDS = LETTERS | MARKS | CLASS(ND) | CLASS(NL) | CLASS(PC),
};

static bool is(uint32_t c, unsigned classes)
{
    return (1u << utf8proc_category((utf8proc_int32_t)c) & classes) != 0;
}

bool at_is_space(uint32_t c)
{
    if (c > ' ' && c < 0x7f) return false;
    return c == ' ' || (c >= 9 && c <= 13) || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f ||
           c == 0x3000;
}

bool at_is_control(uint32_t c)
{
    return is(c, CLASS(CC) | CLASS(CF) | CLASS(CO));
}

bool at_is_punct(uint32_t c)
{
    if (c < 0x80)
        return c > ' ' && c < 0x7f && !(c >= '0' && c <= '9') && !((c | 32) >= 'a' && (c | 32) <= 'z');
    return is(c, PUNCTUATION);
}

bool at_is_numeric(uint32_t c)
{
    return is(c, NUMBERS);
}

bool at_is_word(uint32_t c)
{
    if (c < 0x80) return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '_';
    if (is(c, WORDS) || c == 0x200c || c == 0x200d) return true;
    /* letters in circles and squares: symbols that are alphabetic */
    return (c >= 0x24b6 && c <= 0x24e9) || (c >= 0x1f130 && c <= 0x1f149) || (c >= 0x1f150 && c <= 0x1f169) ||
           (c >= 0x1f170 && c <= 0x1f189);
}

bool at_is_mark(uint32_t c)
{
    return is(c, MARKS);
}

bool at_is_nonspacing_mark(uint32_t c)
{
    return is(c, CLASS(MN));
}

bool at_is_chinese(uint32_t c)
{
    if (c < 0x3400) return false;
    /* 2B920, not 2B820, as `tokenizers` has it */
    return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf) || (c >= 0x20000 && c <= 0x2a6df) ||
           (c >= 0x2a700 && c <= 0x2b81f) || (c >= 0x2b920 && c <= 0x2ceaf) || (c >= 0xf900 && c <= 0xfaff) ||
           (c >= 0x2f800 && c <= 0x2fa1f);
}

int at_lower(uint32_t out[2], uint32_t c)
{
    out[0] = c < 0x80     ? c + (c >= 'A' && c <= 'Z' ? 'a' - 'A' : 0)
             : c == 0x130 ? 'i'
                          : (uint32_t)utf8proc_tolower((utf8proc_int32_t)c);
    out[1] = 0x307; /* dot above: of I with a dot alone */
    return c == 0x130 ? 2 : 1;
}
