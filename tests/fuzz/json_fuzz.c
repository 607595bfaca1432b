/* json_fuzz.c: what the JSON parser takes, the writer gives back. */
#include "tests/fuzz/fuzz.h"

static void check_writer(at_arena *a, const at_tree *t, int indent)
{
    at_text out;
    at_tree *back;
    at_text_init(&out, a->ctx);
    at_json_write(&out, t, indent);
    AT_MUST(at_text_status(&out) == AT_OK);
    AT_MUST(at_json_parse(a, &back, out.data, out.size, "written") == AT_OK);
    AT_MUST(at_tree_equal(t, back));
    at_text_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    at_ctx *ctx = at_fuzz_begin();
    at_arena a;
    at_arena_init(&a, ctx);
    at_tree *t;
    const at_status status = at_json_parse(&a, &t, (const char *)data, size, "input");
    AT_MUST((status == AT_OK) == (t != NULL));
    if (t) {
        check_writer(&a, t, 0);
        check_writer(&a, t, 2);
    }
    at_arena_deinit(&a);
    at_fuzz_end(ctx, status);
    return 0;
}
