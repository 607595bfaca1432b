/* optim.h: what a step's commit is made of: norms, clipping, the finite test, updates, commits. Layer: ops.
 *
 * An optimiser is one file here: `const at_optimizer at_optimizer_NAME` names its slots and builds its update
 * node; the update op reads flat ranges and runs in place, predicated by the device scalar ok. Tensors of a
 * range learn at rate * their own factor; weight decay is per tensor. */
#ifndef AT_OPTIM_H
#define AT_OPTIM_H

#include "base/option.h"
#include "engine/graph.h"
#include "engine/state.h"

/* Ranges as op parameter: borrowed, they live with the store. */
typedef struct at_ranges {
    const at_range *list; /* in the order of memory */
    int64_t n;
} at_ranges;

enum { AT_MAX_SLOTS = 3 };

typedef struct at_update { /* what an update node reads */
    at_value *master, *gradient, *slot[AT_MAX_SLOTS];
    at_value *tensor_sums; /* [T] sum of squares of each tensor's gradient, before scaling */
    at_value *step;        /* [1] committed steps so far */
    at_value *scale;       /* [1] factor on the gradient: 1 / count, and clipping */
    at_value *ok;          /* [1] > 0: commit; else nothing may change */
    at_value *rate;        /* [1] learning rate of this step */
    at_ranges ranges;
} at_update;

/* What a full-batch optimiser minimises: value and gradient at x, in double. */
typedef struct at_objective {
    void *self;
    at_status (*evaluate)(void *self, const double *x, double *f, double *gradient);
    void (*report)(void *self, int64_t iteration, double f, double gradient_norm);
} at_objective;

typedef struct at_optimizer {
    const char *name, *doc;
    const at_options *options; /* section named like the optimiser; the struct goes to build */
    int (*n_slots)(const void *options);
    const char *slot_names[AT_MAX_SLOTS];
    void (*build)(at_graph *g, const at_update *u, const void *options); /* NULL: not by steps, */
    /* but by solving: x [n] is the start and the result. */
    at_status (*solve)(at_ctx *ctx, const at_objective *f, double *x, int64_t n, const void *options);
} at_optimizer;

/* The commit part of a training graph, appended to g, whose gradients are built and whose store is laid out.
 * count, loss: step sums [1]. rate: input [1] that the host writes at each step. */
typedef struct at_commit {
    at_value *rate;              /* in */
    at_value *scale, *norm, *ok; /* out: [1] each; norm: L2 of the averaged gradient before clipping */
    at_state *step;              /* committed steps */
    at_state *slots[AT_MAX_SLOTS];
    int n_slots;
} at_commit;

at_status at_build_commit(at_commit *out, at_graph *g, at_value *loss, at_value *count, double clip,
                          const at_optimizer *optimizer, const void *options) AT_MUST_USE;

extern const at_op at_op_tensor_sums, at_op_clip, at_op_finite, at_op_commit, at_op_count_step, at_op_sgd,
    at_op_adamw;

/* For kernels that update: call tile(c, range, lo, hi) for pieces of all ranges in parallel, and remake what
 * follows from each piece. Such a kernel says so (at_kernel.remakes). */
typedef void (*at_range_fn)(const at_call *c, const at_range *range, int64_t lo, int64_t hi);
void at_for_ranges(const at_call *c, const at_ranges *ranges, at_range_fn tile);

/* Where the rows that begin with element lo's cease to be alike, hi at most: all named (*named), so that
 * gradient and slots are to be read, or none, so that they are zero. */
int64_t at_range_alike(bool *named, const at_range *r, int64_t lo, int64_t hi);

#endif
