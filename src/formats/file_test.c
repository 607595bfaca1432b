/* file_test.c: mapping, reading, atomic writing; what stays behind when writing fails. */
#include "formats/file.h"
#include "tests/harness/resident.h"
#include "tests/harness/test.h"
#include "tests/harness/torture.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[1024], path[1100];

/* A fresh folder; `path` becomes NAME in it. */
static at_ctx *begin(const char *test, const char *name)
{
    at_test_folder(folder, test);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return at_test_ctx();
}

static void put_file(const char *where, const char *content)
{
    FILE *f = fopen(where, "w");
    if (!f) fail_msg("cannot write %s", where);
    fputs(content, f);
    fclose(f);
}

static void expect_content(at_ctx *ctx, const char *where, const char *want)
{
    char *text;
    size_t size;
    at_expect_ok(ctx, at_file_read(ctx, &text, &size, where, 1 << 20));
    assert_string_equal(text, want);
    assert_int_equal(size, strlen(want));
    at_free(ctx, text);
}

static int64_t count_entries(at_ctx *ctx)
{
    at_arena a;
    at_arena_init(&a, ctx);
    const char **names;
    int64_t n;
    at_expect_ok(ctx, at_folder_list(&a, &names, &n, folder));
    at_arena_deinit(&a);
    return n;
}

/* ---- Reading ---- */

AT_TEST(test_file__maps)
{
    at_ctx *ctx = begin("file_maps", "a");
    put_file(path, "hello");
    at_file f;
    at_expect_ok(ctx, at_file_map(ctx, &f, path));
    assert_int_equal(f.size, 5);
    assert_memory_equal(f.data, "hello", 5);
    assert_string_equal(f.path, path);
    at_file_unmap(ctx, &f);
    at_file_unmap(ctx, &f);
    put_file(path, "");
    at_expect_ok(ctx, at_file_map(ctx, &f, path));
    assert_int_equal(f.size, 0);
    assert_null(f.data);
    at_file_unmap(ctx, &f);
    at_test_done(ctx);
}

/* Pages leave memory, contents stay: also where the bytes begin and end within pages. */
AT_TEST(test_file__lets_go_of_pages)
{
    enum { SIZE = 3 << 20 };
    at_ctx *ctx = begin("file_let_go", "numbers");
    unsigned char *bytes = malloc(SIZE);
    at_file f;
    assert_non_null(bytes);
    for (int i = 0; i < SIZE; i++) bytes[i] = (unsigned char)(i * 7 + i / 256);
    at_expect_ok(ctx, at_file_write(ctx, path, bytes, SIZE));
    at_expect_ok(ctx, at_file_map(ctx, &f, path));
    assert_memory_equal(f.data, bytes, SIZE);
    assert_true(at_resident_kib(f.data) == SIZE >> 10);
    at_file_let_go(&f, f.data + 5000, SIZE - 10000);
    assert_true(at_resident_kib(f.data) <= 64);
    assert_memory_equal(f.data, bytes, SIZE);
    at_file_let_go(&f, f.data, f.size);
    assert_true(at_resident_kib(f.data) == 0);
    at_file_let_go(&f, f.data, 0);
    at_file_unmap(ctx, &f);
    free(bytes);
    at_test_done(ctx);
}

/* Elsewhere lies memory that would be lost: pages before, behind and across the end of the mapping. */
AT_TEST(test_file__lets_go_of_the_mapping_alone)
{
    enum { PAGE = 4096 };
    at_ctx *ctx = begin("file_let_go_alone", "numbers");
    unsigned char *pages = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(pages != MAP_FAILED);
    memset(pages, 7, 4 * PAGE);
    const at_file middle = {.data = pages + PAGE, .size = PAGE};
    at_file_let_go(&middle, pages, PAGE);
    at_file_let_go(&middle, pages + 2 * PAGE, PAGE);
    at_file_let_go(&middle, pages + PAGE, 2 * PAGE);
    for (int i = 0; i < 4 * PAGE; i++) assert_int_equal(pages[i], 7);
    munmap(pages, 4 * PAGE);
    at_test_done(ctx);
}

AT_TEST(test_file__map_refuses_what_is_no_file)
{
    at_ctx *ctx = begin("file_no_file", "pipe");
    at_file f = {.size = 7};
    assert_int_equal(mkfifo(path, 0666), 0);
    at_expect_error(ctx, at_file_map(ctx, &f, path), AT_E_IO,
                    "pipe: is a pipe or a device, a file is needed");
    assert_int_equal(f.size, 0);
    at_expect_error(ctx, at_file_map(ctx, &f, folder), AT_E_IO, "is a folder, a file is needed");
    snprintf(path, sizeof path, "%s/missing", folder);
    at_expect_error(ctx, at_file_map(ctx, &f, path), AT_E_IO,
                    "missing: cannot open: No such file or directory; check the path");
    at_test_done(ctx);
}

AT_TEST(test_file__reads_up_to_its_limit)
{
    at_ctx *ctx = begin("file_reads", "a");
    char *text, big[20001];
    size_t size;
    memset(big, 'x', 20000);
    big[20000] = '\0';
    put_file(path, big);
    expect_content(ctx, path, big);
    at_expect_ok(ctx, at_file_read(ctx, &text, &size, path, 20000));
    at_free(ctx, text);
    at_expect_error(ctx, at_file_read(ctx, &text, &size, path, 19999), AT_E_RANGE,
                    "a: is larger than 19999 bytes, the most that is read");
    assert_null(text);
    put_file(path, "");
    expect_content(ctx, path, "");
    at_expect_error(ctx, at_file_read(ctx, &text, &size, folder, 10), AT_E_IO, "is a folder");
    at_test_done(ctx);
}

/* Files without a size: /proc, and pipes as shells give them for <(command). */
AT_TEST(test_file__reads_what_has_no_size)
{
    at_ctx *ctx = begin("file_pipe", "pipe");
    char *text;
    size_t size;
    at_expect_ok(ctx, at_file_read(ctx, &text, &size, "/proc/self/status", 1 << 20));
    assert_true(size > 100);
    at_free(ctx, text);
    assert_int_equal(mkfifo(path, 0666), 0);
    const pid_t child = fork();
    if (child == 0) {
        FILE *f = fopen(path, "w");
        for (int i = 0; f && i < 3000; i++) fputs("line\n", f);
        _exit(f && fclose(f) == 0 ? 0 : 1);
    }
    at_expect_ok(ctx, at_file_read(ctx, &text, &size, path, 1 << 20));
    waitpid(child, NULL, 0);
    assert_int_equal(size, 15000);
    at_free(ctx, text);
    at_test_done(ctx);
}

/* ---- Writing ---- */

AT_TEST(test_file__writes_and_replaces)
{
    at_ctx *ctx = begin("file_writes", "a");
    at_expect_ok(ctx, at_file_write(ctx, path, "one", 3));
    expect_content(ctx, path, "one");
    at_expect_ok(ctx, at_file_write(ctx, path, "", 0));
    expect_content(ctx, path, "");
    assert_int_equal(count_entries(ctx), 1);
    at_test_done(ctx);
}

AT_TEST(test_file__writes_into_the_working_folder)
{
    at_ctx *ctx = begin("file_cwd", "a");
    char old[1024];
    assert_non_null(getcwd(old, sizeof old));
    assert_int_equal(chdir(folder), 0);
    const at_status status = at_file_write(ctx, "a", "x", 1);
    assert_int_equal(chdir(old), 0);
    assert_int_equal(status, AT_OK);
    expect_content(ctx, path, "x");
    at_test_done(ctx);
}

/* Small pieces, pieces of just the buffer's size, pieces beyond it. */
AT_TEST(test_file__pieces_arrive_in_order)
{
    at_ctx *ctx = begin("file_pieces", "a");
    static const size_t pieces[] = {1, 65535, 65536, 1, 0, 65537, 200000, 3, 65533, 65536};
    unsigned char *content = at_alloc(ctx, 1 << 20);
    for (size_t i = 0; i < 1 << 20; i++) content[i] = (unsigned char)(i * 2654435761u >> 13);
    at_writer *w;
    at_expect_ok(ctx, at_writer_open(&w, ctx, path));
    size_t n = 0;
    for (int i = 0; i < AT_COUNT(pieces); n += pieces[i++])
        at_expect_ok(ctx, at_writer_put(w, content + n, pieces[i]));
    at_expect_ok(ctx, at_writer_commit(w));
    at_file f;
    at_expect_ok(ctx, at_file_map(ctx, &f, path));
    assert_int_equal(f.size, n);
    assert_memory_equal(f.data, content, n);
    at_file_unmap(ctx, &f);
    at_free(ctx, content);
    at_test_done(ctx);
}

AT_TEST(test_file__target_is_untouched_until_commit)
{
    at_ctx *ctx = begin("file_abort", "a");
    put_file(path, "old");
    at_writer *w;
    at_expect_ok(ctx, at_writer_open(&w, ctx, path));
    at_expect_ok(ctx, at_writer_put(w, "new", 3));
    expect_content(ctx, path, "old");
    assert_int_equal(count_entries(ctx), 2); /* beside it */
    at_writer_abort(w);
    at_writer_abort(NULL);
    expect_content(ctx, path, "old");
    assert_int_equal(count_entries(ctx), 1);
    at_test_done(ctx);
}

AT_TEST(test_file__permissions_stay)
{
    at_ctx *ctx = begin("file_mode", "a");
    put_file(path, "secret");
    assert_int_equal(chmod(path, 0600), 0);
    at_expect_ok(ctx, at_file_write(ctx, path, "new", 3));
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    at_test_done(ctx);
}

/* A link is replaced, what it points to stays: model caches share their files by links. */
AT_TEST(test_file__a_link_is_replaced_not_followed)
{
    at_ctx *ctx = begin("file_link", "a");
    char shared[1100];
    snprintf(shared, sizeof shared, "%s/shared", folder);
    put_file(shared, "old");
    assert_int_equal(symlink("shared", path), 0);
    at_expect_ok(ctx, at_file_write(ctx, path, "new", 3));
    expect_content(ctx, shared, "old");
    expect_content(ctx, path, "new");
    at_test_done(ctx);
}

AT_TEST(test_file__refuses_targets_that_are_no_files)
{
    at_ctx *ctx = begin("file_device", "a/b");
    at_writer *w;
    at_expect_error(ctx, at_writer_open(&w, ctx, folder), AT_E_IO, "is a folder, a file is to be written");
    assert_null(w);
    at_expect_error(ctx, at_writer_open(&w, ctx, "/dev/null"), AT_E_IO, "/dev/null: is a pipe or a device");
    at_expect_error(ctx, at_writer_open(&w, ctx, path), AT_E_IO, "a/b: cannot create");
    at_test_done(ctx);
}

/* ---- Failures ---- */

/* Run with files limited to `bytes`, as a full disk limits them. */
static at_status write_limited(at_ctx *ctx, rlim_t bytes, size_t n)
{
    char *content = calloc(1, n);
    struct rlimit old;
    getrlimit(RLIMIT_FSIZE, &old);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){bytes, old.rlim_max});
    const at_status status = at_file_write(ctx, path, content, n);
    setrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, handler);
    free(content);
    return status;
}

AT_TEST(test_file__a_full_disk_leaves_the_old_file)
{
    at_ctx *ctx = begin("file_full", "a");
    put_file(path, "old");
    at_expect_error(ctx, write_limited(ctx, 1000, 5000), AT_E_IO,
                    "a: cannot write: File too large"); /* at commit */
    expect_content(ctx, path, "old");
    at_expect_error(ctx, write_limited(ctx, 100000, 500000), AT_E_IO, "a: cannot write"); /* at put */
    expect_content(ctx, path, "old");
    assert_int_equal(count_entries(ctx), 1);
    at_test_done(ctx);
}

AT_TEST(test_file__a_failed_rename_leaves_nothing)
{
    at_ctx *ctx = begin("file_rename", "a");
    at_writer *w;
    at_expect_ok(ctx, at_writer_open(&w, ctx, path));
    at_expect_ok(ctx, at_writer_put(w, "new", 3));
    at_expect_ok(ctx, at_folder_make(ctx, path)); /* somebody was faster */
    at_expect_error(ctx, at_writer_commit(w), AT_E_IO, "a: cannot rename ");
    assert_int_equal(count_entries(ctx), 1);
    at_test_done(ctx);
}

AT_TEST(test_file__the_first_failure_sticks)
{
    at_ctx *ctx = begin("file_sticks", "a");
    at_writer *w;
    at_expect_ok(ctx, at_writer_open(&w, ctx, path));
    char *content = calloc(1, 200000);
    struct rlimit old;
    getrlimit(RLIMIT_FSIZE, &old);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){1000, old.rlim_max});
    const at_status first = at_writer_put(w, content, 200000);
    setrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, handler);
    free(content);
    assert_int_equal(first, AT_E_IO);
    assert_int_equal(at_writer_put(w, "x", 1), AT_E_IO); /* room again, but a part is missing */
    assert_int_equal(at_writer_commit(w), AT_E_IO);
    at_clear_error(ctx);
    assert_int_equal(count_entries(ctx), 0);
    at_test_done(ctx);
}

static at_status write_and_read(at_ctx *ctx, void *arg)
{
    (void)arg;
    AT_TRY(at_file_write(ctx, path, "new content", 11));
    char *text;
    size_t size;
    AT_TRY(at_file_read(ctx, &text, &size, path, 100));
    at_free(ctx, text);
    at_file f;
    AT_TRY(at_file_map(ctx, &f, path));
    at_file_unmap(ctx, &f);
    return AT_OK;
}

AT_TEST(test_file__survives_failing_allocations)
{
    at_ctx *ctx = begin("file_torture", "a");
    at_torture(ctx, write_and_read, NULL);
    assert_int_equal(count_entries(ctx), 1);
    at_test_done(ctx);
}

/* ---- Temporary files ---- */

static void temporary_path(char out[1200], const char *suffix)
{
    snprintf(out, 1200, "%s/.a.tmp-%ld%s", folder, (long)getpid(), suffix);
}

/* In a container a new run has the PID of the one that crashed. */
AT_TEST(test_file__what_a_crash_left_is_taken_over)
{
    at_ctx *ctx = begin("file_leftover", "a");
    char leftover[1200];
    temporary_path(leftover, "");
    put_file(leftover, "half of something much longer");
    at_expect_ok(ctx, at_file_write(ctx, path, "new", 3));
    expect_content(ctx, path, "new");
    assert_int_equal(count_entries(ctx), 1);
    at_test_done(ctx);
}

/* ... but a run in another container may have it too, and is alive. */
AT_TEST(test_file__what_others_are_writing_is_left_alone)
{
    at_ctx *ctx = begin("file_busy", "a");
    char busy[1200];
    temporary_path(busy, "");
    FILE *other = fopen(busy, "w");
    assert_non_null(other);
    fputs("theirs", other);
    fflush(other);
    assert_int_equal(flock(fileno(other), LOCK_EX), 0);
    at_expect_ok(ctx, at_file_write(ctx, path, "ours", 4));
    expect_content(ctx, path, "ours");
    expect_content(ctx, busy, "theirs");
    assert_int_equal(count_entries(ctx), 2);
    fclose(other);
    at_test_done(ctx);
}

/* Two writers of one target at once: the last commit wins, whole. */
AT_TEST(test_file__two_writers_do_not_mix)
{
    at_ctx *ctx = begin("file_two", "a");
    at_writer *one, *two;
    at_expect_ok(ctx, at_writer_open(&one, ctx, path));
    at_expect_ok(ctx, at_writer_open(&two, ctx, path));
    at_expect_ok(ctx, at_writer_put(one, "one", 3));
    at_expect_ok(ctx, at_writer_put(two, "two", 3));
    at_expect_ok(ctx, at_writer_commit(two));
    expect_content(ctx, path, "two");
    at_expect_ok(ctx, at_writer_commit(one));
    expect_content(ctx, path, "one");
    assert_int_equal(count_entries(ctx), 1);
    at_test_done(ctx);
}
