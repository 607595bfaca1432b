/* child.h: running a piece of a test in a process of its own, for what would end or change this one: faults,
 * peaks of memory. */
#ifndef AT_CHILD_H
#define AT_CHILD_H

#include "base/base.h"

typedef struct at_child {
    int signal;        /* that ended it; 0 = it returned */
    int status;        /* what `run` returned */
    long peak_kib;     /* most resident memory (VmHWM), of the child alone */
    char message[512]; /* what it left in `message` */
} at_child;

/* Fork, call run(arg, message) in the child and wait. Only while this process has no other thread that
 * matters to run. */
void at_child_run(at_child *out, int (*run)(void *arg, char message[512]), void *arg);

/* "VmHWM", "VmRSS" ... of this process in KiB; -1 = not told. */
long at_process_kib(const char *key);

#endif
