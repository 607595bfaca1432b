/* forms.h: rewritings that several normalizers share. Layer: text. */
#ifndef AT_FORMS_H
#define AT_FORMS_H

#include "text/kinds.h"

typedef struct at_form { /* of Unicode's four normal forms */
    bool compose, compatible;
} at_form;

void at_apply_form(at_pieces *w, const at_form *form);
void at_apply_lowercase(at_pieces *w);
/* Characters of a class without ASCII go. */
void at_filter(at_pieces *w, bool (*goes)(uint32_t c));

#endif
