/* channel_affine.h: builder of channel_affine. Layer: ops. */
#ifndef AT_CHANNEL_AFFINE_H
#define AT_CHANNEL_AFFINE_H

#include "engine/graph.h"

extern const at_op at_op_channel_affine, at_op_channel_affine_dscale;

/* y = x scale + shift: x, y [..,C] act on an extent; scale, shift [C] acc; shift NULL = none. */
at_value *at_channel_affine(at_graph *g, at_value *x, at_value *scale, at_value *shift);

#endif
