/* tolerance.h: every tolerance of the tests, with what it is relative to. Loosening one needs a measured
 * error budget. */
#ifndef AT_TOLERANCE_H
#define AT_TOLERANCE_H

/* Finite differences in double: |analytic - numeric| / max(|analytic|, |numeric|, 1e-3 max |analytic|), step
 * 1e-5. */
#define AT_TOL_GRADIENT  1e-6
#define AT_GRADIENT_STEP 1e-5

/* A kernel against the reference, both float32: largest difference relative to the largest value of the
 * tensor. Sums of K products of unit size differ by about sqrt(K) 6e-8 in different orders: 4e-6 at K = 4096.
 */
#define AT_TOL_KERNEL 1e-5

/* A kernel whose results are bf16, from inputs that are bf16, against the reference in float32: one rounding
 * to 8 significant bits more, at most 2^-8 of each element; sums and weight gradients stay float32. */
#define AT_TOL_BF16 0x1p-8

/* The double-precision library against float64 goldens: both round at 1e-16, sums of some 1e5 terms lose 3
 * digits. */
#define AT_TOL_EXACT 1e-11

/* Kernels against float64 goldens: as AT_TOL_KERNEL. */
#define AT_TOL_GOLDEN_F32 1e-5

/* Normalised pixels against Transformers' and timm's float32, which round in another order: values below 4.
 */
#define AT_TOL_PIXEL 1e-6

/* A whole network in float32 against its golden: largest difference relative to the largest expected value.
 * Float32 against float64 arithmetic alone gives up to 3e-5 on the networks here. */
#define AT_TOL_MODEL 1e-4

/* Goldens of networks and of training, float64. In the double library only rounding is left; 20 AdamW steps
 * amplify it where a gradient is nearly 0. In float32: logits and losses as AT_TOL_MODEL, weights after 20
 * steps 1e-3 relative L2. */
#ifdef AT_REAL_IS_DOUBLE
#define AT_TOL_GOLDEN          1e-11
#define AT_TOL_GOLDEN_GRADIENT 1e-10
#define AT_TOL_TRACE_LOSS      1e-9
#define AT_TOL_TRACE_WEIGHT    1e-9
#else
#define AT_TOL_GOLDEN          1e-4
#define AT_TOL_GOLDEN_GRADIENT 1e-3
#define AT_TOL_TRACE_LOSS      1e-4
#define AT_TOL_TRACE_WEIGHT    1e-3
#endif

#endif
