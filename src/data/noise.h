/* noise.h: samples that are made up, for measurements. Layer: data. */
#ifndef AT_NOISE_H
#define AT_NOISE_H

#include "data/dataset.h"

/* n samples of these columns (copied; none ragged): floats with the mean and spread of standardised data,
 * whole numbers from 0 to `below`. */
at_status at_noise_create(at_dataset **out, at_ctx *ctx, const at_column *columns, int n_columns, int64_t n,
                          uint64_t below) AT_MUST_USE;

#endif
