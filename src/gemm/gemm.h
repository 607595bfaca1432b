/* gemm.h: the matrix product. Layer: gemm (includes base only); ops call it from their *_matrix.c kernels.
 *
 *   at_gemm        C[M,N] (+)= A[M,K] B[K,N] (+ bias[N])      A read through a loader, B packed beforehand
 *   at_gemm_outer  C[M,N] (+)= sum_r A[r,M] B[r,N]            weight gradients: both operands lie by rows
 *
 * What comes from and goes to activations (A, B and the C of at_gemm) has the variant's element type, float
 * or bf16 (at_element); sums, bias and weight gradients are float.
 *
 * Order of additions: K runs in blocks of AT_GEMM_KC from 0 up, inside a block one multiply-add after the
 * other, blocks are added in order; units that multiply pairs add 32 of K at a time to the sums before. It
 * depends on nothing else, so a row of C has the same bits whatever M, the tiles and the threads.
 * at_gemm_outer adds rows in blocks, in order: of 4,096, or, where C is large, of fewer; where B is pictures
 * in a strip (strip.h), positions of it instead of rows.
 */
#ifndef AT_GEMM_H
#define AT_GEMM_H

#include "base/pool.h"

enum { AT_GEMM_KC = 384, AT_GEMM_CHUNK = 4096 };

/* Write elements [row, row + rows) x [col, col + cols) of the matrix behind `arg` to out, as gemm_operand
 * (gemm_simd.h), rows `ld` apart. */
typedef void (*at_gemm_load_fn)(const void *arg, void *out, int64_t ld, int64_t row, int64_t rows,
                                int64_t col, int64_t cols);

/* One axis of a grid of outputs: output i reads pixel i * stride + first + t * step through its tap t. */
typedef struct at_gemm_axis {
    int64_t size, outputs, stride; /* size: pixels */
    int64_t taps, first, step;
} at_gemm_axis;

/* A matrix whose rows are the outputs (sample, y, x), from row `first` on, and whose columns are what each
 * reads: (tap along y, tap along x, channel); zeros outside the picture. */
typedef struct at_gemm_taps {
    const void *data; /* pixels of all samples, `pitch` apart */
    int64_t pitch, channels, samples, first;
    at_gemm_axis y, x;
} at_gemm_taps;

typedef struct at_gemm_matrix {
    const void *data; /* elements, by rows, `pitch` apart, when load is NULL */
    int64_t pitch;
    at_gemm_load_fn load;
    const void *arg;
    const at_gemm_taps *taps; /* what load writes, where it is such a matrix; else NULL */
} at_gemm_matrix;

/* What follows on elements [row, row + rows) x [col, col + cols) of C, which are complete and in the first
 * cache; by the thread that computed them, for each element once. */
typedef void (*at_gemm_then_fn)(const void *arg, int64_t row, int64_t rows, int64_t col, int64_t cols);

typedef struct at_gemm_job {
    int64_t M, N, K;
    at_gemm_matrix a;
    const void *b; /* panels, see gemm_simd.h */
    void *c;       /* elements */
    int64_t c_pitch;
    const float *bias; /* NULL = none */
    bool accumulate;
    at_gemm_then_fn then; /* NULL = nothing; not where A has taps */
    const void *then_arg;
    at_pool *pool;
    char *thread_scratch; /* at_gemm_thread_scratch bytes for each thread, thread_stride apart */
    size_t thread_stride;
} at_gemm_job;

typedef struct at_gemm_outer_job {
    int64_t rows, M, N;
    const void *a; /* elements */
    int64_t a_pitch;
    at_gemm_matrix b;
    float *c; /* dense [M,N]; with taps > 1 column t * (N / taps) + i of B goes to i * taps + t: the order of
                 convolution weights in files */
    int64_t taps;
    bool accumulate;
    at_pool *pool;
    char *thread_scratch;
    size_t thread_stride;
    float *partial; /* at_gemm_outer_scratch bytes, shared */
} at_gemm_outer_job;

#endif
