/* opcheck.h: what is checked of every op without its author's doing. Each function adds its findings to a
 * report. */
#ifndef AT_OPCHECK_H
#define AT_OPCHECK_H

#include "engine/op.h"
#include "tests/harness/report.h"

/* Kernels against the reference: every kernel x pitch x rows x accumulate x threads; bits equal for any
 * thread count; a row's bits independent of the other rows; nothing written outside; unused outputs left
 * alone. */
void at_check_kernels(at_ctx *ctx, const at_op *op, const at_op_case *k, at_report *r);

/* The gradient against central differences, and equal bits whichever inputs are asked for. Double library
 * only. */
void at_check_gradient(at_ctx *ctx, const at_op *op, const at_op_case *k, at_report *r);

/* Shapes that the op says it refuses, and integers where reals belong. */
void at_check_refusals(at_ctx *ctx, const at_op *op, at_report *r);

/* Outputs, saved values and gradients of a case against the golden file at `path`, by the kernels that
 * `kernels` chooses (as in at_plan_options). Its tensors are OP/CASE/inI, outO (saved values behind the
 * outputs), dyO (absent for losses and ops without a gradient), dxI (one for each real input that may learn).
 */
void at_check_golden(at_ctx *ctx, const at_op *op, const at_op_case *k, const char *path, const char *kernels,
                     at_report *r);

/* What rows are counted by: samples, and the ragged rows of cases that have lengths. */
enum { AT_SAMPLES, AT_RAGGED, AT_CASE_EXTENTS };

/* Inputs of a case: type and extent of each as the op declares them. extent: filled, shared by all. */
void at_case_metas(const at_op *op, const at_op_case *k, at_extent extent[AT_CASE_EXTENTS],
                   at_meta in[AT_MAX_IN]);

/* Dense random input i of a case: deterministic, away from kinks, integers in range. out: at_real or int32
 * elements. */
void at_fill_input(const at_op *op, const at_op_case *k, int i, const at_meta *m, void *out);

/* Samples of a case, which are its rows unless it has lengths. */
int64_t at_case_samples(const at_op *op, const at_op_case *k);

/* Values of the extents with the first `samples` samples. */
void at_case_extents(const at_op_case *k, int64_t samples, int64_t out[AT_CASE_EXTENTS]);

#endif
