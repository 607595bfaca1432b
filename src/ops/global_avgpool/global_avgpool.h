/* global_avgpool.h: builder of global_avgpool. Layer: ops. */
#ifndef AT_GLOBAL_AVGPOOL_H
#define AT_GLOBAL_AVGPOOL_H

#include "engine/graph.h"

typedef struct at_pool_area {
    int64_t height, width;
} at_pool_area;

extern const at_op at_op_global_avgpool, at_op_global_avgpool_dx;

/* Mean over height and width: x [S,H,W,C] act on an extent -> [S,C] act. */
at_value *at_global_avgpool(at_graph *g, at_value *x);

#endif
