/* toys.h: the toys below src/, which mirror the tree: one stand-in of each kind. They are no part of the
 * library. The test programs compile them and add them to a context of their own; tests/extension/run builds
 * a program with them, as a user would who adds files. */
#ifndef AT_TOYS_H
#define AT_TOYS_H

#include "engine/op.h"

extern const struct at_op at_op_toy_bag, at_op_toy_segment, at_op_toy_scale, at_op_toy_squared;
extern const struct at_kernel at_kernel_toy_bag_gather;
extern const struct at_storage at_storage_toy_int8, at_storage_toy_u8;
extern const struct at_architecture at_architecture_toy_mlp;
extern const struct at_task at_task_toy_regression;
extern const struct at_metric at_metric_toy_second;
extern const struct at_optimizer at_optimizer_toy_unit;
extern const struct at_schedule at_schedule_toy_halves;
extern const struct at_edit at_edit_toy_zero;
extern const struct at_augment at_augment_toy_negative;
extern const struct at_adapter at_adapter_toy_gain;

#endif
