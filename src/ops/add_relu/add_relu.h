/* add_relu.h: add and relu in one pass; made by fusion only. Layer: ops. */
#ifndef AT_ADD_RELU_H
#define AT_ADD_RELU_H

#include "engine/fuse.h"

extern const at_op at_op_add_relu;

#endif
