/* yaml_fuzz.c: what the YAML parser takes, the writer gives back, and every node has its line. */
#include "tests/fuzz/fuzz.h"

static void check_lines(const at_tree *t, int lines)
{
    AT_MUST(t->line >= 1 && t->line <= lines);
    for (const at_tree *c = t->first; c; c = c->next) check_lines(c, lines);
}

static void check_writer(at_arena *a, const at_tree *t)
{
    at_text out;
    at_tree *back;
    at_text_init(&out, a->ctx);
    at_yaml_write(&out, t);
    AT_MUST(at_text_status(&out) == AT_OK);
    AT_MUST(at_yaml_parse(a, &back, out.data, out.size, "written") == AT_OK);
    AT_MUST(at_tree_equal(t, back));
    at_text_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    at_ctx *ctx = at_fuzz_begin();
    at_arena a;
    at_arena_init(&a, ctx);
    at_tree *t;
    const at_status status = at_yaml_parse(&a, &t, (const char *)data, size, "input");
    AT_MUST((status == AT_OK) == (t != NULL));
    if (t) {
        check_lines(t, (int)size + 1);
        check_writer(&a, t);
    }
    at_arena_deinit(&a);
    at_fuzz_end(ctx, status);
    return 0;
}
