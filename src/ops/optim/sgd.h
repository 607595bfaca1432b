/* sgd.h: what sgd's reference and kernels share. Layer: ops. */
#ifndef AT_SGD_H
#define AT_SGD_H

#include "ops/optim/optim.h"

typedef struct at_sgd_options {
    double momentum;
    bool nesterov;
} at_sgd_options;

typedef struct at_sgd_param {
    at_ranges ranges;
    double momentum;
    int64_t nesterov; /* 0 or 1 */
} at_sgd_param;

extern const at_optimizer at_optimizer_sgd;

#endif
