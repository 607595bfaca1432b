/* resident.c: the line "Rss:" of a mapping in /proc/self/smaps. */
#include "tests/harness/resident.h"
#include "tests/harness/test.h"
#include <stdio.h>

long at_resident_kib(const void *p)
{
    FILE *f = fopen("/proc/self/smaps", "r");
    char line[512];
    unsigned long long begin, end;
    bool here = false;
    long kib = -1;
    while (f && kib < 0 && fgets(line, sizeof line, f)) {
        if (sscanf(line, "%llx-%llx ", &begin, &end) == 2)
            here = begin <= (uintptr_t)p && (uintptr_t)p < end;
        else if (here)
            sscanf(line, "Rss: %ld kB", &kib);
    }
    if (f) fclose(f);
    if (kib < 0) fail_msg("no mapping in /proc/self/smaps holds %p", p);
    return kib;
}
