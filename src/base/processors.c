/* processors.c: affinity, cores and control groups, from the kernel's files (sysfs, cgroups(7)).
 * Reading path: at_processors_read, count_cores, quota_of_groups. */
#include "base/processors.h"
#include "base/pool.h"
#include <fcntl.h>
#include <math.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PATH = 1024, TEXT = 4096 };

/* The file's first bytes as text; false where there is none. */
AT_PRINTF(3, 4) static bool read_text(char text[TEXT], const char *root, const char *format, ...)
{
    char path[PATH];
    const int at = snprintf(path, sizeof path, "%s", root);
    if (at < 0 || at >= PATH) return false;
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(path + at, (size_t)(PATH - at), format, args);
    va_end(args);
    if (n < 0 || n >= PATH - at) return false;
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return false;
    const ssize_t got = read(file, text, TEXT - 1);
    close(file);
    text[at_max(got, 0)] = '\0';
    return got > 0;
}

/* ---- Cores ---- */

/* The first processor of the core that `cpu` belongs to: the list is "0,64" or "0-1". */
static int first_of_core(const char *root, int cpu)
{
    char text[TEXT];
    if (!read_text(text, root, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu))
        return cpu;
    const long first = strtol(text, NULL, 10);
    return first >= 0 && first < CPU_SETSIZE ? (int)first : cpu;
}

static int count_cores(const char *root, const cpu_set_t *usable)
{
    cpu_set_t cores;
    CPU_ZERO(&cores);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, usable)) CPU_SET(first_of_core(root, cpu), &cores);
    return CPU_COUNT(&cores);
}

/* ---- Control groups ---- */

static double smaller_quota(double a, double b)
{
    return a > 0 && (b <= 0 || a < b) ? a : b;
}

/* Of one group: version 2 says "200000 100000" or "max 100000", microseconds of a period. */
static double quota_of_group(const char *root, const char *group)
{
    char text[TEXT], *end;
    if (!read_text(text, root, "/sys/fs/cgroup%s/cpu.max", group)) return 0;
    const double time = strtod(text, &end), period = strtod(end, NULL);
    return time > 0 && period > 0 ? time / period : 0;
}

/* Version 1 says -1 for no bound. */
static double quota_of_old_group(const char *root, const char *group)
{
    char time[TEXT], period[TEXT];
    if (!read_text(time, root, "/sys/fs/cgroup/cpu%s/cpu.cfs_quota_us", group) ||
        !read_text(period, root, "/sys/fs/cgroup/cpu%s/cpu.cfs_period_us", group))
        return 0;
    const double t = strtod(time, NULL), p = strtod(period, NULL);
    return t > 0 && p > 0 ? t / p : 0;
}

/* The group and all above it: each bounds what it holds. A container sees its own group at the top, whatever
 * its name outside. */
static double quota_up_to_top(const char *root, char *group, double (*quota_of)(const char *, const char *))
{
    double least = quota_of(root, "");
    for (char *slash; (slash = strrchr(group, '/')); *slash = '\0')
        if (slash[1]) least = smaller_quota(quota_of(root, group), least);
    return least;
}

/* Lines of "0::/group" (version 2) and "4:cpu,cpuacct:/group" (version 1). */
static double quota_of_groups(const char *root)
{
    char text[TEXT], *rest = text, *line;
    if (!read_text(text, root, "/proc/self/cgroup")) return 0;
    double least = 0;
    while ((line = strsep(&rest, "\n"))) {
        char *group = strchr(line, '/');
        if (!group) continue;
        if (strncmp(line, "0::", 3) == 0)
            least = smaller_quota(quota_up_to_top(root, group, quota_of_group), least);
        else if (strstr(line, ":cpu:") || strstr(line, ":cpu,") || strstr(line, ",cpu:"))
            least = smaller_quota(quota_up_to_top(root, group, quota_of_old_group), least);
    }
    return least;
}

at_processors at_processors_read(const char *root)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) return (at_processors){1, 1, 0};
    return (at_processors){CPU_COUNT(&set), count_cores(root, &set), quota_of_groups(root)};
}

int at_processors_threads(const at_processors *p)
{
    const int64_t busy = p->quota > 0 ? (int64_t)ceil(p->quota) : AT_MAX_THREADS;
    return (int)at_max(1, at_min(at_min(p->cores, AT_MAX_THREADS), busy));
}
