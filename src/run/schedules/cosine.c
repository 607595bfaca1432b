/* cosine: falls to 0 along half a cosine (Loshchilov and Hutter 2017). */
#include "run/schedule.h"
#include <math.h>

static double factor(double progress)
{
    return 0.5 * (1.0 + cos(3.141592653589793 * progress));
}

const at_schedule at_schedule_cosine = {
    .name = "cosine", .doc = "falls to 0 along half a cosine", .factor = factor};
