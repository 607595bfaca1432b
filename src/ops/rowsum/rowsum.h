/* rowsum.h: builder of rowsum. Layer: ops. */
#ifndef AT_ROWSUM_H
#define AT_ROWSUM_H

#include "engine/graph.h"

extern const at_op at_op_rowsum;

/* Sum over rows: x [..,C] act on an extent -> [C] acc. */
at_value *at_rowsum(at_graph *g, at_value *x);

#endif
