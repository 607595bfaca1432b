/* safetensors.h: reading by mapping, writing atomically (format: github.com/huggingface/safetensors: u64
 * header size, JSON header, data; all little-endian). Layer: formats. */
#ifndef AT_SAFETENSORS_H
#define AT_SAFETENSORS_H

#include "base/dtype.h"
#include "formats/file.h"
#include "formats/tree.h"

enum { AT_FILE_RANK = 8, AT_HEADER_LIMIT = 100 << 20 };

typedef struct at_tensor {
    const char *name;
    at_dtype dtype;
    int rank;
    int64_t dim[AT_FILE_RANK];
    int64_t count;    /* elements */
    const void *data; /* aligned to the dtype; when reading into the mapping, or into `copies` */
    size_t bytes;
} at_tensor;

typedef struct at_safetensors {
    at_arena arena;
    at_file file;
    at_tensor *tensors; /* in the order of their data */
    int64_t n;
    const at_tensor **by_name; /* the same, sorted: for at_safetensors_find */
    at_tree *metadata;         /* map of strings; NULL = none */
    at_block copies;           /* of the tensors that the file does not align */
    int64_t n_copied;
} at_safetensors;

/* Open and check everything before any data is used: header length within the file and AT_HEADER_LIMIT, JSON,
 * known dtypes, ranks, products, offsets in bounds, sizes that match shapes, no overlap, no gap, no byte left
 * over. FORMAT messages name file, tensor and what was found; UNSUPPORTED: a dtype or a rank that exists but
 * not here. The format does not promise alignment, and files written before safetensors 0.3 or by other
 * programs (MLX among them) have none: such tensors are copied into memory at open, the others stay mapped.
 * *out is NULL on failure. */
at_status at_safetensors_open(at_safetensors **out, at_ctx *ctx, const char *path) AT_MUST_USE;
void at_safetensors_close(at_ctx *ctx, at_safetensors *f);

/* By name, or NULL. O(log n). */
const at_tensor *at_safetensors_find(const at_safetensors *f, const char *name);

/* Write tensors (name, dtype, rank, dim, data; bytes and count are derived) in the given order; metadata: map
 * of strings or NULL. Nothing may lie between tensors and each starts on a multiple of its dtype's size, so
 * an order that would misalign one is an ARG error: larger dtypes first is always right. ARG also: a name
 * twice, no data; RANGE: a shape that overflows, a header beyond AT_HEADER_LIMIT. The file is byte for byte
 * what the format's own library writes for the same order and metadata. */
at_status at_safetensors_write(at_ctx *ctx, const char *path, const at_tensor *tensors, int64_t n,
                               const at_tree *metadata) AT_MUST_USE;

/* Where values come from that are not in memory. */
typedef struct at_tensor_source {
    at_status (*read)(void *from, int64_t index, int64_t first, int64_t n, void *out); /* of tensor `index` */
    bool (*is_whole)(const void *from, int64_t index); /* must it be read at once? NULL = no */
    void *from;
} at_tensor_source;

/* The same when not all tensors are in memory: those without data are read one after the other, in pieces. */
at_status at_safetensors_write_from(at_ctx *ctx, const char *path, const at_tensor *tensors, int64_t n,
                                    const at_tree *metadata, const at_tensor_source *source) AT_MUST_USE;

#endif
