/* system.c: clocks and memory of the process and the machine, from Linux' /proc and cgroup files. Layer:
 * formats. */
#include "formats/system.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

double at_clock(void)
{
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Field 22 of /proc/self/stat, in clock ticks since boot; the name in field 2 may hold spaces and
 * parentheses. */
double at_process_start(void)
{
    char text[1024];
    FILE *f = fopen("/proc/self/stat", "r");
    if (!f) return at_clock();
    const size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = '\0';
    const char *p = strrchr(text, ')');
    for (int field = 2; p && field < 22; field++) p = strchr(p + 1, ' ');
    return p ? strtod(p, NULL) / (double)sysconf(_SC_CLK_TCK) : at_clock();
}

/* A "key: number kB" line of a /proc file, in bytes; -1 = none. */
static int64_t proc_bytes(const char *path, const char *key)
{
    char line[256];
    int64_t bytes = -1;
    FILE *f = fopen(path, "r");
    while (f && bytes < 0 && fgets(line, sizeof line, f))
        if (strncmp(line, key, strlen(key)) == 0) bytes = 1024 * strtoll(line + strlen(key), NULL, 10);
    if (f) fclose(f);
    return bytes;
}

int64_t at_peak_memory(void)
{
    return proc_bytes("/proc/self/status", "VmHWM:");
}

void at_forget_peak_memory(void)
{
    const int file = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    if (file < 0) return;
    (void)!write(file, "5", 1); /* proc(5): the peak becomes what is resident now */
    close(file);
}

/* The size, or the first processor of those that share it, of a processor's cache: "32768K", "0-1"; -1 =
 * there is no such cache. */
static int64_t cache_number(int cpu, int index, const char *key)
{
    char path[128], text[64] = "", *end;
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/cache/index%d/%s", cpu, index, key);
    FILE *f = fopen(path, "r");
    if (!f) return -1;
    const bool is_read = fgets(text, sizeof text, f);
    fclose(f);
    const int64_t number = strtoll(text, &end, 10);
    return !is_read || end == text ? -1 : *end == 'K' ? number << 10 : *end == 'M' ? number << 20 : number;
}

/* From /sys: sysconf(3) takes what a whole processor has for what these cores have, where they are lent. */
int64_t at_last_cache(void)
{
    int64_t sum = 0;
    for (int cpu = 0; cpu < sysconf(_SC_NPROCESSORS_CONF); cpu++) {
        const int index = cache_number(cpu, 3, "size") > 0 ? 3 : 2;
        if (cache_number(cpu, index, "shared_cpu_list") == cpu)
            sum += at_max(cache_number(cpu, index, "size"), 0);
    }
    return sum;
}

/* The cgroup's limit where there is one, else the machine's memory. */
int64_t at_machine_memory(void)
{
    char text[64] = "";
    int64_t total = proc_bytes("/proc/meminfo", "MemTotal:");
    FILE *f = fopen("/sys/fs/cgroup/memory.max", "r");
    if (f) {
        if (fgets(text, sizeof text, f)) {
            const int64_t limit = strtoll(text, NULL, 10); /* "max" gives 0 */
            if (limit > 0 && (total < 0 || limit < total)) total = limit;
        }
        fclose(f);
    }
    return total > 0 ? total : (int64_t)4 << 30;
}
