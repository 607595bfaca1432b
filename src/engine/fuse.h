/* fuse.h: fusions: rules that replace two nodes by one. Layer: engine.
 *
 * A fused op's folder states its rules as `const at_fusion at_fusion_NAME`; the pass over the graph knows no
 * op. A rule serves where `then` is the only reader of the first output of `first`, called between, reads it
 * once, and the fused node can stand where one of the two stood.
 *
 *   inputs        those of `first`, then those of `then` without between
 *   parameters    those of `first`, then those of `then`, or what the rule's function makes of them
 *   outputs       that of `then`, then those of `first` without between
 *   saved values  those of `first`, then those of `then`, then between, if the fused op declares one more */
#ifndef AT_FUSE_H
#define AT_FUSE_H

#include "engine/graph.h"

typedef struct at_fusion {
    const char *name;
    const at_op *first, *then, *fused;
    int at; /* the input of `then` that is between */
    void (*param)(void *out, const at_node *first, const at_node *then); /* NULL = as above */
} at_fusion;

/* Apply every rule of the registry wherever it fits: before at_gradients, and again behind it, where rules
 * for gradients find theirs. kept: values that must stay what they are, because the host reads them. */
void at_graph_fuse(at_graph *g, at_value *const *kept, int n_kept);

#endif
