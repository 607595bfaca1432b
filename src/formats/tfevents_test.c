/* tfevents_test.c: event files are read back by a reader written from the format's description, with a CRC of
 * its own. */
#include "formats/file.h"
#include "formats/tfevents.h"
#include "tests/harness/test.h"
#include "tests/harness/torture.h"
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

static char folder[1024], path[1100];

static at_ctx *begin(const char *test)
{
    at_test_folder(folder, test);
    snprintf(path, sizeof path, "%s/events.out.tfevents.1", folder);
    return at_test_ctx();
}

static uint32_t crc32c(const unsigned char *p, size_t n)
{
    uint32_t crc = ~0u;
    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        for (int bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >> 1 ^ 0x82f63b78u : crc >> 1;
    }
    return ~crc;
}

static uint32_t masked(const unsigned char *p, size_t n)
{
    const uint32_t crc = crc32c(p, n);
    return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

/* The message of record number k: its bytes and length; checks both CRCs of every record on the way. */
static const unsigned char *record(const at_file *f, int k, size_t *n)
{
    size_t at = 0;
    for (;; k--) {
        uint64_t length;
        uint32_t crc;
        if (at + 16 > f->size) fail_msg("the file ends before record %d more", k);
        memcpy(&length, f->data + at, 8);
        memcpy(&crc, f->data + at + 8, 4);
        assert_int_equal(crc, masked(f->data + at, 8));
        memcpy(&crc, f->data + at + 12 + length, 4);
        assert_int_equal(crc, masked(f->data + at + 12, length));
        *n = length;
        if (k == 0) return f->data + at + 12;
        at += 16 + length;
    }
}

static void expect_records(at_ctx *ctx, int n)
{
    at_file f;
    size_t length;
    at_expect_ok(ctx, at_file_map(ctx, &f, path));
    const unsigned char *last = record(&f, n - 1, &length);
    assert_int_equal(last + length + 4 - f.data, f.size);
    at_file_unmap(ctx, &f);
}

AT_TEST(test_tfevents__the_tests_crc_is_crc32c)
{
    assert_int_equal(crc32c((const unsigned char *)"123456789", 9), 0xe3069283u);
}

AT_TEST(test_tfevents__records_are_what_tensorboard_reads)
{
    at_ctx *ctx = begin("tf_bytes");
    at_tfevents *f;
    at_expect_ok(ctx, at_tfevents_open(&f, ctx, path, 0, 1.5));
    at_expect_ok(ctx, at_tfevents_scalar(f, "loss", 300, 0.25, 2.0));
    at_expect_ok(ctx, at_tfevents_scalar(f, "loss", -1, 1e300, 2.0));
    at_tfevents_close(f);
    at_file file;
    size_t n;
    at_expect_ok(ctx, at_file_map(ctx, &file, path));
    const unsigned char *m = record(&file, 0, &n);
    static const char version[] = "\x09\0\0\0\0\0\0\xf8\x3f\x1a\x0d"
                                  "brain.Event:2";
    assert_int_equal(n, sizeof version - 1);
    assert_memory_equal(m, version, n);
    m = record(&file, 1, &n);
    static const char scalar[] =
        "\x09\0\0\0\0\0\0\0\x40\x10\xac\x02\x2a\x0d\x0a\x0b\x0a\x04loss\x15\0\0\x80\x3e";
    assert_int_equal(n, sizeof scalar - 1);
    assert_memory_equal(m, scalar, n);
    m = record(&file, 2, &n);
    assert_memory_equal(m + 9, "\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
                        11);                           /* step -1 takes ten bytes */
    assert_memory_equal(m + n - 4, "\0\0\x80\x7f", 4); /* infinity as a float */
    at_file_unmap(ctx, &file);
    at_test_done(ctx);
}

AT_TEST(test_tfevents__a_resumed_run_repeats_no_step)
{
    at_ctx *ctx = begin("tf_resume");
    at_tfevents *f;
    int64_t offset, later;
    at_expect_ok(ctx, at_tfevents_open(&f, ctx, path, 0, 1.0));
    at_expect_ok(ctx, at_tfevents_scalar(f, "loss", 1, 1.0, 1.0));
    at_expect_ok(ctx, at_tfevents_flush(f, &offset)); /* the checkpoint */
    at_expect_ok(ctx, at_tfevents_scalar(f, "loss", 2, 0.5, 1.0));
    at_expect_ok(ctx, at_tfevents_flush(f, &later));
    at_tfevents_close(f);
    expect_records(ctx, 3);
    assert_true(later > offset);
    at_expect_ok(ctx, at_tfevents_open(&f, ctx, path, offset, 2.0));
    expect_records(ctx, 2);
    at_expect_ok(ctx, at_tfevents_scalar(f, "loss", 2, 0.5, 2.0));
    at_expect_ok(ctx, at_tfevents_flush(f, &offset));
    assert_int_equal(offset, later);
    at_tfevents_close(f);
    expect_records(ctx, 3);
    at_expect_ok(ctx, at_tfevents_open(&f, ctx, path, 0, 3.0)); /* anew */
    at_tfevents_close(f);
    at_tfevents_close(NULL);
    expect_records(ctx, 1);
    at_test_done(ctx);
}

AT_TEST(test_tfevents__an_offset_must_be_of_this_file)
{
    at_ctx *ctx = begin("tf_offset");
    at_tfevents *f;
    int64_t offset;
    at_expect_error(ctx, at_tfevents_open(&f, ctx, path, 40, 1.0), AT_E_IO, "cannot open: No such file");
    at_expect_ok(ctx, at_tfevents_open(&f, ctx, path, 0, 1.0));
    at_expect_ok(ctx, at_tfevents_flush(f, &offset));
    at_tfevents_close(f);
    const int64_t wrong[] = {offset - 1, offset + 1, 1, -1, INT64_MAX, INT64_MIN};
    for (int i = 0; i < AT_COUNT(wrong); i++) {
        at_expect_error(ctx, at_tfevents_open(&f, ctx, path, wrong[i], 1.0), AT_E_FORMAT,
                        "events.out.tfevents.1: no event record ends at byte");
        assert_null(f);
    }
    expect_records(ctx, 1); /* unchanged */
    char *bytes;
    size_t size;
    at_expect_ok(ctx, at_file_read(ctx, &bytes, &size, path, 1000));
    bytes[8] ^= 1; /* a CRC of the length */
    at_expect_ok(ctx, at_file_write(ctx, path, bytes, size));
    at_free(ctx, bytes);
    at_expect_error(ctx, at_tfevents_open(&f, ctx, path, offset, 1.0), AT_E_FORMAT, "no event record ends");
    at_expect_ok(ctx, at_file_write(ctx, path, "something else that is long enough to hold that offset", 54));
    at_expect_error(ctx, at_tfevents_open(&f, ctx, path, offset, 1.0), AT_E_FORMAT, "(the file has 54)");
    at_test_done(ctx);
}

AT_TEST(test_tfevents__tags_have_their_limit)
{
    at_ctx *ctx = begin("tf_tags");
    at_tfevents *f;
    char tag[514];
    memset(tag, 't', 513);
    tag[513] = '\0';
    at_expect_ok(ctx, at_tfevents_open(&f, ctx, path, 0, 1.0));
    at_expect_error(ctx, at_tfevents_scalar(f, tag, 1, 1.0, 1.0), AT_E_ARG,
                    "a tag has 1 to 512 bytes, not 513");
    at_expect_error(ctx, at_tfevents_scalar(f, "", 1, 1.0, 1.0), AT_E_ARG, "not 0");
    tag[512] = '\0';
    at_expect_ok(ctx, at_tfevents_scalar(f, tag, INT64_MIN, 1.0, 1.0));
    at_tfevents_close(f);
    expect_records(ctx, 2);
    at_test_done(ctx);
}

AT_TEST(test_tfevents__a_full_disk_cuts_no_record_in_two)
{
    at_ctx *ctx = begin("tf_full");
    at_tfevents *f;
    int64_t offset;
    at_expect_ok(ctx, at_tfevents_open(&f, ctx, path, 0, 1.0));
    at_expect_ok(ctx, at_tfevents_flush(f, &offset));
    struct rlimit old;
    getrlimit(RLIMIT_FSIZE, &old);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){(rlim_t)offset + 10, old.rlim_max});
    const at_status status = at_tfevents_scalar(f, "loss", 1, 1.0, 1.0);
    setrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, handler);
    at_expect_error(ctx, status, AT_E_IO, "events.out.tfevents.1: cannot write: File too large");
    expect_records(ctx, 1);
    at_expect_ok(ctx, at_tfevents_scalar(f, "loss", 1, 1.0, 1.0)); /* somebody made room */
    at_tfevents_close(f);
    expect_records(ctx, 2);
    at_test_done(ctx);
}

static at_status write_events(at_ctx *ctx, void *arg)
{
    int64_t offset;
    at_tfevents *f;
    (void)arg;
    AT_TRY(at_tfevents_open(&f, ctx, path, 0, 1.0));
    at_status status = at_tfevents_scalar(f, "loss", 1, 1.0, 1.0);
    if (status == AT_OK) status = at_tfevents_flush(f, &offset);
    at_tfevents_close(f);
    if (status != AT_OK) return status;
    AT_TRY(at_tfevents_open(&f, ctx, path, offset, 1.0));
    at_tfevents_close(f);
    return AT_OK;
}

AT_TEST(test_tfevents__survives_failing_allocations)
{
    at_ctx *ctx = begin("tf_torture");
    at_torture(ctx, write_events, NULL);
    at_test_done(ctx);
}
