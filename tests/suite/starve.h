/* starve.h: the verbs with one allocation after another failing. */
#ifndef AT_STARVE_H
#define AT_STARVE_H

#include <stdint.h>

/* Every `stride`-th allocation of training, evaluation and prediction fails in turn. */
void at_expect_starved(const char *name, int64_t stride);

#endif
