/* main.c: runs the tests of one file, of one name, or all: attune_test [PATTERN]; the pattern is a glob over
 * "src/ops/relu6/relu6_test.c" and over test names. Exit code 1 when a test fails, 2 when none matches. */
#include "engine/tensor.h"
#include "tests/harness/test.h"
#include <ftw.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

extern const at_test at_tests[];

void at_note_skip(const char *test, const char *reason)
{
    printf("SKIP %s: %s\n", test, reason);
}

at_ctx *at_test_ctx(void)
{
    at_ctx *ctx;
    if (at_ctx_create(&ctx, &(at_ctx_options){.threads = 2}) != AT_OK) fail_msg("no context");
    return ctx;
}

void at_test_done(at_ctx *ctx)
{
    if (ctx->n_added) ctx->alloc.live--;
    assert_int_equal(ctx->alloc.live, 0);
    at_ctx_destroy(ctx);
}

void at_expect_error(at_ctx *ctx, at_status got, at_status want, const char *part)
{
    if (got != want)
        fail_msg("status %s, expected %s; message: %s", at_status_name(got), at_status_name(want),
                 at_last_error(ctx));
    if (!strstr(at_last_error(ctx), part)) fail_msg("message \"%s\" lacks \"%s\"", at_last_error(ctx), part);
    at_clear_error(ctx);
}

const char *at_test_data(char out[1024], const char *relative)
{
    const char *root = getenv("ATTUNE_DATA");
    if (!root || !*root) return NULL;
    snprintf(out, 1024, "%s/%s", root, relative);
    return out;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *at)
{
    (void)info, (void)type, (void)at;
    return remove(path);
}

static void make_folders(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0777); /* most exist; what cannot be made, the last one tells */
        *slash = '/';
    }
    if (mkdir(path, 0777) != 0) fail_msg("cannot make %s", path);
}

/* Without a shell: thousands are made. */
const char *at_test_folder(char out[1024], const char *name)
{
    /* attune_test and attune_test_f64 run side by side, often the same file. */
    snprintf(out, 1024, "%s/scratch/%s/%s", AT_BUILD_DIR, sizeof(at_real) == sizeof(double) ? "f64" : "f32",
             name);
    if (access(out, F_OK) == 0 && nftw(out, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0)
        fail_msg("cannot remove %s", out);
    make_folders(out);
    return out;
}

/* All selected tests of one file, as one cmocka group. */
static int run_file(const at_test *first, const char *pattern, int *n_run)
{
    enum { MAX_TESTS = 256 };
    struct CMUnitTest tests[MAX_TESTS];
    int n = 0;
    const bool whole_file = at_glob_match(pattern, first->file);
    for (const at_test *t = first; t->file == first->file || (t->file && strcmp(t->file, first->file) == 0);
         t++)
        if (n < MAX_TESTS && (whole_file || at_glob_match(pattern, t->name)))
            tests[n++] = (struct CMUnitTest){.name = t->name, .test_func = t->run};
    *n_run += n;
    return n ? _cmocka_run_group_tests(first->file, tests, (size_t)n, NULL, NULL) : 0;
}

int main(int argc, char **argv)
{
    const char *pattern = argc > 1 ? argv[1] : "*";
    int n_failed = 0, n_run = 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    mallopt(M_MMAP_THRESHOLD, 1 << 30); /* operands come and go by the thousand: their pages stay */
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    for (const at_test *t = at_tests; t->name; t++)
        if (t == at_tests || strcmp(t->file, t[-1].file) != 0) n_failed += run_file(t, pattern, &n_run);
    if (n_run == 0) {
        fprintf(stderr, "no test matches \"%s\"\n", pattern);
        return 2;
    }
    printf("%d of %d tests passed\n", n_run - n_failed, n_run);
    return n_failed ? 1 : 0;
}
