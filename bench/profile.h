/* profile.h: seconds of every planned node. A device kind in front of "cpu" that takes the time of each
 * launch. */
#ifndef AT_BENCH_PROFILE_H
#define AT_BENCH_PROFILE_H

#include "engine/plan.h"

/* Before the device is opened. */
at_status bench_profile_begin(at_ctx *ctx) AT_MUST_USE;

/* After the warm-up: take the time of this plan's nodes from now on, for so many steps. */
at_status bench_profile_watch(at_plan *p, int steps) AT_MUST_USE;
void bench_profile_step(void); /* a step ends */

/* Medians by node, slowest first, then sums by kernel. */
at_status bench_profile_print(at_plan *p) AT_MUST_USE;
void bench_profile_end(at_ctx *ctx);

#endif
