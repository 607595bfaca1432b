/* rig.h: a graph of one node of an op, its seeds, its gradients, and a plan that fetches them: what the
 * checks of gradients and goldens run. */
#ifndef AT_RIG_H
#define AT_RIG_H

#include "engine/fuse.h"
#include "engine/plan.h"
#include "tests/harness/opcheck.h"

typedef struct at_rig {
    at_ctx *ctx;
    at_device *device;
    at_store *store;
    at_graph *g;
    at_plan *plan;
    at_value *in[AT_MAX_IN], *seed[AT_MAX_OUT], *fetch[AT_MAX_IN + AT_MAX_OUT];
    int n_fetch;
    at_real *data[AT_MAX_IN]; /* dense inputs; integers are stored as int32 in the same memory */
    at_real *seeds[AT_MAX_OUT];
    int64_t count[AT_MAX_IN], out_count[AT_MAX_OUT];
    const at_extent *extent[AT_CASE_EXTENTS];
    int64_t rows[AT_CASE_EXTENTS]; /* of a run */
    int n_forward;                 /* nodes before those of the gradient */
    at_meta out_meta[AT_MAX_OUT];  /* outputs, then saved values */
} at_rig;

typedef struct at_rig_options {
    uint32_t wanted;     /* bit i: the gradient of input i is fetched; none: the outputs are */
    uint32_t seeded;     /* bit o: output o has a seed; of losses, output 0 only */
    bool saved;          /* saved values are fetched behind the outputs */
    const char *kernels; /* as in at_plan_options */
    /* `then` follows the op, which is the rule's first: its result stands for output 0, its saved values come
     * behind the op's, and between behind them, if the fused op saves it. The case is the fused op's, and
     * its parameters begin with the op's, and end with those of `then`, if it has any. NULL = none. */
    const at_fusion *rule;
    bool fuse;    /* fusions are applied */
    at_dtype act; /* as in at_plan_options */
} at_rig_options;

/* Random inputs and seeds, which the caller may overwrite in data[] and seeds[]. On failure the rig is still
 * to be destroyed. Random draws are keyed by AT_RIG_SEED, site "OP.CASE", AT_RIG_ATTEMPT. */
enum { AT_RIG_SEED = 3, AT_RIG_ATTEMPT = 7 };
at_status at_rig_build(at_rig *t, at_ctx *ctx, const at_op *op, const at_op_case *k,
                       const at_rig_options *options) AT_MUST_USE;
void at_rig_destroy(at_rig *t);

/* Run once. fetched: memory for each of fetch[]. */
at_status at_rig_run(at_rig *t, at_real *const *fetched) AT_MUST_USE;

/* The extents of a case in the rig's own graph, and an input on them with the meta of a case's operand. */
void at_rig_extents(at_rig *t, const at_extent declared[AT_CASE_EXTENTS]);
at_value *at_rig_input(at_rig *t, const char *name, const at_meta *m);

/* Bit i: input i of the case is real and may have a gradient. */
uint32_t at_rig_real_inputs(const at_op *op, const at_op_case *k);

#endif
