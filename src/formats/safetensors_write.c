/* safetensors_write.c: writing safetensors files, atomically and checked before the first byte. Layer:
 * formats. */
#include "formats/safetensors.h"
#include <stdlib.h>

enum {
    DATA_ALIGN = 8,   /* of the first tensor in the file: spaces fill the header up */
    PIECE = 64 << 10, /* numbers that are read at a time */
};

static at_status bad(at_ctx *ctx, at_status code, const char *path, const at_tensor *t, const char *why)
{
    return at_fail(ctx, code, "%s: tensor \"%.200s\" %s", path, t->name, why);
}

/* The bytes of a tensor, derived from its shape; ok to be written at `offset`. */
static at_status check_tensor(at_ctx *ctx, int64_t *bytes, const char *path, const at_tensor *t,
                              int64_t offset, const at_tensor_source *source)
{
    AT_REQUIRE(ctx, t->name, AT_E_ARG, "%s: a tensor without a name", path);
    if (strcmp(t->name, "__metadata__") == 0)
        return bad(ctx, AT_E_ARG, path, t, "has the name of the metadata");
    if ((unsigned)t->dtype >= AT_DTYPE_COUNT) return bad(ctx, AT_E_DTYPE, path, t, "has no known dtype");
    if (t->rank < 0 || t->rank > AT_FILE_RANK)
        return bad(ctx, AT_E_RANGE, path, t, "has too many dimensions");
    *bytes = (int64_t)at_dtype_size(t->dtype);
    for (int i = 0; i < t->rank; i++)
        if (t->dim[i] < 0 || !at_mul_ok(bytes, *bytes, t->dim[i]))
            return bad(ctx, AT_E_RANGE, path, t, "has a negative dimension or more bytes than 64 bits count");
    if (*bytes > 0 && !t->data && !source) return bad(ctx, AT_E_ARG, path, t, "has no data");
    if (offset % (int64_t)at_dtype_size(t->dtype) != 0)
        return bad(ctx, AT_E_ARG, path, t, "would be misaligned; write tensors of larger dtypes first");
    return AT_OK;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static at_status check_names(at_ctx *ctx, const char *path, const at_tensor *tensors, int64_t n)
{
    const char **names = at_alloc_array(ctx, n, sizeof *names), *twice = NULL;
    if (!names) return AT_E_NOMEM;
    for (int64_t i = 0; i < n; i++) names[i] = tensors[i].name;
    qsort(names, (size_t)n, sizeof *names, by_text);
    for (int64_t i = 1; i < n && !twice; i++)
        if (strcmp(names[i - 1], names[i]) == 0) twice = names[i];
    at_free(ctx, names);
    AT_REQUIRE(ctx, !twice, AT_E_ARG, "%s: two tensors are named \"%.200s\"", path, twice);
    return AT_OK;
}

static at_status write_metadata(at_text *header, const char *path, const at_tree *metadata)
{
    at_text_add(header, "\"__metadata__\":{");
    for (const at_tree *c = metadata->first; c; c = c->next) {
        AT_REQUIRE(header->ctx, c->kind == AT_STRING && c->key, AT_E_ARG,
                   "%s: metadata must be a map of text, it holds %s", path, at_tree_kind_name(c->kind));
        if (c != metadata->first) at_text_add(header, ",");
        at_text_json(header, c->key);
        at_text_add(header, ":");
        at_text_json(header, c->text);
    }
    at_text_add(header, "}");
    return AT_OK;
}

static void write_entry(at_text *header, const at_tensor *t, int64_t begin, int64_t end)
{
    at_text_json(header, t->name);
    at_text_printf(header, ":{\"dtype\":\"%s\",\"shape\":[", at_dtype_name(t->dtype));
    for (int i = 0; i < t->rank; i++) at_text_printf(header, i ? ",%lld" : "%lld", (long long)t->dim[i]);
    at_text_printf(header, "],\"data_offsets\":[%lld,%lld]}", (long long)begin, (long long)end);
}

static at_status make_header(at_text *header, const char *path, const at_tensor *tensors, int64_t n,
                             const at_tree *metadata, const at_tensor_source *source)
{
    at_ctx *ctx = header->ctx;
    int64_t begin = 0;
    at_text_add(header, "{");
    const bool has_metadata = metadata && metadata->first;
    if (has_metadata) AT_TRY(write_metadata(header, path, metadata));
    for (int64_t i = 0; i < n; i++) {
        int64_t bytes = 0, end;
        AT_TRY(check_tensor(ctx, &bytes, path, &tensors[i], begin, source));
        if (!at_add_ok(&end, begin, bytes)) return bad(ctx, AT_E_RANGE, path, &tensors[i], "exceeds 64 bits");
        if (i > 0 || has_metadata) at_text_add(header, ",");
        write_entry(header, &tensors[i], begin, end);
        begin = end;
    }
    at_text_add(header, "}");
    while (!header->failed && header->size % DATA_ALIGN != 0) at_text_add(header, " ");
    AT_TRY(at_text_status(header));
    AT_REQUIRE(ctx, header->size <= AT_HEADER_LIMIT, AT_E_RANGE,
               "%s: the header would have %zu bytes, at most %d", path, header->size, AT_HEADER_LIMIT);
    return check_names(ctx, path, tensors, n);
}

/* Of a tensor whose shape make_header has checked. */
static int64_t numbers_of(const at_tensor *t)
{
    int64_t n = 1;
    for (int d = 0; d < t->rank; d++) n *= t->dim[d];
    return n;
}

static int64_t piece_of(const at_tensor *tensors, int64_t i, const at_tensor_source *source)
{
    const int64_t n = numbers_of(&tensors[i]);
    const bool whole = source->is_whole && source->is_whole(source->from, i);
    return whole ? n : at_min(n, PIECE);
}

/* Room for the largest piece that must be read; NULL = there is none. */
static at_status make_room(at_ctx *ctx, void **out, const at_tensor *tensors, int64_t n,
                           const at_tensor_source *source)
{
    size_t most = 0;
    *out = NULL;
    for (int64_t i = 0; i < n; i++) {
        if (tensors[i].data || !source) continue;
        const size_t bytes = (size_t)piece_of(tensors, i, source) * at_dtype_size(tensors[i].dtype);
        if (bytes > most) most = bytes;
    }
    if (most) *out = at_alloc(ctx, most);
    return most && !*out ? AT_E_NOMEM : AT_OK;
}

static at_status write_pieces(at_writer *w, const at_tensor *tensors, int64_t i,
                              const at_tensor_source *source, void *room)
{
    const int64_t all = numbers_of(&tensors[i]), most = piece_of(tensors, i, source);
    for (int64_t first = 0; first < all; first += most) {
        const int64_t n = at_min(most, all - first);
        AT_TRY(source->read(source->from, i, first, n, room));
        AT_TRY(at_writer_put(w, room, (size_t)n * at_dtype_size(tensors[i].dtype)));
    }
    return AT_OK;
}

static at_status write_file(at_writer *w, const at_text *header, const at_tensor *tensors, int64_t n,
                            const at_tensor_source *source, void *room)
{
    const uint64_t length = header->size;
    AT_TRY(at_writer_put(w, &length, sizeof length));
    AT_TRY(at_writer_put(w, header->data, header->size));
    for (int64_t i = 0; i < n; i++) {
        const at_tensor *t = &tensors[i];
        if (t->data)
            AT_TRY(at_writer_put(w, t->data, (size_t)numbers_of(t) * at_dtype_size(t->dtype)));
        else if (source)
            AT_TRY(write_pieces(w, tensors, i, source, room));
    }
    return AT_OK;
}

static at_status write_checked(at_ctx *ctx, const char *path, const at_text *header, const at_tensor *tensors,
                               int64_t n, const at_tensor_source *source)
{
    at_writer *w = NULL;
    void *room;
    AT_TRY(make_room(ctx, &room, tensors, n, source));
    at_status status = at_writer_open(&w, ctx, path);
    if (status == AT_OK) {
        status = write_file(w, header, tensors, n, source, room);
        if (status == AT_OK)
            status = at_writer_commit(w);
        else
            at_writer_abort(w);
    }
    at_free(ctx, room);
    return status;
}

at_status at_safetensors_write_from(at_ctx *ctx, const char *path, const at_tensor *tensors, int64_t n,
                                    const at_tree *metadata, const at_tensor_source *source)
{
    at_text header;
    at_text_init(&header, ctx);
    at_status status = make_header(&header, path, tensors, n, metadata, source);
    if (status == AT_OK) status = write_checked(ctx, path, &header, tensors, n, source);
    at_text_deinit(&header);
    return status;
}

at_status at_safetensors_write(at_ctx *ctx, const char *path, const at_tensor *tensors, int64_t n,
                               const at_tree *metadata)
{
    return at_safetensors_write_from(ctx, path, tensors, n, metadata, NULL);
}
