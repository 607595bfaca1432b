/* system.h: clocks and memory of the process and the machine. Layer: formats. */
#ifndef AT_SYSTEM_H
#define AT_SYSTEM_H

#include "base/base.h"

double at_clock(void);            /* seconds since boot, never set back */
double at_process_start(void);    /* of the same clock; resolution 10 ms */
int64_t at_peak_memory(void);     /* the most the process has had resident (VmHWM), bytes; -1 = unknown */
void at_forget_peak_memory(void); /* count anew, where the kernel lets us */
int64_t at_last_cache(void);      /* of all processors together, bytes; 0 = unknown */
int64_t at_machine_memory(void);  /* the cgroup's limit, else the machine's memory, bytes */

#endif
