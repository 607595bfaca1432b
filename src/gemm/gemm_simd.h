/* gemm_simd.h: the products' entry points for the instruction set that includes this. For *_simd.c files. */
#ifndef AT_GEMM_SIMD_H
#define AT_GEMM_SIMD_H

#include "base/simd.h"
#include "gemm/gemm.h"

#if defined(__AVX512F__)
enum { GEMM_MR = 14, GEMM_NV = 2 }; /* 28 accumulators, 2 vectors of B, 1 element of A: 31 of 32 registers */
#define GEMM_FOR_EVERY_MR(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14)
#elif defined(__AVX2__)
enum { GEMM_MR = 6, GEMM_NV = 2 }; /* 12 + 2 + 1 of 16 */
#define GEMM_FOR_EVERY_MR(X) X(1) X(2) X(3) X(4) X(5) X(6)
#else
enum { GEMM_MR = 4, GEMM_NV = 2 };
#define GEMM_FOR_EVERY_MR(X) X(1) X(2) X(3) X(4)
#endif
enum { GEMM_NR = GEMM_NV * VL };

/* Floats of B[K,N] packed: panels of GEMM_NR columns, each [K, GEMM_NR], the last one padded with zeros. */
static inline int64_t gemm_packed_floats(int64_t K, int64_t N)
{
    return at_ceil_div(N, GEMM_NR) * GEMM_NR * K;
}

/* Where element (k, n) of B lies in the packed form. */
static inline int64_t gemm_packed_index(int64_t K, int64_t k, int64_t n)
{
    return n / GEMM_NR * GEMM_NR * K + k * GEMM_NR + n % GEMM_NR;
}

size_t AT_SIMD(at_gemm_thread_scratch)(void);
void AT_SIMD(at_gemm)(const at_gemm_job *job);

/* Bytes of scratch of an outer product of at most `rows` rows. */
void AT_SIMD(at_gemm_outer_scratch)(int64_t rows, int64_t M, int64_t N, bool loads, size_t *shared,
                                    size_t *thread);
void AT_SIMD(at_gemm_outer)(const at_gemm_outer_job *job);

#endif
