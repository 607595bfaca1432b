/* BertProcessing: [CLS] text [SEP], [CLS] text [SEP] pair [SEP]; what belongs to the pair has type 1. */
#include "text/kinds.h"

static at_status parse(const at_section *s, at_post *out)
{
    int32_t cls, sep;
    AT_TRY(at_section_special(s, &cls, "cls"));
    AT_TRY(at_section_special(s, &sep, "sep"));
    const at_template_item items[] = {{cls, -1, 0}, {-1, 0, 0}, {sep, -1, 0}, {-1, 1, 1}, {sep, -1, 1}};
    AT_TRY(at_template_make(s, &out->single, items, 3));
    return at_template_make(s, &out->pair, items, 5);
}

const at_post_processor at_post_processor_bert = {
    .name = "BertProcessing",
    .doc = "[CLS] text [SEP] pair [SEP]",
    .parse = parse,
};
