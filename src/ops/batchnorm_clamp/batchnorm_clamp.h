/* batchnorm_clamp.h: batchnorm and a clamp in one; made by fusion only. Layer: ops. */
#ifndef AT_BATCHNORM_CLAMP_H
#define AT_BATCHNORM_CLAMP_H

#include "engine/fuse.h"

typedef struct at_batchnorm_clamp_param {
    double eps, low, high; /* high may be infinite */
} at_batchnorm_clamp_param;

extern const at_op at_op_batchnorm_clamp, at_op_batchnorm_clamp_dx;

#endif
