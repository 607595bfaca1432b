/* unicode.h: what characters are, by utf8proc's tables: the classes that `tokenizers` (Rust) asks for.
 * Layer: text. */
#ifndef AT_UNICODE_H
#define AT_UNICODE_H

#include "base/text.h"

/* Next character of valid, NUL-terminated UTF-8: its length in bytes. */
static inline int at_utf8_next(uint32_t *code, const char *s)
{
    if ((signed char)*s < 0) return at_utf8_decode(code, s);
    *code = (uint32_t)*s;
    return 1;
}

bool at_is_space(uint32_t c);           /* Unicode's White_Space */
bool at_is_control(uint32_t c);         /* general categories Cc, Cf, Co */
bool at_is_punct(uint32_t c);           /* P*, and ASCII's symbols */
bool at_is_numeric(uint32_t c);         /* N* */
bool at_is_word(uint32_t c);            /* \w of UTS 18: letters, marks, digits, connectors, joiners */
bool at_is_mark(uint32_t c);            /* M* */
bool at_is_nonspacing_mark(uint32_t c); /* Mn */
bool at_is_chinese(uint32_t c);         /* BERT's blocks of ideographs */

/* Lower case: 1 or 2 codes. */
int at_lower(uint32_t out[2], uint32_t c);

#endif
