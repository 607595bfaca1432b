/* onednn.h: the same three products by oneDNN, weights in the layout it likes best. */
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
void bench_onednn_destroy(bench_onednn *p);
bool bench_onednn_run(bench_onednn *p);
bool bench_onednn_result(bench_onednn *p, float *out); /* dense by rows */
const char *bench_onednn_implementation(const bench_onednn *p);
const char *bench_onednn_version(void);

#endif
