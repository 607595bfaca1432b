/* synthetic.h: what benchmarks feed instead of data: networks with random weights, pictures of noise. */
#ifndef AT_BENCH_SYNTHETIC_H
#define AT_BENCH_SYNTHETIC_H

#include "data/dataset.h"
#include "tasks/task.h"

/* Write a folder in timm's layout whose last name is timm's name of the network ("mobilenetv2_100",
 * "resnet50"). */
at_status bench_make_model(at_ctx *ctx, const char *folder) AT_MUST_USE;

/* Classification of pictures, side x side x 3, of noise: goes before the real task of its name in this
 * context. */
at_status bench_add_noise_task(at_ctx *ctx, int64_t side, int classes) AT_MUST_USE;

/* The first n samples as one batch; released with bench_free_batch. */
at_status bench_make_batch(at_ctx *ctx, at_batch *out, const at_dataset *d, int64_t n) AT_MUST_USE;
void bench_free_batch(at_ctx *ctx, at_batch *b);

#endif
