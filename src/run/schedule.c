/* schedule.c: warm-up, then the schedule. */
#include "run/schedule.h"

double at_schedule_factor(const at_schedule *s, int64_t t, int64_t total, int64_t warmup)
{
    if (t < warmup) return (double)(t + 1) / (double)warmup;
    return s->factor((double)(t - warmup) / (double)at_max(total - warmup, 1));
}
