/* synthetic.h: networks with random weights. */
#ifndef AT_BENCH_SYNTHETIC_H
#define AT_BENCH_SYNTHETIC_H

#include "models/model.h"

/* Write a folder in timm's layout whose last name is timm's name of the network ("mobilenetv2_100",
 * "resnet50"). */
at_status bench_make_model(at_ctx *ctx, const char *folder) AT_MUST_USE;

#endif
