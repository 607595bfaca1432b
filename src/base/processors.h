/* processors.h: how many threads the machine has room for. Layer: base.
 *
 * What counts is cores: threads that share one share its first cache and its vector units, which one thread
 * of a product fills. A container may be held to less time than its cores have; threads beyond that only use
 * it up sooner, and all of them are put aside together until the next period. */
#ifndef AT_PROCESSORS_H
#define AT_PROCESSORS_H

#include "base/base.h"

typedef struct at_processors {
    int usable;   /* processors this process may run on (its affinity) */
    int cores;    /* that they belong to */
    double quota; /* processors whose time the control groups leave to this process; 0 = no bound */
} at_processors;

/* root: "" for this machine, else a folder that stands for / (tests). What cannot be read bounds nothing. */
at_processors at_processors_read(const char *root);

/* A thread for each core, and no more than the quota keeps busy; at least 1, at most AT_MAX_THREADS. */
int at_processors_threads(const at_processors *p);

#endif
