/* simd.h: vectors of float for kernels that are written once and compiled for each instruction set.
 * A file NAME_simd.c is compiled once per level (-DAT_SIMD_ISA=avx512 ...); AT_SIMD(symbol) gives its symbols
 * a suffix of their own. GCC vector types carry the arithmetic; only loads of partial vectors differ. Layer:
 * base. */
#ifndef AT_SIMD_H
#define AT_SIMD_H

#include "base/base.h"

#ifndef AT_SIMD_ISA
#error "simd.h is for *_simd.c files"
#endif

#define AT_SIMD_PASTE_(a, b) a##_##b
#define AT_SIMD_PASTE(a, b)  AT_SIMD_PASTE_(a, b)
#define AT_SIMD(symbol)      AT_SIMD_PASTE(symbol, AT_SIMD_ISA)
#define AT_SIMD_TEXT_(isa)   #isa
#define AT_SIMD_TEXT(isa)    AT_SIMD_TEXT_(isa)
#define AT_SIMD_VARIANT      AT_SIMD_TEXT(AT_SIMD_ISA) /* "avx512" */

#if defined(__AVX512F__)
enum { VL = 16 };
#define AT_SIMD_LEVEL AT_ISA_AVX512
#include <immintrin.h>
#elif defined(__AVX2__)
enum { VL = 8 };
#define AT_SIMD_LEVEL AT_ISA_AVX2
#include <immintrin.h>
#else
enum { VL = 4 };
#define AT_SIMD_LEVEL AT_ISA_BASE
#endif

/* Kernels of one shape share their loops as functions that take the innermost expression as a function: both
 * must melt into the caller. */
#define AT_FORCE_INLINE static inline __attribute__((always_inline))

typedef float vf __attribute__((vector_size(VL * 4), may_alias));
typedef float vf_unaligned __attribute__((vector_size(VL * 4), aligned(4), may_alias));
typedef int32_t vi __attribute__((vector_size(VL * 4), may_alias));
typedef double vd __attribute__((vector_size(VL * 8)));

static inline vf vf_set(float x)
{
    return x - (vf){0};
}

static inline vf vf_load(const float *p)
{
    return *(const vf_unaligned *)p;
}

static inline void vf_store(float *p, vf x)
{
    *(vf_unaligned *)p = x;
}

#if defined(__AVX2__) && !defined(__AVX512F__)
static inline __m256i vf_mask_n(int64_t n) /* -1 in the first n lanes */
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
#endif

/* The first n lanes, 0 < n <= VL; the others are 0 and their memory is not touched. */
static inline vf vf_load_n(const float *p, int64_t n)
{
    if (n >= VL) return vf_load(p);
#if defined(__AVX512F__)
    return (vf)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1u), p);
#elif defined(__AVX2__)
    return (vf)_mm256_maskload_ps(p, vf_mask_n(n));
#else
    vf x = {0};
    for (int i = 0; i < n; i++) x[i] = p[i];
    return x;
#endif
}

static inline void vf_store_n(float *p, vf x, int64_t n)
{
    if (n >= VL) {
        vf_store(p, x);
        return;
    }
#if defined(__AVX512F__)
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1u), (__m512)x);
#elif defined(__AVX2__)
    _mm256_maskstore_ps(p, vf_mask_n(n), (__m256)x);
#else
    for (int i = 0; i < n; i++) p[i] = x[i];
#endif
}

/* -1 in the first n lanes, else 0. */
static inline vi vi_first(int64_t n)
{
    vi lane;
    for (int i = 0; i < VL; i++) lane[i] = i;
    return lane < (int32_t)n;
}

/* Lane-wise choice: mask lanes are 0 or -1, as comparisons give them. */
static inline vf vf_select(vi mask, vf a, vf b)
{
    return (vf)(((vi)a & mask) | ((vi)b & ~mask));
}

/* NaN stays NaN: comparisons with it are false and keep x. */
static inline vf vf_clamp(vf x, float low, float high)
{
    const vf l = vf_set(low), h = vf_set(high);
    x = vf_select(x < l, l, x);
    return vf_select(x > h, h, x);
}

/* Sum of the lanes, in lane order. */
static inline float vf_sum(vf x)
{
    float s = 0.0f;
    for (int i = 0; i < VL; i++) s += x[i];
    return s;
}

#endif
