/* view.h: the ops behind at_reshape, at_columns and at_append, and copy, which moves or adds a value. Layer:
 * engine. */
#ifndef AT_VIEW_H
#define AT_VIEW_H

#include "engine/op.h"

extern const at_op at_op_reshape, at_op_columns, at_op_columns_dx, at_op_append, at_op_copy;

#endif
