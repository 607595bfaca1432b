/* child.c: fork, run, report through a pipe. */
#include "tests/harness/child.h"
#include "tests/harness/test.h"
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

long at_process_kib(const char *key)
{
    char line[256];
    long kib = -1;
    FILE *f = fopen("/proc/self/status", "r");
    if (!f) return -1;
    while (fgets(line, sizeof line, f))
        if (strncmp(line, key, strlen(key)) == 0 && line[strlen(key)] == ':')
            sscanf(line + strlen(key) + 1, "%ld", &kib);
    fclose(f);
    return kib;
}

void at_child_run(at_child *out, int (*run)(void *arg, char message[512]), void *arg)
{
    int ends[2], how;
    *out = (at_child){.status = -1, .peak_kib = -1};
    if (pipe(ends) != 0) fail_msg("no pipe");
    const pid_t pid = fork();
    if (pid < 0) fail_msg("no child process");
    if (pid == 0) {
        at_child told = {0};
        told.status = run(arg, told.message);
        told.peak_kib = at_process_kib("VmHWM");
        const ssize_t written = write(ends[1], &told, sizeof told);
        _exit(written == (ssize_t)sizeof told ? 0 : 1);
    }
    close(ends[1]);
    at_child told;
    const ssize_t got = read(ends[0], &told, sizeof told);
    close(ends[0]);
    if (waitpid(pid, &how, 0) != pid) fail_msg("the child process is lost");
    if (got == (ssize_t)sizeof told) *out = told;
    out->signal = WIFSIGNALED(how) ? WTERMSIG(how) : 0;
}
