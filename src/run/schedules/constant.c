/* constant: the rate stays. */
#include "run/schedule.h"

static double factor(double progress)
{
    (void)progress;
    return 1.0;
}

const at_schedule at_schedule_constant = {.name = "constant", .doc = "the rate stays", .factor = factor};
