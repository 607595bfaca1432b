/* folder_test.c: making, listing, removing folders. */
#include "formats/file.h"
#include "tests/harness/test.h"
#include "tests/harness/torture.h"
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[1024], path[1100];

static at_ctx *begin(const char *test, const char *name)
{
    at_test_folder(folder, test);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return at_test_ctx();
}

static void put_file(const char *name)
{
    char where[1200];
    snprintf(where, sizeof where, "%s/%s", folder, name);
    FILE *f = fopen(where, "w");
    if (!f) fail_msg("cannot write %s", where);
    fclose(f);
}

AT_TEST(test_folder__is_made_with_its_parents)
{
    at_ctx *ctx = begin("folder_make", "a//b/c/");
    at_expect_ok(ctx, at_folder_make(ctx, path));
    assert_true(at_path_is_folder(path));
    at_expect_ok(ctx, at_folder_make(ctx, path)); /* again */
    at_expect_ok(ctx, at_folder_make(ctx, "/"));
    at_expect_ok(ctx, at_folder_make(ctx, "."));
    at_expect_ok(ctx, at_folder_sync(ctx, path));
    at_test_done(ctx);
}

AT_TEST(test_folder__make_says_what_is_in_the_way)
{
    at_ctx *ctx = begin("folder_way", "file/b");
    put_file("file");
    at_expect_error(ctx, at_folder_make(ctx, path), AT_E_IO, "file: is a file, a folder is needed");
    at_expect_error(ctx, at_folder_make(ctx, ""), AT_E_IO, "cannot make the folder: No such file");
    at_expect_error(ctx, at_folder_make(ctx, "/proc/x"), AT_E_IO, "/proc/x: cannot make the folder");
    at_expect_error(ctx, at_folder_sync(ctx, path), AT_E_IO, "cannot open the folder");
    at_test_done(ctx);
}

AT_TEST(test_folder__paths_are_looked_up)
{
    at_ctx *ctx = begin("folder_paths", "file");
    put_file("file");
    assert_true(at_path_exists(path));
    assert_true(at_path_exists(folder));
    assert_false(at_path_is_folder(path));
    assert_true(at_path_is_folder(folder));
    snprintf(path, sizeof path, "%s/missing", folder);
    assert_false(at_path_exists(path));
    assert_false(at_path_is_folder(path));
    at_test_done(ctx);
}

AT_TEST(test_folder__list_is_sorted_bytewise)
{
    at_ctx *ctx = begin("folder_list", "x");
    static const char *const made[] = {"b", "a", "B", ".hidden", "10", "9", "\xc3\xa4", "z"};
    static const char *const want[] = {".hidden", "10", "9", "B", "a", "b", "z", "\xc3\xa4"};
    for (int i = 0; i < AT_COUNT(made); i++) put_file(made[i]);
    at_arena a;
    at_arena_init(&a, ctx);
    const char **names;
    int64_t n;
    at_expect_ok(ctx, at_folder_list(&a, &names, &n, folder));
    assert_int_equal(n, AT_COUNT(want));
    for (int i = 0; i < AT_COUNT(want); i++) assert_string_equal(names[i], want[i]);
    at_arena_deinit(&a);
    at_test_done(ctx);
}

AT_TEST(test_folder__list_of_nothing)
{
    at_ctx *ctx = begin("folder_empty", "missing");
    at_arena a;
    at_arena_init(&a, ctx);
    const char **names;
    int64_t n = 7;
    at_expect_ok(ctx, at_folder_list(&a, &names, &n, folder));
    assert_int_equal(n, 0);
    at_expect_error(ctx, at_folder_list(&a, &names, &n, path), AT_E_IO,
                    "missing: cannot open the folder: No such file or directory; check the path");
    assert_null(names);
    at_arena_deinit(&a);
    at_test_done(ctx);
}

/* keep/ must survive: tree/ holds links to it. */
static void make_tree(at_ctx *ctx)
{
    char where[1200];
    snprintf(where, sizeof where, "%s/keep", folder);
    at_expect_ok(ctx, at_folder_make(ctx, where));
    put_file("keep/precious");
    snprintf(where, sizeof where, "%s/tree/deep/deeper", folder);
    at_expect_ok(ctx, at_folder_make(ctx, where));
    put_file("tree/a");
    put_file("tree/deep/deeper/b");
    snprintf(where, sizeof where, "%s/tree/deep/link", folder);
    assert_int_equal(symlink("../../keep", where), 0);
    snprintf(where, sizeof where, "%s/tree/dangling", folder);
    assert_int_equal(symlink("nowhere", where), 0);
}

static void expect_kept(void)
{
    char where[1200];
    snprintf(where, sizeof where, "%s/keep/precious", folder);
    assert_true(at_path_exists(where));
}

AT_TEST(test_folder__remove_does_not_follow_links)
{
    at_ctx *ctx = begin("folder_remove", "tree");
    make_tree(ctx);
    at_expect_ok(ctx, at_folder_remove(ctx, path));
    assert_false(at_path_exists(path));
    expect_kept();
    at_expect_ok(ctx, at_folder_remove(ctx, path)); /* not there any more */
    assert_int_equal(symlink("keep", path), 0);
    at_expect_ok(ctx, at_folder_remove(ctx, path));
    struct stat info;
    assert_int_equal(lstat(path, &info), -1);
    expect_kept();
    at_test_done(ctx);
}

AT_TEST(test_folder__remove_says_what_it_cannot_remove)
{
    at_ctx *ctx = begin("folder_refuse", "x");
    at_expect_error(ctx, at_folder_remove(ctx, "/proc/self/status"), AT_E_IO,
                    "/proc/self/status: cannot remove");
    at_test_done(ctx);
}

static at_status make_list_remove(at_ctx *ctx, void *arg)
{
    (void)arg;
    at_arena a;
    at_arena_init(&a, ctx);
    const char **names;
    int64_t n;
    at_status status = at_folder_make(ctx, path);
    if (status == AT_OK) status = at_folder_list(&a, &names, &n, folder);
    at_arena_deinit(&a);
    if (status == AT_OK) status = at_folder_remove(ctx, path);
    return status;
}

AT_TEST(test_folder__survives_failing_allocations)
{
    at_ctx *ctx = begin("folder_torture", "one/two");
    at_torture(ctx, make_list_remove, NULL);
    at_test_done(ctx);
}
