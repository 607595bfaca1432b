/* affine_clamp.h: channel_affine and a clamp in one pass; made by fusion only. Layer: ops. */
#ifndef AT_AFFINE_CLAMP_H
#define AT_AFFINE_CLAMP_H

#include "engine/fuse.h"

typedef struct at_clamp_param {
    double low, high; /* high may be infinite */
} at_clamp_param;

extern const at_op at_op_affine_clamp, at_op_affine_clamp_dx, at_op_affine_clamp_dx_only;

#endif
