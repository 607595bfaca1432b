/* processors_test.c: files of machines and containers that are not this one. */
#include "base/pool.h"
#include "base/processors.h"
#include "tests/harness/test.h"
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

static char root[1024]; /* of the machine that a test makes up */

static void write_text(const char *path, const char *text)
{
    char command[4096];
    snprintf(command, sizeof command, "mkdir -p \"$(dirname '%s%s')\" && printf '%%b' '%s' > '%s%s'", root,
             path, text, root, path);
    assert_int_equal(system(command), 0);
}

static void start_machine(void)
{
    at_test_folder(root, "processors");
}

static void expect_quota(double quota, int threads)
{
    const at_processors p = at_processors_read(root);
    assert_float_equal(p.quota, quota, 1e-9);
    assert_int_equal(at_processors_threads(&(at_processors){8, 8, p.quota}), threads);
}

AT_TEST(test_processors__without_files_every_processor_is_a_core)
{
    cpu_set_t set;
    assert_int_equal(sched_getaffinity(0, sizeof set, &set), 0);
    start_machine();
    const at_processors p = at_processors_read(root);
    assert_int_equal(p.usable, CPU_COUNT(&set));
    assert_int_equal(p.cores, p.usable);
    expect_quota(0, 8);
}

/* All processors are said to share the core of the first of them. */
AT_TEST(test_processors__threads_of_one_core_count_once)
{
    cpu_set_t set;
    assert_int_equal(sched_getaffinity(0, sizeof set, &set), 0);
    start_machine();
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        char path[128];
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
        if (CPU_ISSET(cpu, &set)) write_text(path, "0,64\\n");
    }
    const at_processors p = at_processors_read(root);
    assert_int_equal(p.usable, CPU_COUNT(&set));
    assert_int_equal(p.cores, 1);
    assert_int_equal(at_processors_threads(&p), 1);
}

AT_TEST(test_processors__a_container_sees_its_quota_at_the_top)
{
    start_machine();
    write_text("/proc/self/cgroup", "0::/\\n");
    write_text("/sys/fs/cgroup/cpu.max", "150000 100000\\n");
    expect_quota(1.5, 2);
    write_text("/sys/fs/cgroup/cpu.max", "max 100000\\n");
    expect_quota(0, 8);
}

AT_TEST(test_processors__the_least_quota_of_all_groups_above_holds)
{
    start_machine();
    write_text("/proc/self/cgroup", "1:name=systemd:/x\\n0::/user.slice/job/step\\n");
    write_text("/sys/fs/cgroup/user.slice/cpu.max", "300000 100000\\n");
    write_text("/sys/fs/cgroup/user.slice/job/cpu.max", "50000 100000\\n");
    write_text("/sys/fs/cgroup/user.slice/job/step/cpu.max", "400000 100000\\n");
    expect_quota(0.5, 1);
}

AT_TEST(test_processors__groups_of_version_1_have_files_of_their_own)
{
    start_machine();
    write_text("/proc/self/cgroup", "3:cpuset:/\\n4:cpu,cpuacct:/docker/1\\n0::/\\n");
    write_text("/sys/fs/cgroup/cpu/docker/1/cpu.cfs_quota_us", "200000\\n");
    write_text("/sys/fs/cgroup/cpu/docker/1/cpu.cfs_period_us", "100000\\n");
    expect_quota(2, 2);
    write_text("/sys/fs/cgroup/cpu/docker/1/cpu.cfs_quota_us", "-1\\n");
    expect_quota(0, 8);
}

AT_TEST(test_processors__threads_are_within_what_a_pool_takes)
{
    assert_int_equal(at_processors_threads(&(at_processors){9000, 9000, 0}), AT_MAX_THREADS);
    assert_int_equal(at_processors_threads(&(at_processors){4, 2, 3.5}), 2);
    assert_int_equal(at_processors_threads(&(at_processors){4, 4, 1e-4}), 1);
}
