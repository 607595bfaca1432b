/* Sequence: post-processors one after the other; one of them at most puts tokens around the text. */
#include "text/kinds.h"

static at_status parse(const at_section *s, at_post *out)
{
    const at_tree *list;
    int64_t i = 0;
    AT_TRY(at_section_list(s, &list, "processors"));
    for (const at_tree *c = list->first; c; c = c->next) {
        at_section child;
        at_post one = {{NULL, 0}, {NULL, 0}, out->trim, out->prefix_space};
        AT_TRY(at_section_child(&child, s, c, ".processors", i++));
        AT_TRY(at_post_processor_parse(&one, &child));
        AT_REQUIRE(s->ctx, !one.single.list || !out->single.list, AT_E_UNSUPPORTED,
                   "%s: only one post-processor of a sequence may put tokens around the text", child.where);
        if (out->single.list) {
            one.single = out->single;
            one.pair = out->pair;
        }
        *out = one;
    }
    return AT_OK;
}

const at_post_processor at_post_processor_sequence = {
    .name = "Sequence",
    .doc = "post-processors one after the other",
    .parse = parse,
};
