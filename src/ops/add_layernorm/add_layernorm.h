/* add_layernorm.h: a sum and layernorm in one: what fusions make, so it has no builder. Layer: ops. */
#ifndef AT_ADD_LAYERNORM_H
#define AT_ADD_LAYERNORM_H

#include "engine/fuse.h"

enum { AT_ADD_LAYERNORM_MEAN = 1, AT_ADD_LAYERNORM_RSTD, AT_ADD_LAYERNORM_SUM }; /* saved, behind y */

extern const at_op at_op_add_layernorm;

#endif
