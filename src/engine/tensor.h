/* tensor.h: what a tensor is before it has memory: element kind, shape, extent. Layer: engine.
 *
 * Activations are channels-last: physically [rows, C], rows = product of the leading dimensions. A value that
 * has an extent is an activation and lies at the plan's row pitch; a value without one is parameter-like and
 * dense. */
#ifndef AT_TENSOR_H
#define AT_TENSOR_H

#include "base/base.h"
#include "base/dtype.h"

/* The number type of references, masters and gradients: float in the library, double in the test library that
 * checks gradients and float64 goldens. */
#ifdef AT_REAL_IS_DOUBLE
typedef double at_real;
#define AT_REAL AT_F64
#else
typedef float at_real;
#define AT_REAL AT_F32
#endif

enum { AT_MAX_RANK = 5 };

/* What a graph knows of an element; the plan binds act and acc to a dtype. */
typedef enum at_type { AT_ACT, AT_ACC, AT_INT } at_type;

typedef struct at_shape {
    int rank; /* 0 = absent */
    int64_t dim[AT_MAX_RANK];
} at_shape;

/* A row count that is known as a maximum when planning and as a value at each step. */
typedef struct at_extent {
    const char *name;
    int64_t max;
    int index; /* its place in at_pass.extents */
} at_extent;

typedef struct at_meta {
    at_type type;
    int rank;
    int64_t dim[AT_MAX_RANK]; /* dim[0] is the maximum when it stands on an extent */
    const at_extent *extent;  /* of dim[0]; NULL = constant */
} at_meta;

/* In memory a tensor is [rows, cols]. Activations (on an extent): cols = last dimension, or 1 for rank 1 (one
 * number a row); rows = the dimensions before it. Parameter-like: rows = dim[0] (1 for vectors), cols = all
 * the rest. */
static inline int64_t at_meta_cols(const at_meta *m)
{
    if (m->extent) return m->rank == 1 ? 1 : m->dim[m->rank - 1];
    if (m->rank == 1) return m->dim[0];
    int64_t cols = 1;
    for (int i = 1; i < m->rank; i++) cols *= m->dim[i];
    return cols;
}

/* Rows when dim[0] is `leading`. */
static inline int64_t at_meta_rows_at(const at_meta *m, int64_t leading)
{
    if (!m->extent) return m->rank == 1 ? 1 : leading;
    int64_t rows = leading;
    for (int i = 1; i + 1 < m->rank; i++) rows *= m->dim[i];
    return rows;
}

/* The value of dim[0] when the extent (if any) has the value `extent`. */
static inline int64_t at_meta_leading(const at_meta *m, int64_t extent)
{
    return m->extent ? m->dim[0] / m->extent->max * extent : m->dim[0];
}

static inline int64_t at_meta_max_rows(const at_meta *m)
{
    return at_meta_rows_at(m, m->dim[0]);
}

static inline bool at_same_shape(const at_meta *a, const at_meta *b)
{
    if (a->rank != b->rank || a->extent != b->extent) return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dim[i] != b->dim[i]) return false;
    return true;
}

/* A meta of the given type and constant shape. */
static inline at_meta at_meta_of(at_type type, int rank, const int64_t *dim)
{
    at_meta m = {.type = type, .rank = rank};
    for (int i = 0; i < rank; i++) m.dim[i] = dim[i];
    return m;
}

static inline at_meta at_meta_vector(at_type type, int64_t n)
{
    return (at_meta){.type = type, .rank = 1, .dim = {n}};
}

/* A parameter-like vector of n elements, one a channel? */
static inline bool at_is_vector(const at_meta *m, int64_t n)
{
    return m->rank == 1 && !m->extent && m->dim[0] == n;
}

/* Elements, or false when the count does not fit 64 bits or a dimension is negative. */
bool at_shape_count(int64_t *out, int rank, const int64_t *dim);

/* "[3,64]" for messages, in a buffer of the caller. */
enum { AT_SHAPE_TEXT = 128 };
const char *at_shape_text(char out[AT_SHAPE_TEXT], int rank, const int64_t *dim);

#endif
