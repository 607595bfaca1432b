/* ByteLevel: nothing around the text; spans leave out blanks. */
#include "text/kinds.h"

static at_status parse(const at_section *s, at_post *out)
{
    AT_TRY(at_section_flag(s, &out->trim, "trim_offsets", true));
    return at_section_flag(s, &out->prefix_space, "add_prefix_space", true);
}

const at_post_processor at_post_processor_byte_level = {
    .name = "ByteLevel",
    .doc = "spans without blanks",
    .parse = parse,
};
