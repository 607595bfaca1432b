/* safetensors.h: reading by mapping, writing atomically (format: github.com/huggingface/safetensors: u64
 * header size, JSON header, data). Layer: formats. */
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
    const void *data; /* into the mapping when reading */
    size_t bytes;
} at_tensor;

typedef struct at_safetensors {
    at_arena arena;
    at_file file;
    at_tensor *tensors; /* in the order of their data */
    int64_t n;
    at_tree *metadata; /* map of strings; NULL = none */
} at_safetensors;

/* Open and check everything before any data is used: header length within the file and AT_HEADER_LIMIT, JSON,
 * known dtypes, ranks, products, offsets in bounds, sizes that match shapes, no overlap, no gap, no byte left
 * over, data aligned to the dtype. FORMAT messages name file, tensor and what was found. *out is NULL on
 * failure. */
at_status at_safetensors_open(at_safetensors **out, at_ctx *ctx, const char *path) AT_MUST_USE;
void at_safetensors_close(at_ctx *ctx, at_safetensors *f);

/* By name, or NULL. O(log n). */
const at_tensor *at_safetensors_find(const at_safetensors *f, const char *name);

/* Write tensors (name, dtype, rank, dim, data; bytes and count are derived) in the given order; larger
 * alignments first is the caller's choice, every tensor starts on a multiple of its dtype's size. metadata:
 * map of strings or NULL. */
at_status at_safetensors_write(at_ctx *ctx, const char *path, const at_tensor *tensors, int64_t n,
                               const at_tree *metadata) AT_MUST_USE;

#endif
