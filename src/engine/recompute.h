/* recompute.h: activations that are not kept for the backward pass but computed again. Layer: engine. */
#ifndef AT_RECOMPUTE_H
#define AT_RECOMPUTE_H

#include "engine/plan.h"

typedef struct at_recomputed {
    bool fits;                 /* the activations take no more than was asked for */
    size_t before, after;      /* bytes of activations of a plan, as at_plan_memory says */
    size_t bytes;              /* of what is computed again */
    int n_nodes;               /* that are computed again */
    double flops, added_flops; /* of a pass before; what computing again adds */
} at_recomputed;

/* Change g, whose gradients and commit are appended and whose store is laid out, so that a plan with these
 * options needs no more than `most` bytes for activations, at little added work; where that is impossible, as
 * few as this finds (fits is false). Bits stay the same. thrift: this share of a pass's time, as far as it
 * can be told beforehand, may be spent on lowering the need further.
 * @return OK; what at_plan_create returns but for kernels; NOMEM. On failure g still computes the same. */
at_status at_graph_recompute(at_graph *g, const at_plan_options *options, size_t most, double thrift,
                             at_recomputed *out) AT_MUST_USE;

#endif
