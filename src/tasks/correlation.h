/* correlation.h: how well one list of numbers follows another. Layer: tasks. */
#ifndef AT_CORRELATION_H
#define AT_CORRELATION_H

#include "base/alloc.h"

/* Pearson's r; 0 where one of the lists is constant, NaN where a number is. */
double at_pearson(const double *x, const double *y, int64_t n);

/* Spearman's rho: Pearson's r of the ranks, equal numbers sharing the mean of theirs. */
at_status at_spearman(at_ctx *ctx, double *out, const double *x, const double *y, int64_t n) AT_MUST_USE;

#endif
