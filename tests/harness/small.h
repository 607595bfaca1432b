/* small.h: a small training that touches most of the engine: convolution, batch statistics, stored statistics
 * with a learning affine part (static nodes over trainable states), dropout, a frozen layer, ragged micro
 * batches, AdamW with clipping and decay. Tests run it in two ways and compare every bit. */
#ifndef AT_SMALL_H
#define AT_SMALL_H

#include "adapters/adapter.h"
#include "engine/recompute.h"
#include "ops/optim/optim.h"

enum { AT_SMALL_BATCH = 40, AT_SMALL_STEPS = 4, AT_SMALL_CLASSES = 5 };

struct at_small;

typedef struct at_small_options {
    const char *device;  /* NULL = cpu */
    const char *kernels; /* as in at_plan_options */
    at_dtype act;        /* likewise */
    bool no_prepared;    /* the budget for prepared operands is 0 */
    int micro;           /* micro passes a step; 0 = 2 */
    size_t most_bytes;   /* activations are computed again until no more are alive; 0 = they are kept */
    double thrift;       /* and this share of a pass is spent on more of that */
    bool poison; /* the rows behind those of each pass hold NaN, and labels and ids that do not exist */
    const at_adapter *adapter;     /* at every linear map and convolution that it takes; NULL = none */
    const at_optimizer *optimizer; /* NULL = adamw */
    const void *optimizer_options;
    void (*spoil)(struct at_small *t); /* for controls: called when all is ready; NULL = nothing */
} at_small_options;

typedef struct at_small {
    at_ctx *ctx;
    at_small_options options;
    at_device *device;
    at_net net;
    at_site *conv, *norm, *depthwise, *affine, *wide, *head;
    at_graph *g;
    at_plan *plan;
    at_value *image, *label, *sample_id, *logits, *loss, *count, *fetch[3];
    at_commit commit;
    at_recomputed recomputed;
    at_real *pixels; /* of the pass being written */
} at_small;

/* The scalars that a step leaves. */
typedef struct at_small_scalars {
    at_real loss, count, norm, ok;
} at_small_scalars;

/* On failure the rig is still to be closed. */
at_status at_small_open(at_small *t, at_ctx *ctx, const at_small_options *options) AT_MUST_USE;
void at_small_close(at_small *t);

/* Queue the micro passes of an attempt. spoil: a pixel of the last micro batch is NaN. */
void at_small_passes(at_small *t, int attempt, bool spoil);

/* Queue its commit and the copies of its scalars. */
void at_small_commit(at_small *t, int attempt, at_small_scalars *out);

/* Everything that a step may change: masters, slots, running statistics, the step counter, one after another.
 * malloc'ed. */
at_real *at_small_snapshot(at_small *t, int64_t *count);

/* Open, run AT_SMALL_STEPS steps whose scalars are read one step late, snapshot (scalars at its end), close.
 * Fails the test when anything does. */
at_real *at_small_train(at_ctx *ctx, const at_small_options *options, int64_t *count);

/* Hang an adapter without options on one site. */
at_status at_hang_on(const at_adapter *adapter, at_net *net, at_site *site) AT_MUST_USE;

#endif
