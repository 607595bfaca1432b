/* safetensors.c: opening safetensors files. Nothing of the data is read, unless it has to be moved to be
 * aligned: a model of many gigabytes opens in about a millisecond. Layer: formats. Main reading path:
 * at_safetensors_open, read_tensors, read_tensor, check_layout, copy_misaligned. */
#include "formats/safetensors.h"
#include <stdio.h>
#include <stdlib.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "tensors are mapped as they lie in the file");

enum { LENGTH_BYTES = 8, SHAPE_TEXT = 200 };

/* A file while it is opened. */
typedef struct reader {
    at_ctx *ctx;
    at_safetensors *f;
    at_arena scratch;          /* the header's tree */
    const unsigned char *data; /* behind the header */
    int64_t data_bytes;
} reader;

/* ---- Header ---- */

/* A failed download or a pointer is the most frequent wrong file; its remedy is worth a line. */
static bool is_lfs_pointer(const at_file *file)
{
    static const char begin[] = "version https://git-lfs.github.com/spec/";
    return file->size >= sizeof begin - 1 && memcmp(file->data, begin, sizeof begin - 1) == 0;
}

/* Where the header lies, its length checked against the file. */
static at_status find_header(reader *r, const char **text, size_t *size)
{
    const at_file *file = &r->f->file;
    AT_REQUIRE(r->ctx, file->size >= LENGTH_BYTES, AT_E_FORMAT,
               "%s: has %zu bytes, a safetensors file begins with 8 bytes that give its header's length",
               file->path, file->size);
    AT_REQUIRE(r->ctx, !is_lfs_pointer(file), AT_E_FORMAT,
               "%s: is a Git LFS pointer, not the tensors; run `git lfs pull` in its folder", file->path);
    uint64_t length;
    memcpy(&length, file->data, sizeof length);
    const uint64_t left = file->size - LENGTH_BYTES;
    AT_REQUIRE(r->ctx, length <= AT_HEADER_LIMIT, AT_E_FORMAT,
               "%s: the header's length is given as %llu bytes, more than %d; this is no safetensors file",
               file->path, (unsigned long long)length, AT_HEADER_LIMIT);
    AT_REQUIRE(r->ctx, length <= left, AT_E_FORMAT,
               "%s: the header needs %llu bytes, the file ends after %llu of them; it is truncated",
               file->path, (unsigned long long)length, (unsigned long long)left);
    *text = (const char *)file->data + LENGTH_BYTES;
    *size = (size_t)length;
    AT_REQUIRE(r->ctx, length > 0 && **text == '{', AT_E_FORMAT, "%s: the header does not begin with \"{\"",
               file->path);
    r->data = file->data + LENGTH_BYTES + length;
    r->data_bytes = (int64_t)(left - length);
    return AT_OK;
}

/* ---- One tensor ---- */

static at_status bad(const reader *r, const at_tree *t, at_status code, const char *fmt, ...) AT_PRINTF(4, 5);

static at_status bad(const reader *r, const at_tree *t, at_status code, const char *fmt, ...)
{
    char what[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    return at_fail(r->ctx, code, "%s: tensor \"%.200s\": %s", r->f->file.path, t->key, what);
}

/* "[3,4]" */
static const char *shape_text(char out[SHAPE_TEXT], const at_tensor *t)
{
    size_t n = 0;
    out[n++] = '[';
    for (int i = 0; i < t->rank; i++)
        n += (size_t)snprintf(out + n, SHAPE_TEXT - n, i ? ",%lld" : "%lld", (long long)t->dim[i]);
    memcpy(out + n, "]", 2);
    return out;
}

/* The member of a tensor's entry with this name and kind. */
static at_status member(const reader *r, const at_tree **out, const at_tree *t, const char *key,
                        at_tree_kind kind)
{
    *out = at_tree_get(t, key);
    if (!*out) return bad(r, t, AT_E_FORMAT, "\"%s\" is missing", key);
    if ((*out)->kind != kind)
        return bad(r, t, AT_E_FORMAT, "\"%s\" is %s, expected %s", key, at_tree_kind_name((*out)->kind),
                   at_tree_kind_name(kind));
    return AT_OK;
}

static at_status read_dtype(const reader *r, at_tensor *out, const at_tree *t)
{
    const at_tree *dtype;
    AT_TRY(member(r, &dtype, t, "dtype", AT_STRING));
    for (int i = 0; i < AT_DTYPE_COUNT; i++) {
        if (strcmp(at_dtype_name((at_dtype)i), dtype->text) != 0) continue;
        out->dtype = (at_dtype)i;
        return AT_OK;
    }
#define X(id, name, bytes) " " name
    return bad(r, t, AT_E_UNSUPPORTED, "dtype \"%.32s\" is none of" AT_DTYPE_LIST(X), dtype->text);
#undef X
}

static at_status read_shape(const reader *r, at_tensor *out, const at_tree *t)
{
    const at_tree *shape;
    AT_TRY(member(r, &shape, t, "shape", AT_LIST));
    if (shape->n > AT_FILE_RANK)
        return bad(r, t, AT_E_UNSUPPORTED, "has %lld dimensions, at most %d are supported",
                   (long long)shape->n, AT_FILE_RANK);
    for (const at_tree *d = shape->first; d; d = d->next) {
        if (d->kind != AT_WHOLE || d->whole < 0)
            return bad(r, t, AT_E_FORMAT, "dimension %d is %s, expected a whole number from 0 on", out->rank,
                       d->kind == AT_WHOLE ? "negative" : at_tree_kind_name(d->kind));
        out->dim[out->rank++] = d->whole;
    }
    return AT_OK;
}

/* The range in the data section; within it, and as long as shape and dtype say. */
static at_status read_offsets(const reader *r, at_tensor *out, const at_tree *t)
{
    const at_tree *offsets;
    AT_TRY(member(r, &offsets, t, "data_offsets", AT_LIST));
    const at_tree *b = offsets->first, *e = b ? b->next : NULL;
    if (offsets->n != 2 || b->kind != AT_WHOLE || e->kind != AT_WHOLE || b->whole < 0 || e->whole < 0)
        return bad(r, t, AT_E_FORMAT, "\"data_offsets\" must be two whole numbers from 0 on");
    const long long begin = b->whole, end = e->whole;
    if (begin > end) return bad(r, t, AT_E_FORMAT, "data_offsets [%lld,%lld] are reversed", begin, end);
    char shape[SHAPE_TEXT];
    int64_t bytes = (int64_t)at_dtype_size(out->dtype);
    out->count = 1;
    for (int i = 0; i < out->rank; i++)
        if (!at_mul_ok(&out->count, out->count, out->dim[i]) || !at_mul_ok(&bytes, bytes, out->dim[i]))
            return bad(r, t, AT_E_FORMAT, "shape %s of %s does not fit 64 bits", shape_text(shape, out),
                       at_dtype_name(out->dtype));
    if (bytes != end - begin)
        return bad(r, t, AT_E_FORMAT,
                   "shape %s of %s needs %lld bytes, the header gives %lld (data_offsets [%lld,%lld])",
                   shape_text(shape, out), at_dtype_name(out->dtype), (long long)bytes, end - begin, begin,
                   end);
    if (end > r->data_bytes)
        return bad(r, t, AT_E_FORMAT, "ends at byte %lld of the data, the file has %lld; it is truncated",
                   end, (long long)r->data_bytes);
    out->data = r->data + begin;
    out->bytes = (size_t)bytes;
    return AT_OK;
}

static at_status read_tensor(const reader *r, at_tensor *out, const at_tree *t)
{
    if (t->kind != AT_MAP) return bad(r, t, AT_E_FORMAT, "is %s, expected a map", at_tree_kind_name(t->kind));
    AT_TRY(read_dtype(r, out, t));
    AT_TRY(read_shape(r, out, t));
    AT_TRY(read_offsets(r, out, t));
    if (t->n != 3)
        return bad(r, t, AT_E_FORMAT, "has members beside \"dtype\", \"shape\" and \"data_offsets\"");
    out->name = at_arena_strdup(&r->f->arena, t->key);
    return out->name ? AT_OK : AT_E_NOMEM;
}

/* ---- All tensors ---- */

static at_status read_metadata(const reader *r, const at_tree *t)
{
    at_arena *arena = &r->f->arena;
    AT_REQUIRE(r->ctx, t->kind == AT_MAP, AT_E_FORMAT, "%s: \"__metadata__\" is %s, expected a map of text",
               r->f->file.path, at_tree_kind_name(t->kind));
    at_tree *copy = r->f->metadata = at_tree_new(arena, AT_MAP);
    for (const at_tree *c = t->first; c; c = c->next) {
        AT_REQUIRE(r->ctx, c->kind == AT_STRING, AT_E_FORMAT,
                   "%s: \"%.100s\" in \"__metadata__\" is %s, expected text", r->f->file.path, c->key,
                   at_tree_kind_name(c->kind));
        if (!at_tree_add(arena, copy, c->key, at_tree_string(arena, c->text))) return AT_E_NOMEM;
    }
    return copy ? AT_OK : AT_E_NOMEM;
}

static at_status read_tensors(const reader *r, const at_tree *header)
{
    at_safetensors *f = r->f;
    f->tensors =
        at_arena_alloc(&f->arena, (size_t)header->n * sizeof *f->tensors); /* AT_HEADER_LIMIT bounds n */
    if (!f->tensors) return AT_E_NOMEM;
    for (const at_tree *t = header->first; t; t = t->next) {
        if (strcmp(t->key, "__metadata__") == 0)
            AT_TRY(read_metadata(r, t));
        else
            AT_TRY(read_tensor(r, &f->tensors[f->n++], t));
    }
    return AT_OK;
}

static int by_place(const void *a, const void *b)
{
    const at_tensor *x = a, *y = b;
    if (x->data != y->data) return (const char *)x->data < (const char *)y->data ? -1 : 1;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? -1 : 1;
    return strcmp(x->name, y->name); /* empty ones: any order, but always the same */
}

/* Tensors and data match byte by byte: a file cannot hide anything, and no two tensors share memory. */
static at_status check_layout(const reader *r)
{
    const at_safetensors *f = r->f;
    int64_t reached = 0;
    qsort(f->tensors, (size_t)f->n, sizeof *f->tensors, by_place);
    for (int64_t i = 0; i < f->n; i++) {
        const at_tensor *t = &f->tensors[i];
        const int64_t begin = (const unsigned char *)t->data - r->data;
        AT_REQUIRE(r->ctx, begin >= reached, AT_E_FORMAT,
                   "%s: tensor \"%.200s\" begins at byte %lld of the data, inside tensor \"%.200s\" that "
                   "ends at %lld",
                   f->file.path, t->name, (long long)begin, t[-1].name, (long long)reached);
        AT_REQUIRE(r->ctx, begin == reached, AT_E_FORMAT,
                   "%s: a gap of %lld bytes lies before tensor \"%.200s\", at byte %lld of the data",
                   f->file.path, (long long)(begin - reached), t->name, (long long)reached);
        reached = begin + (int64_t)t->bytes;
    }
    AT_REQUIRE(r->ctx, reached == r->data_bytes, AT_E_FORMAT,
               "%s: %lld bytes are left over behind the last tensor, at byte %lld of the data", f->file.path,
               (long long)(r->data_bytes - reached), (long long)reached);
    return AT_OK;
}

static bool is_aligned(const at_tensor *t)
{
    return t->bytes == 0 || (uintptr_t)t->data % at_dtype_size(t->dtype) == 0;
}

/* Move what the file leaves misaligned into memory of our own. */
static at_status copy_misaligned(const reader *r)
{
    at_safetensors *f = r->f;
    size_t room = 0; /* at most file size + n * AT_ALIGN */
    for (int64_t i = 0; i < f->n; i++)
        if (!is_aligned(&f->tensors[i])) room += (f->tensors[i].bytes + AT_ALIGN - 1) / AT_ALIGN * AT_ALIGN;
    AT_TRY(at_block_map(r->ctx, &f->copies, room));
    char *next = f->copies.data;
    for (int64_t i = 0; i < f->n; i++) {
        at_tensor *t = &f->tensors[i];
        if (is_aligned(t)) continue;
        memcpy(next, t->data, t->bytes);
        t->data = next;
        next += (t->bytes + AT_ALIGN - 1) / AT_ALIGN * AT_ALIGN;
        f->n_copied++;
    }
    if (f->n_copied) /* memory that is not shared with other processes: somebody may wonder where it went */
        at_log(r->ctx, AT_LOG_INFO,
               "%s: %lld of %lld tensors are misaligned in the file and were copied (%zu KiB)", f->file.path,
               (long long)f->n_copied, (long long)f->n, f->copies.bytes >> 10);
    return AT_OK;
}

/* ---- By name ---- */

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const at_tensor *const *)a)->name, (*(const at_tensor *const *)b)->name);
}

static at_status index_names(at_safetensors *f)
{
    f->by_name = at_arena_alloc(&f->arena, (size_t)f->n * sizeof *f->by_name);
    if (!f->by_name) return AT_E_NOMEM;
    for (int64_t i = 0; i < f->n; i++) f->by_name[i] = &f->tensors[i];
    qsort(f->by_name, (size_t)f->n, sizeof *f->by_name, by_name);
    return AT_OK;
}

const at_tensor *at_safetensors_find(const at_safetensors *f, const char *name)
{
    const at_tensor wanted = {.name = name}, *key = &wanted;
    const at_tensor **found = bsearch(&key, f->by_name, (size_t)f->n, sizeof *f->by_name, by_name);
    return found ? *found : NULL;
}

/* ---- Life ---- */

static at_status read_file(reader *r)
{
    const char *text = NULL, *name;
    size_t size = 0;
    at_tree *header;
    AT_TRY(find_header(r, &text, &size));
    if (!(name = at_arena_printf(&r->scratch, "%s: header", r->f->file.path))) return AT_E_NOMEM;
    AT_TRY(at_json_parse(&r->scratch, &header, text, size, name));
    AT_TRY(read_tensors(r, header));
    AT_TRY(check_layout(r));
    AT_TRY(copy_misaligned(r));
    return index_names(r->f);
}

at_status at_safetensors_open(at_safetensors **out, at_ctx *ctx, const char *path)
{
    *out = NULL;
    at_safetensors *f;
    AT_NEW(ctx, f, 1);
    at_arena_init(&f->arena, ctx);
    reader r = {.ctx = ctx, .f = f};
    at_arena_init(&r.scratch, ctx);
    at_status status = at_file_map(ctx, &f->file, path);
    if (status == AT_OK) status = read_file(&r);
    at_arena_deinit(&r.scratch);
    if (status == AT_OK)
        *out = f;
    else
        at_safetensors_close(ctx, f);
    return status;
}

void at_safetensors_close(at_ctx *ctx, at_safetensors *f)
{
    if (!f) return;
    at_block_unmap(ctx, &f->copies);
    at_file_unmap(ctx, &f->file);
    at_arena_deinit(&f->arena);
    at_free(ctx, f);
}
