/* RobertaProcessing: <s> text </s>, <s> text </s></s> pair </s>, all of type 0; spans leave out blanks. */
#include "text/kinds.h"

static at_status parse(const at_section *s, at_post *out)
{
    int32_t cls, sep;
    AT_TRY(at_section_special(s, &cls, "cls"));
    AT_TRY(at_section_special(s, &sep, "sep"));
    AT_TRY(at_section_flag(s, &out->trim, "trim_offsets", true));
    AT_TRY(at_section_flag(s, &out->prefix_space, "add_prefix_space", true));
    const at_template_item items[] = {{cls, -1, 0}, {-1, 0, 0}, {sep, -1, 0},
                                      {sep, -1, 0}, {-1, 1, 0}, {sep, -1, 0}};
    AT_TRY(at_template_make(s, &out->single, items, 3));
    return at_template_make(s, &out->pair, items, 6);
}

const at_post_processor at_post_processor_roberta = {
    .name = "RobertaProcessing",
    .doc = "<s> text </s></s> pair </s>",
    .parse = parse,
};
