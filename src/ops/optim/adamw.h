/* adamw.h: what adamw's reference, kernels and users share. Layer: ops. */
#ifndef AT_ADAMW_H
#define AT_ADAMW_H

#include "ops/optim/optim.h"

typedef struct at_adamw_options {
    double beta1, beta2, epsilon;
} at_adamw_options;

typedef struct at_adamw_param {
    at_ranges ranges;
    double beta1, beta2, epsilon;
} at_adamw_param;

typedef struct at_adamw_step { /* of one tensor at this step */
    double scale;              /* of the gradient */
    double keep;               /* x is multiplied by it: decay */
    double step;               /* rate / (1 - beta1^t) */
    double root;               /* 1 / sqrt(1 - beta2^t) */
} at_adamw_step;

void at_adamw_factors(const at_call *c, const at_range *r, at_adamw_step *out);

extern const at_optimizer at_optimizer_adamw;

#endif
