/* rowsum.h: sums over rows. Layer: ops. */
#ifndef AT_ROWSUM_H
#define AT_ROWSUM_H

#include "engine/graph.h"

extern const at_op at_op_rowsum;

/* x [...,C] on an extent, act -> [C] acc. */
at_value *at_rowsum(at_graph *g, at_value *x);

#endif
