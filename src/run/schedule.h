/* schedule.h: learning-rate schedules. Layer: run. One file each in schedules/: `const at_schedule
 * at_schedule_NAME`. */
#ifndef AT_SCHEDULE_H
#define AT_SCHEDULE_H

#include "base/base.h"

typedef struct at_schedule {
    const char *name, *doc;
    double (*factor)(
        double progress); /* after warm-up: progress (t - w) / (T - w) in [0, 1) -> factor on the rate */
} at_schedule;

/* Factor at step t of T with w steps of warm-up: (t + 1) / w while t < w, so that the first step moves. */
double at_schedule_factor(const at_schedule *s, int64_t t, int64_t total, int64_t warmup);

#endif
