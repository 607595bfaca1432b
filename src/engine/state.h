/* state.h: named tensors that outlive a step: parameters, statistics, optimiser moments, counters, caches.
 * Layer: engine.
 *
 * A state keeps its file's layout and dtype while it is frozen (mapped, never copied, never paged in unless a
 * kernel reads it). at_store_layout moves the trainable ones into one flat range of at_real masters, in the
 * order in which the backward pass completes their gradients, beside an equal range of gradients; and the
 * running ones that a graph assigns into a flat range with a pending twin. Optimisers add slots: ranges
 * parallel to the masters. */
#ifndef AT_STATE_H
#define AT_STATE_H

#include "base/alloc.h"
#include "engine/device.h"
#include "engine/graph.h"

/* ---- Storages: how the numbers of a state lie in memory ----------------------------------------------- */

enum { AT_MAX_BUFFERS = 2 };

/* A storage decodes rows of the logical tensor [rows, cols] (rows = dim[0], cols = the rest). One file each
 * in engine/storage/ as `const at_storage at_storage_NAME`. */
struct at_storage {
    const char *name; /* "f32", "f16" ... */
    int n_buffers;
    /* Bytes of each buffer for a tensor [rows, cols]; false = does not fit 64 bits. */
    bool (*bytes)(int64_t out[AT_MAX_BUFFERS], int64_t rows, int64_t cols);
    /* Elements [first, first + n) of row `row`, to at_real. This is the loader that kernels see. */
    void (*load)(at_real *out, const void *const *buffers, int64_t cols, int64_t row, int64_t first,
                 int64_t n);
    /* The inverse for whole rows, for making and saving; NULL = cannot be written. */
    void (*store)(void *const *buffers, const at_real *in, int64_t cols, int64_t row);
    at_dtype dtype[AT_MAX_BUFFERS]; /* of the buffers, for files */
};

/* The storage whose single buffer is this dtype, or NULL. */
const at_storage *at_storage_of(const at_ctx *ctx, at_dtype dtype);

/* ---- States ------------------------------------------------------------------------------------------- */

typedef enum at_role {
    AT_FROZEN,    /* read only */
    AT_TRAINABLE, /* master, gradient, slots in flat ranges once laid out */
    AT_RUNNING,   /* assigned by the pass: normalisation statistics */
    AT_CACHE,     /* rows appended in decode mode; private memory */
    AT_FLAT,      /* a flat range itself, or a counter of the optimiser */
} at_role;

struct at_state {
    const char *name;
    at_shape shape;
    int64_t rows, cols, count; /* rows = dim[0] (1 for scalars and vectors), cols = the rest */
    at_role role;
    const at_storage *storage;
    at_buffer buffer[AT_MAX_BUFFERS];   /* on the store's device; data NULL until placed */
    const void *loaded[AT_MAX_BUFFERS]; /* the same addresses, as loaders take them */
    at_buffer pending;                  /* running states, once laid out */
    at_buffer gradient;                 /* trainable states, once laid out */
    /* Where the value was read from: a file's mapping (borrowed), or `owned`. */
    const void *host[AT_MAX_BUFFERS];
    void *owned;                   /* host copy when the value was set rather than mapped */
    int64_t offset;                /* in the flat range, elements; -1 = not laid out */
    uint64_t version;              /* changes whenever the value may have changed */
    at_state *flat;                /* the range it lies in */
    struct at_prepared *followers; /* what updates remake with it (prepared.h) */
    /* Most rows of its gradient may be zero, and with it the optimiser's slots. On the CPU named[row] is 0
     * for rows in which they are; NULL = not known. */
    bool sparse;
    uint8_t *named;
};

/* One tensor of a flat range and how it learns. */
typedef struct at_range {
    int64_t lo, hi;     /* elements */
    double rate, decay; /* factor on the learning rate; weight decay of this tensor */
    const at_state *state;
} at_range;

struct at_store {
    at_ctx *ctx;
    at_device *device; /* borrowed */
    at_arena arena;
    at_state **states;
    int n_states, cap_states;
    at_state *master, *gradient; /* flat, at_real [n]; NULL before layout or when nothing is trainable */
    at_state *running, *pending;
    at_range *ranges; /* of master, in order */
    int n_ranges;
    struct at_prepared *prepared; /* the plans' packed weights, shared between plans */
    struct at_prepared_block *prepared_blocks;
    size_t prepared_bytes, prepared_budget;
};

at_status at_store_create(at_store **out, at_ctx *ctx, at_device *device) AT_MUST_USE;
void at_store_destroy(at_store *s);

/* Declare a state: name copied, must be new. It has no value yet. */
at_status at_store_add(at_state **out, at_store *s, const char *name, at_role role, int rank,
                       const int64_t *dim) AT_MUST_USE;
at_state *at_store_find(const at_store *s, const char *name); /* NULL = none */

/* Give a state its value from memory that stays mapped as long as the store lives: borrowed, never written.
 */
at_status at_state_bind(at_store *s, at_state *state, const at_storage *storage,
                        const void *const *host) AT_MUST_USE;

/* Give a state its value from dense at_real numbers [count]: copied. Laid-out states are overwritten in
 * place. */
at_status at_state_set(at_store *s, at_state *state, const at_real *values) AT_MUST_USE;

/* Read a state's value as dense at_real [count], whatever its storage; waits for the device. */
at_status at_state_get(at_store *s, const at_state *state, at_real *out) AT_MUST_USE;

/* The same for elements [first, first + n) of a laid-out (flat) state. */
at_status at_state_get_part(at_store *s, const at_state *state, int64_t first, int64_t n,
                            at_real *out) AT_MUST_USE;

/* The inverse. What has these values already is not written, so that sparse states stay so; rows of them that
 * are written are named. */
void at_state_set_part(at_store *s, const at_state *state, int64_t first, int64_t n, const at_real *values);

/* Put the value on the device if it is not there yet (plans call it for what their kernels read). */
at_status at_state_place(at_store *s, at_state *state) AT_MUST_USE;

/* After at_gradients: lay out the trainable states in the order in which g completes their gradients, and the
 * running states that g assigns. STATE if already laid out; ARG if a trainable state has no path to the loss.
 */
at_status at_store_layout(at_store *s, const at_graph *g) AT_MUST_USE;

/* A new flat range of zeros parallel to the masters ("name" is its state name). */
at_status at_store_slot(at_state **out, at_store *s, const char *name) AT_MUST_USE;

/* Let a row of a sparse state be named, and take in gradient and slots the memory that a step takes which
 * names it: for forecasts of memory. Other states have theirs, and rows that are out of range none. */
void at_store_take_row(at_store *s, const at_state *t, int64_t row);

/* Everything a commit may have changed has a new version. */
void at_store_touch(at_store *s);

#endif
