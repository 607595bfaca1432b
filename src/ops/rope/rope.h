/* rope.h: builder of rope. Layer: ops. */
#ifndef AT_ROPE_H
#define AT_ROPE_H

#include "engine/graph.h"

typedef struct at_rope_param {
    int64_t heads, positions;
    int64_t back; /* 1: turned back, which is the gradient; else 0 */
    double theta;
} at_rope_param;

extern const at_op at_op_rope;

/* Rotary positions: x [R,heads D] act on an extent, D even, position_ids INT [R] with 0 <= id < positions: in
 * each head the columns i and i + D/2 are a point of the plane, turned by the angle id theta^(-2i/D). */
at_value *at_rope(at_graph *g, at_value *x, at_value *position_ids, int64_t heads, int64_t positions,
                  double theta);

#endif
