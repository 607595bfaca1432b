/* safetensors_test.c: writing and opening. What must be refused is in tests/data/invalid/safetensors. */
#include "formats/safetensors.h"
#include "tests/harness/test.h"
#include "tests/harness/torture.h"
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

static char folder[1024], path[1100];

static at_ctx *begin(const char *test)
{
    at_test_folder(folder, test);
    snprintf(path, sizeof path, "%s/m.safetensors", folder);
    return at_test_ctx();
}

static const float weight[6] = {1, 2, 3, 4, 5, 6};
static const uint16_t half[3] = {0x3c00, 0x4000, 0x4200};
static const uint8_t flags[5] = {0, 1, 0, 1, 1};
static const int64_t steps = 7;

static const at_tensor some[] = {
    {.name = "steps", .dtype = AT_I64, .rank = 0, .data = &steps},
    {.name = "z.weight", .dtype = AT_F32, .rank = 2, .dim = {2, 3}, .data = weight},
    {.name = "none", .dtype = AT_F32, .rank = 2, .dim = {0, 3}},
    {.name = "caf\xc3\xa9 \"x\"", .dtype = AT_F16, .rank = 1, .dim = {3}, .data = half},
    {.name = "a", .dtype = AT_BOOL, .rank = 3, .dim = {1, 5, 1}, .data = flags},
};

static at_tree *some_metadata(at_arena *a)
{
    at_tree *t = at_tree_new(a, AT_MAP);
    at_tree_add(a, t, "format", at_tree_string(a, "pt"));
    at_tree_add(a, t, "note", at_tree_string(a, "a \"b\"\n"));
    return t;
}

static at_safetensors *open_file(at_ctx *ctx)
{
    at_safetensors *f;
    at_expect_ok(ctx, at_safetensors_open(&f, ctx, path));
    return f;
}

/* A file from its parts, header as text. */
static void put_file(at_ctx *ctx, const char *header, const void *data, size_t bytes)
{
    const uint64_t length = strlen(header);
    at_writer *w;
    at_expect_ok(ctx, at_writer_open(&w, ctx, path));
    at_expect_ok(ctx, at_writer_put(w, &length, sizeof length));
    at_expect_ok(ctx, at_writer_put(w, header, length));
    at_expect_ok(ctx, at_writer_put(w, data, bytes));
    at_expect_ok(ctx, at_writer_commit(w));
}

/* ---- Reading and writing ---- */

AT_TEST(test_safetensors__reads_what_it_wrote)
{
    at_ctx *ctx = begin("st_round");
    at_arena a;
    at_arena_init(&a, ctx);
    at_tree *metadata = some_metadata(&a);
    at_expect_ok(ctx, at_safetensors_write(ctx, path, some, AT_COUNT(some), metadata));
    at_safetensors *f = open_file(ctx);
    assert_int_equal(f->n, AT_COUNT(some));
    assert_int_equal(f->n_copied, 0);
    assert_true(at_tree_equal(f->metadata, metadata));
    for (int i = 0; i < AT_COUNT(some); i++) {
        const at_tensor *t = at_safetensors_find(f, some[i].name);
        if (!t) fail_msg("%s is missing", some[i].name);
        assert_string_equal(t->name, some[i].name);
        assert_int_equal(t->dtype, some[i].dtype);
        assert_int_equal(t->rank, some[i].rank);
        assert_memory_equal(t->dim, some[i].dim, sizeof t->dim);
        assert_int_equal(t->bytes, (size_t)t->count * at_dtype_size(t->dtype));
        assert_int_equal((uintptr_t)t->data % at_dtype_size(t->dtype), 0);
        if (t->bytes) assert_memory_equal(t->data, some[i].data, t->bytes);
    }
    assert_int_equal(at_safetensors_find(f, "z.weight")->count, 6);
    assert_int_equal(at_safetensors_find(f, "none")->count, 0);
    assert_int_equal(at_safetensors_find(f, "steps")->count, 1);
    assert_null(at_safetensors_find(f, "b"));
    assert_null(at_safetensors_find(f, ""));
    assert_string_equal(f->tensors[0].name, "steps"); /* in the order of their data */
    at_safetensors_close(ctx, f);
    at_safetensors_close(ctx, NULL);
    at_arena_deinit(&a);
    at_test_done(ctx);
}

/* These bytes are what the safetensors library (0.8.0) writes for the same tensors. */
AT_TEST(test_safetensors__writes_the_reference_bytes)
{
    at_ctx *ctx = begin("st_bytes");
    at_arena a;
    at_arena_init(&a, ctx);
    at_tree *metadata = at_tree_new(&a, AT_MAP);
    at_tree_add(&a, metadata, "format", at_tree_string(&a, "pt"));
    const at_tensor tensors[] = {some[1], some[3], some[4]};
    at_expect_ok(ctx, at_safetensors_write(ctx, path, tensors, 3, metadata));
    static const char header[] =
        "{\"__metadata__\":{\"format\":\"pt\"},"
        "\"z.weight\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},"
        "\"caf\xc3\xa9 \\\"x\\\"\":{\"dtype\":\"F16\",\"shape\":[3],\"data_offsets\":[24,30]},"
        "\"a\":{\"dtype\":\"BOOL\",\"shape\":[1,5,1],\"data_offsets\":[30,35]}}";
    char *text;
    size_t size;
    at_expect_ok(ctx, at_file_read(ctx, &text, &size, path, 1 << 20));
    const size_t n = sizeof header - 1, padded = (n + 7) / 8 * 8;
    assert_int_equal(size, 8 + padded + 35);
    assert_int_equal((unsigned char)text[0] | (unsigned char)text[1] << 8, padded);
    assert_memory_equal(text + 8, header, n);
    for (size_t i = n; i < padded; i++) assert_int_equal(text[8 + i], ' ');
    assert_memory_equal(text + 8 + padded, weight, 24);
    at_free(ctx, text);
    at_arena_deinit(&a);
    at_test_done(ctx);
}

AT_TEST(test_safetensors__a_file_may_hold_nothing)
{
    at_ctx *ctx = begin("st_empty");
    at_expect_ok(ctx, at_safetensors_write(ctx, path, NULL, 0, NULL));
    at_safetensors *f = open_file(ctx);
    assert_int_equal(f->n, 0);
    assert_null(f->metadata);
    assert_null(at_safetensors_find(f, "a"));
    at_safetensors_close(ctx, f);
    at_test_done(ctx);
}

/* Old files and those of other programs begin their data anywhere. */
AT_TEST(test_safetensors__misaligned_tensors_are_copied)
{
    at_ctx *ctx = begin("st_misaligned");
    unsigned char data[1 + 24 + 4] = {9};
    memcpy(data + 1, weight, 24);
    memcpy(data + 25, &weight[2], 4);
    char header[400] = "{\"bytes\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
                       "\"w\":{\"dtype\":\"F32\",\"shape\":[6],\"data_offsets\":[1,25]},"
                       "\"none\":{\"dtype\":\"I64\",\"shape\":[0],\"data_offsets\":[25,25]},"
                       "\"v\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[25,29]}}";
    while (strlen(header) % 8) strcat(header, " ");
    put_file(ctx, header, data, sizeof data);
    at_safetensors *f = open_file(ctx);
    assert_int_equal(f->n_copied, 2);
    const at_tensor *w = at_safetensors_find(f, "w"), *v = at_safetensors_find(f, "v");
    assert_int_equal((uintptr_t)w->data % 4, 0);
    assert_memory_equal(w->data, weight, 24);
    assert_true(*(const float *)v->data == 3.0f);
    assert_ptr_equal(at_safetensors_find(f, "bytes")->data, f->file.data + 8 + strlen(header));
    at_safetensors_close(ctx, f);

    strcat(header, " "); /* now the data section itself */
    put_file(ctx, header, data, sizeof data);
    f = open_file(ctx);
    assert_true(f->n_copied <= 2);
    assert_memory_equal(at_safetensors_find(f, "w")->data, weight, 24);
    at_safetensors_close(ctx, f);
    at_test_done(ctx);
}

AT_TEST(test_safetensors__a_pointer_of_git_lfs_has_its_remedy)
{
    at_ctx *ctx = begin("st_lfs");
    static const char pointer[] = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 7\n";
    at_expect_ok(ctx, at_file_write(ctx, path, pointer, sizeof pointer - 1));
    at_safetensors *f;
    at_expect_error(ctx, at_safetensors_open(&f, ctx, path), AT_E_FORMAT, "run `git lfs pull` in its folder");
    assert_null(f);
    at_test_done(ctx);
}

AT_TEST(test_safetensors__opening_says_what_is_missing)
{
    at_ctx *ctx = begin("st_missing");
    at_safetensors *f;
    at_expect_error(ctx, at_safetensors_open(&f, ctx, path), AT_E_IO,
                    "m.safetensors: cannot open: No such file");
    at_test_done(ctx);
}

/* ---- Refusals of the writer ---- */

static void expect_not_written(at_ctx *ctx, const at_tensor *tensors, int64_t n, at_status want,
                               const char *part)
{
    at_expect_error(ctx, at_safetensors_write(ctx, path, tensors, n, NULL), want, part);
    assert_false(at_path_exists(path));
}

AT_TEST(test_safetensors__writer_refuses_what_no_reader_would_take)
{
    at_ctx *ctx = begin("st_refuse");
    expect_not_written(
        ctx, (at_tensor[]){some[4], some[1]}, 2, AT_E_ARG,
        "m.safetensors: tensor \"z.weight\" would be misaligned; write tensors of larger dtypes first");
    expect_not_written(ctx, (at_tensor[]){some[1], some[1]}, 2, AT_E_ARG,
                       "two tensors are named \"z.weight\"");
    at_tensor t = some[1];
    t.data = NULL;
    expect_not_written(ctx, &t, 1, AT_E_ARG, "tensor \"z.weight\" has no data");
    t = some[1];
    t.name = NULL;
    expect_not_written(ctx, &t, 1, AT_E_ARG, "a tensor without a name");
    t.name = "__metadata__";
    expect_not_written(ctx, &t, 1, AT_E_ARG, "has the name of the metadata");
    t = some[1];
    t.dtype = AT_DTYPE_COUNT;
    expect_not_written(ctx, &t, 1, AT_E_DTYPE, "has no known dtype");
    t = some[1];
    t.rank = AT_FILE_RANK + 1;
    expect_not_written(ctx, &t, 1, AT_E_RANGE, "has too many dimensions");
    t = some[1];
    t.dim[1] = -1;
    expect_not_written(ctx, &t, 1, AT_E_RANGE, "has a negative dimension or more bytes than 64 bits count");
    t.dim[0] = t.dim[1] = INT64_C(1) << 31;
    expect_not_written(ctx, &t, 1, AT_E_RANGE, "more bytes than 64 bits count");
    t.dim[1] = INT64_C(1) << 29;
    at_tensor u = t;
    u.name = "u";
    expect_not_written(ctx, (at_tensor[]){t, u}, 2, AT_E_RANGE, "tensor \"u\" exceeds 64 bits");
    at_test_done(ctx);
}

AT_TEST(test_safetensors__metadata_must_be_text)
{
    at_ctx *ctx = begin("st_metadata");
    at_arena a;
    at_arena_init(&a, ctx);
    at_tree *metadata = some_metadata(&a);
    at_tree_add(&a, metadata, "epochs", at_tree_whole(&a, 3));
    at_expect_error(ctx, at_safetensors_write(ctx, path, some, 1, metadata), AT_E_ARG,
                    "metadata must be a map of text, it holds a whole number");
    assert_false(at_path_exists(path));
    at_arena_deinit(&a);
    at_test_done(ctx);
}

AT_TEST(test_safetensors__a_full_disk_leaves_the_old_file)
{
    at_ctx *ctx = begin("st_full");
    at_expect_ok(ctx, at_safetensors_write(ctx, path, some, 1, NULL));
    char *large = at_alloc(ctx, 1 << 20);
    const at_tensor t = {.name = "large", .dtype = AT_U8, .rank = 1, .dim = {1 << 20}, .data = large};
    struct rlimit old;
    getrlimit(RLIMIT_FSIZE, &old);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){1 << 19, old.rlim_max});
    const at_status status = at_safetensors_write(ctx, path, &t, 1, NULL);
    setrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, handler);
    at_expect_error(ctx, status, AT_E_IO, "m.safetensors: cannot write: File too large");
    at_free(ctx, large);
    at_safetensors *f = open_file(ctx);
    assert_non_null(at_safetensors_find(f, "steps"));
    at_safetensors_close(ctx, f);
    at_arena a;
    at_arena_init(&a, ctx);
    const char **names;
    int64_t n;
    at_expect_ok(ctx, at_folder_list(&a, &names, &n, folder));
    assert_int_equal(n, 1);
    at_arena_deinit(&a);
    at_test_done(ctx);
}

/* ---- Memory, time ---- */

static at_status write_and_open(at_ctx *ctx, void *arg)
{
    const at_tensor *large = arg;
    at_arena a;
    at_arena_init(&a, ctx);
    at_safetensors *f = NULL;
    at_tree *metadata = some_metadata(&a);
    at_status status = at_last_status(ctx);
    if (status == AT_OK) status = at_safetensors_write(ctx, path, large, 200, metadata);
    if (status == AT_OK) status = at_safetensors_open(&f, ctx, path);
    at_safetensors_close(ctx, f);
    at_arena_deinit(&a);
    return status;
}

/* n tensors of 8 floats, named as those of a large model are. */
static at_tensor *many(at_arena *a, int64_t n)
{
    static const float data[8];
    at_tensor *t = at_arena_alloc(a, (size_t)n * sizeof *t);
    for (int64_t i = 0; i < n; i++) {
        t[i] = (at_tensor){.dtype = AT_F32, .rank = 2, .dim = {2, 4}, .data = data};
        t[i].name = at_arena_printf(a, "model.layers.%lld.self_attn.q_proj.weight", (long long)i);
    }
    return t;
}

AT_TEST(test_safetensors__survives_failing_allocations)
{
    at_ctx *ctx = begin("st_torture");
    at_arena a;
    at_arena_init(&a, ctx);
    at_torture(ctx, write_and_open, many(&a, 200));
    put_file(ctx, "{\"w\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", weight, 4); /* copied */
    at_safetensors *f;
    for (int n = 1; n < 8; n++) {
        ctx->alloc.fail_at = n;
        const int64_t live = ctx->alloc.live;
        if (at_safetensors_open(&f, ctx, path) == AT_OK) at_safetensors_close(ctx, f);
        assert_int_equal(ctx->alloc.live, live);
        at_clear_error(ctx);
    }
    ctx->alloc.fail_at = 0;
    at_arena_deinit(&a);
    at_test_done(ctx);
}

AT_TEST(test_safetensors__opens_models_of_many_tensors)
{
    at_ctx *ctx = begin("st_many");
    at_arena a;
    at_arena_init(&a, ctx);
    at_expect_ok(ctx, at_safetensors_write(ctx, path, many(&a, 20000), 20000, NULL));
    at_safetensors *f = open_file(ctx);
    assert_int_equal(f->n, 20000);
    for (int64_t i = 0; i < f->n; i++)
        assert_ptr_equal(at_safetensors_find(f, f->tensors[i].name), &f->tensors[i]);
    assert_null(at_safetensors_find(f, "model.layers.20000.self_attn.q_proj.weight"));
    at_safetensors_close(ctx, f);
    at_arena_deinit(&a);
    at_test_done(ctx);
}

/* ---- Tensors that are read when they are written ---- */

enum { MANY = 150000 }; /* numbers, more than are read at once */

typedef struct counting {
    int64_t calls;
    bool whole;
} counting;

static at_status count_up(void *from, int64_t index, int64_t first, int64_t n, void *out)
{
    counting *c = from;
    c->calls++;
    for (int64_t i = 0; i < n; i++) ((float *)out)[i] = (float)(first + i + index);
    return AT_OK;
}

static bool is_whole(const void *from, int64_t index)
{
    (void)index;
    return ((const counting *)from)->whole;
}

AT_TEST(test_safetensors__reads_large_tensors_in_pieces_unless_told_otherwise)
{
    at_ctx *ctx = begin("st_pieces");
    const at_tensor large = {.name = "large", .dtype = AT_F32, .rank = 2, .dim = {MANY / 3, 3}};
    for (int whole = 0; whole < 2; whole++) {
        counting c = {.whole = whole};
        const at_tensor_source source = {count_up, is_whole, &c};
        at_safetensors *f;
        at_expect_ok(ctx, at_safetensors_write_from(ctx, path, &large, 1, NULL, &source));
        assert_int_equal(c.calls, whole ? 1 : 3);
        at_expect_ok(ctx, at_safetensors_open(&f, ctx, path));
        const float *x = at_safetensors_find(f, "large")->data;
        for (int64_t i = 0; i < MANY; i++) assert_true(x[i] == (float)i);
        at_safetensors_close(ctx, f);
    }
    at_test_done(ctx);
}

typedef struct reading {
    at_ctx *ctx;
    int64_t calls, fails_at;
} reading;

static at_status read_one(void *from, int64_t index, int64_t first, int64_t n, void *out)
{
    reading *r = from;
    if (r->calls++ == r->fails_at) return at_fail(r->ctx, AT_E_STATE, "there is nothing to read");
    const size_t each = at_dtype_size(some[index].dtype);
    memcpy(out, (const char *)some[index].data + (size_t)first * each, (size_t)n * each);
    return AT_OK;
}

/* The file is the same byte by byte; a failed reading leaves the file that was there. */
AT_TEST(test_safetensors__reads_while_it_writes)
{
    at_ctx *ctx = begin("st_from");
    char *whole, *parts, *after;
    size_t size, again;
    at_expect_ok(ctx, at_safetensors_write(ctx, path, some, AT_COUNT(some), NULL));
    at_expect_ok(ctx, at_file_read(ctx, &whole, &size, path, 1 << 20));
    at_tensor lazy[AT_COUNT(some)];
    memcpy(lazy, some, sizeof lazy);
    lazy[1].data = NULL;
    reading r = {ctx, 0, -1};
    const at_tensor_source source = {.read = read_one, .from = &r};
    at_expect_ok(ctx, at_safetensors_write_from(ctx, path, lazy, AT_COUNT(some), NULL, &source));
    assert_int_equal(r.calls, 1);
    at_expect_ok(ctx, at_file_read(ctx, &parts, &again, path, 1 << 20));
    assert_int_equal(again, size);
    assert_memory_equal(parts, whole, size);
    lazy[0].name = "other";
    r = (reading){ctx, 0, 0};
    at_expect_error(ctx, at_safetensors_write_from(ctx, path, lazy, AT_COUNT(some), NULL, &source),
                    AT_E_STATE, "there is nothing to read");
    at_expect_ok(ctx, at_file_read(ctx, &after, &again, path, 1 << 20));
    assert_int_equal(again, size);
    assert_memory_equal(after, whole, size);
    at_free(ctx, whole);
    at_free(ctx, parts);
    at_free(ctx, after);
    at_test_done(ctx);
}
