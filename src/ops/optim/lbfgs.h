/* lbfgs.h: options of lbfgs. Layer: ops. */
#ifndef AT_LBFGS_H
#define AT_LBFGS_H

#include "ops/optim/optim.h"

typedef struct at_lbfgs_options {
    int64_t history, iterations;
    double tolerance;
} at_lbfgs_options;

extern const at_optimizer at_optimizer_lbfgs;

#endif
