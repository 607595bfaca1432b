/* dataset.h: samples as rows of host arrays, and the loader that fills batches on threads of its own. Layer:
 * data.
 *
 * A data set yields columns; a batch lays the rows of its samples end to end. A ragged column has as many
 * rows as the sample says, and the batch brings their offsets. What a sample becomes depends on (seed, epoch,
 * sample) alone. */
#ifndef AT_DATASET_H
#define AT_DATASET_H

#include "base/alloc.h"
#include "base/dtype.h"
#include "formats/digest.h"

enum { AT_MAX_COLUMNS = 6, AT_COLUMN_RANK = 4 };

typedef struct at_column {
    const char *name;
    at_dtype dtype; /* AT_F32 or AT_I32 */
    int rank;       /* of one row; 0 = one number */
    int64_t dim[AT_COLUMN_RANK];
    bool ragged;
    bool exact; /* F32 that stays so where activations are bf16: what outputs are compared with */
} at_column;

typedef struct at_fill {
    uint64_t seed, epoch;
    bool augment;
    bool again; /* the sample will be read once more: what was done for it may be kept */
} at_fill;

typedef struct at_dataset at_dataset;
struct at_dataset {
    int64_t n; /* samples */
    at_column columns[AT_MAX_COLUMNS];
    int n_columns;
    int64_t max_rows; /* the most rows of a ragged column that a sample has */
    int parts;        /* sequences that these rows are, end to end: the texts of a pair; 0 = one */
    int64_t (*rows)(const at_dataset *d, int64_t sample);                /* NULL: nothing is ragged */
    int64_t (*part_rows)(const at_dataset *d, int64_t sample, int part); /* where there are several parts */
    /* Write the sample's rows: out[i] is where column i's go, NULL = not wanted. Called by several threads at
     * once, each with a context of its own. A failure names the sample. */
    at_status (*fill)(at_ctx *ctx, const at_dataset *d, int64_t sample, const at_fill *how, void *const *out);
    const char *(*name)(const at_dataset *d, int64_t sample); /* for messages and reports; NULL = numbers */
    /* Before any is read: take the memory that samples which are kept will lie in; NULL = nothing is kept. */
    void (*hold)(at_dataset *d);
    /* Add what identifies the samples' contents (without augmentation); NULL = unknown, nothing is kept on
     * disk. */
    void (*digest)(const at_dataset *d, at_digest *out);
    void (*close)(at_ctx *ctx, at_dataset *d);
};

static inline int at_dataset_parts(const at_dataset *d)
{
    return d->parts > 1 ? d->parts : 1;
}

/* Elements of one row. */
int64_t at_column_count(const at_column *c);

/* ---- Loader ---- */

typedef struct at_batch {
    int64_t n;                /* samples */
    const int32_t *sample_id; /* [n] index in the data set */
    const void *data[AT_MAX_COLUMNS];
    const int32_t *sequence_id; /* [n * parts] sample_id * parts + part */
    const int32_t *offsets;     /* [n * parts + 1] of the ragged columns; NULL = none */
    int64_t rows;               /* the last of offsets */
} at_batch;

typedef struct at_loader at_loader;

/* batch: the most samples of one; threads: decoding threads (>= 1). d is borrowed. */
at_status at_loader_create(at_loader **out, at_ctx *ctx, const at_dataset *d, int64_t batch,
                           int threads) AT_MUST_USE;
void at_loader_destroy(at_loader *l);

/* Begin a sequence: samples order[0..n), cut into batches of the given sizes (their sum is n). order and
 * sizes are borrowed until the sequence ends or the next start. */
void at_loader_start(at_loader *l, const int32_t *order, const int32_t *sizes, int64_t n_batches,
                     const at_fill *how);

/* The next batch, in order; its arrays are valid until the next call. The first failure of a sample by
 * position ends the sequence. */
at_status at_loader_next(at_loader *l, at_batch *out) AT_MUST_USE;

/* Samples 0..n) in an order drawn from (seed, epoch) by Fisher and Yates' shuffle. */
void at_shuffle(int32_t *order, int64_t n, uint64_t seed, uint64_t epoch);

#endif
