/* depthwise.h: convolution of each channel with a kernel of its own. Layer: ops. */
#ifndef AT_DEPTHWISE_H
#define AT_DEPTHWISE_H

#include "ops/conv2d/conv2d.h"

extern const at_op at_op_depthwise, at_op_depthwise_dx, at_op_depthwise_dw;

/* x [S,H,W,C] act, w [C,1,kh,kw] acc; y [S,H',W',C] act, sizes as in at_conv2d. p->groups is not read. */
at_value *at_depthwise(at_graph *g, at_value *x, at_value *w, const at_conv2d_param *p);

#endif
