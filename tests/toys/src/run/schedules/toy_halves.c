/* toy-halves: the full rate for the first half, a tenth of it afterwards. */
#include "run/schedule.h"

static double factor(double progress)
{
    return progress < 0.5 ? 1.0 : 0.1;
}

const at_schedule at_schedule_toy_halves = {
    .name = "toy-halves", .doc = "a tenth from the middle on", .factor = factor};
