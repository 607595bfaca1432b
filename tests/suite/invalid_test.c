/* invalid_test.c: every folder tests/data/invalid/FORMAT/NAME holds an `input` that must be refused and in
 * `error` what the message must contain. A new case is a new folder. */
#include "formats/file.h"
#include "formats/safetensors.h"
#include "formats/table_internal.h"
#include "tests/harness/test.h"
#include <stdio.h>

enum { MESSAGE_LIMIT = 1000, INPUT_LIMIT = 1 << 20 };

typedef at_status (*open_fn)(at_ctx *ctx, const char *path);

static at_status open_safetensors(at_ctx *ctx, const char *path)
{
    at_safetensors *f;
    const at_status status = at_safetensors_open(&f, ctx, path);
    if (status != AT_OK) assert_null(f);
    at_safetensors_close(ctx, f);
    return status;
}

static at_status parse(at_ctx *ctx, const char *path,
                       at_status (*parser)(at_arena *, at_tree **, const char *, size_t, const char *))
{
    char *text;
    size_t size;
    at_arena a;
    at_tree *t;
    at_arena_init(&a, ctx);
    at_expect_ok(ctx, at_file_read(ctx, &text, &size, path, INPUT_LIMIT));
    const at_status status = parser(&a, &t, text, size, path);
    if (status != AT_OK) assert_null(t);
    at_free(ctx, text);
    at_arena_deinit(&a);
    return status;
}

static at_status parse_json(at_ctx *ctx, const char *path)
{
    return parse(ctx, path, at_json_parse);
}

static at_status parse_yaml(at_ctx *ctx, const char *path)
{
    return parse(ctx, path, at_yaml_parse);
}

static at_status read_csv(at_ctx *ctx, const char *path)
{
    at_table t;
    const at_status status = at_table_read(ctx, &t, path, &(at_table_options){.delimiter = ","});
    if (status == AT_OK) at_table_deinit(&t);
    return status;
}

static at_status read_jsonl(at_ctx *ctx, const char *path)
{
    at_file f;
    at_table t = {.path = path};
    at_arena_init(&t.arena, ctx);
    at_expect_ok(ctx, at_file_map(ctx, &f, path));
    const at_status status = at__json_read(&t, (const char *)f.data, f.size, true);
    at_file_unmap(ctx, &f);
    at_table_deinit(&t);
    return status;
}

static void replay_one(at_ctx *ctx, const char *folder, const char *name, open_fn open)
{
    char path[1100], *want;
    size_t n;
    snprintf(path, sizeof path, "%s/%s/error", folder, name);
    at_expect_ok(ctx, at_file_read(ctx, &want, &n, path, MESSAGE_LIMIT));
    want[strcspn(want, "\n")] = '\0';
    assert_true(*want);
    snprintf(path, sizeof path, "%s/%s/input", folder, name);
    const at_status got = open(ctx, path);
    if (got != AT_E_FORMAT && got != AT_E_UNSUPPORTED)
        fail_msg("%s: status %s: %s", path, at_status_name(got), at_last_error(ctx));
    if (!strstr(at_last_error(ctx), path)) fail_msg("\"%s\" does not name the file", at_last_error(ctx));
    if (!strstr(at_last_error(ctx), want))
        fail_msg("%s: \"%s\" lacks \"%s\"", name, at_last_error(ctx), want);
    at_clear_error(ctx);
    at_free(ctx, want);
}

/* Every case of one format, at least `least` of them. */
static void replay(const char *format, open_fn open, int least)
{
    at_ctx *ctx = at_test_ctx();
    at_arena a;
    at_arena_init(&a, ctx);
    const char **names, *folder = at_arena_printf(&a, "%s/tests/data/invalid/%s", AT_SOURCE_DIR, format);
    int64_t n;
    int cases = 0;
    at_expect_ok(ctx, at_folder_list(&a, &names, &n, folder));
    for (int64_t i = 0; i < n; i++) {
        if (!at_path_is_folder(at_arena_printf(&a, "%s/%s", folder, names[i]))) continue;
        replay_one(ctx, folder, names[i], open);
        cases++;
    }
    assert_true(cases >= least);
    at_arena_deinit(&a);
    at_test_done(ctx);
}

AT_TEST(test_invalid__safetensors)
{
    replay("safetensors", open_safetensors, 40);
}

AT_TEST(test_invalid__json)
{
    replay("json", parse_json, 30);
}

AT_TEST(test_invalid__yaml)
{
    replay("yaml", parse_yaml, 30);
}

AT_TEST(test_invalid__csv)
{
    replay("csv", read_csv, 15);
}

AT_TEST(test_invalid__jsonl)
{
    replay("jsonl", read_jsonl, 12);
}
