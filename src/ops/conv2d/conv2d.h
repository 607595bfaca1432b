/* conv2d.h: two-dimensional convolution (cross-correlation, as every framework has it). Layer: ops. */
#ifndef AT_CONV2D_H
#define AT_CONV2D_H

#include "engine/graph.h"

typedef struct at_conv2d_param {
    int64_t stride_y, stride_x, dilation_y, dilation_x;
    int64_t pad_top, pad_left, pad_bottom, pad_right; /* zeros around x */
    int64_t groups;
    int64_t height, width;      /* gradients: of x (dx), unused elsewhere */
    int64_t kernel_y, kernel_x; /* gradients: of w (dw), unused elsewhere */
} at_conv2d_param;

extern const at_op at_op_conv2d, at_op_conv2d_dx, at_op_conv2d_dw;

/* x [S,H,W,C] act, w [O,C/groups,kh,kw] acc, b [O] acc or NULL; y [S,H',W',O] act,
 * H' = (H + pad_top + pad_bottom - dilation_y (kh - 1) - 1) / stride_y + 1, W' likewise. */
at_value *at_conv2d(at_graph *g, at_value *x, at_value *w, at_value *b, const at_conv2d_param *p);

/* TensorFlow's "same" padding: ceil(size / stride) outputs, the odd zero behind. */
void at_same_padding(int64_t size, int64_t kernel, int64_t stride, int64_t dilation, int64_t *before,
                     int64_t *after);

/* Outputs along one axis; 0 or less when the kernel does not fit. */
int64_t at_conv_size(int64_t size, int64_t kernel, int64_t stride, int64_t dilation, int64_t before,
                     int64_t after);

#endif
