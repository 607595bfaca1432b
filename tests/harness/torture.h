/* torture.h: what happens when memory runs out at each place where it can. */
#ifndef AT_TORTURE_H
#define AT_TORTURE_H

#include "base/base.h"

/* Does the whole job and releases all of it again, whether it succeeded or not. */
typedef at_status (*at_attempt)(at_ctx *ctx, void *arg);

/* Run the attempt with its 1st, 2nd ... allocation failing until one run has no failure left to meet. Each
 * must return AT_E_NOMEM or succeed, leave no memory and no open file behind, and the last must succeed. */
void at_torture(at_ctx *ctx, at_attempt attempt, void *arg);

/* The same for every `stride`-th allocation from `first` on, for jobs that allocate much: the others are
 * another call's. */
void at_torture_some(at_ctx *ctx, at_attempt attempt, void *arg, int64_t first, int64_t stride);

/* Open files of this process. */
int at_open_files(void);

#endif
