/* onednn.h: the same products and convolutions by oneDNN, weights in the layout it likes best. */
#ifndef AT_BENCH_ONEDNN_H
#define AT_BENCH_ONEDNN_H

#include <stdbool.h>
#include <stdint.h>

/* The products of a linear map with w [N,K]: y[M,N] = x w^T, dx[M,K] = dy w, dw[N,K] = dy^T x. */
typedef enum bench_product { BENCH_FORWARD, BENCH_DX, BENCH_DW, BENCH_PRODUCTS } bench_product;

typedef enum bench_primitive { BENCH_MATMUL, BENCH_INNER_PRODUCT, BENCH_PRIMITIVES } bench_primitive;

typedef struct bench_onednn bench_onednn;

/* Operands dense by rows: a is x (dy for dx and dw), b is w (x for dw); weights are reordered here, once.
 * NULL when oneDNN does not offer it. */
bench_onednn *bench_onednn_create(bench_product product, bench_primitive primitive, int64_t M, int64_t K,
                                  int64_t N, bool bf16, const float *a, const float *b);

/* A k x k convolution with k / 2 zeros around the picture: x [S,H,W,C], w [O,C,k,k]. */
typedef struct bench_conv {
    int64_t S, H, W, C, O, k, stride;
} bench_conv;

int64_t bench_conv_out(const bench_conv *c, int64_t size); /* rows or columns of y */

/* a is x (dy for dx and dw), b is w (x for dw). learns: what weights that learn need is part of a run: their
 * reorder, and that of their gradient back. */
bench_onednn *bench_onednn_create_conv(bench_product product, const bench_conv *c, bool learns, bool bf16,
                                       const float *a, const float *b);
void bench_onednn_destroy(bench_onednn *p);
bool bench_onednn_run(bench_onednn *p);
bool bench_onednn_result(bench_onednn *p, float *out); /* dense by rows */
const char *bench_onednn_implementation(const bench_onednn *p);
const char *bench_onednn_version(void);

#endif
