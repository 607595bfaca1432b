/* fuse.h: fusions: rules that replace two nodes by one. Layer: engine.
 *
 * A fused op's folder states its rules as `const at_fusion at_fusion_NAME`; the pass over the graph knows no
 * op. A rule serves where `then` is the only reader of the first output of `first`. The fused op takes the
 * inputs of `first` and has its outputs and saved values, but for the first, which is the output of `then`.
 */
#ifndef AT_FUSE_H
#define AT_FUSE_H

#include "engine/graph.h"

typedef struct at_fusion {
    const char *name;
    const at_op *first, *then, *fused;
    void (*param)(void *out, const at_node *first,
                  const at_node *then); /* NULL = the fused op has no parameters */
} at_fusion;

/* Apply every rule of the registry wherever it fits; before at_gradients. kept: values that must stay what
 * they are, because the host reads them. */
void at_graph_fuse(at_graph *g, at_value *const *kept, int n_kept);

#endif
