/* linear: falls to 0 in a straight line. */
#include "run/schedule.h"

static double factor(double progress)
{
    return 1.0 - progress;
}

const at_schedule at_schedule_linear = {
    .name = "linear", .doc = "falls to 0 in a straight line", .factor = factor};
