/* gelu.h: builder of gelu. Layer: ops. */
#ifndef AT_GELU_H
#define AT_GELU_H

#include "engine/graph.h"

typedef enum at_gelu_form {
    AT_GELU_ERF, /* "gelu" in config.json */
    AT_GELU_TANH /* "gelu_new", "gelu_pytorch_tanh" */
} at_gelu_form;

typedef struct at_gelu_param {
    int64_t form; /* at_gelu_form */
} at_gelu_param;

extern const at_op at_op_gelu, at_op_gelu_dx;

/* y = x P(X < x) of a standard normal X, or its approximation by tanh: any shape, act. */
at_value *at_gelu(at_graph *g, at_value *x, at_gelu_form form);

/* The function that references compute, and its derivative to *slope. */
double at_gelu_of(const at_gelu_param *p, double x, double *slope);

#endif
