/* program.c: command lines by the shell, in scratch folders. */
#include "tests/harness/program.h"
#include "formats/digest.h"
#include "formats/file.h"
#include "tests/harness/test.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 8192, OUTPUT_LIMIT = 64 << 20 };

static int code_of(int status)
{
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* The shell becomes the program, so that signals to the one reach the other. */
static void compose(char out[LINE_MAX_BYTES], const char *folder, const char *commands, const char *line)
{
    const int n =
        snprintf(out, LINE_MAX_BYTES, "cd '%s' && export ATTUNE_CACHE='%s/.cache'; %s exec '%s/attune' %s",
                 folder, folder, commands, AT_BUILD_DIR, line);
    if (n >= LINE_MAX_BYTES) fail_msg("the line is too long");
}

static int start_shell(const char *command, const char *folder, int out)
{
    char err[1200];
    snprintf(err, sizeof err, "%s/.err", folder);
    fflush(NULL);
    const int pid = fork();
    if (pid < 0) fail_msg("cannot fork");
    if (pid == 0) {
        if (!freopen(err, "w", stderr) || dup2(out, STDOUT_FILENO) < 0) _exit(126);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    return pid;
}

static char *read_text(const char *folder, const char *name)
{
    at_ctx *ctx = at_test_ctx();
    char path[1200], *text, *copy;
    size_t size;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    at_expect_ok(ctx, at_file_read(ctx, &text, &size, path, OUTPUT_LIMIT));
    copy = strdup(text);
    at_free(ctx, text);
    at_test_done(ctx);
    return copy;
}

void at_attune_after(at_output *o, const char *folder, const char *commands, const char *line)
{
    char command[LINE_MAX_BYTES], out[1200];
    int status = 0;
    compose(command, folder, commands, line);
    snprintf(out, sizeof out, "%s/.out", folder);
    FILE *f = fopen(out, "w");
    if (!f) fail_msg("cannot write %s", out);
    const int pid = start_shell(command, folder, fileno(f));
    fclose(f);
    if (waitpid(pid, &status, 0) != pid) fail_msg("cannot wait");
    o->code = code_of(status);
    o->out = read_text(folder, ".out");
    o->err = read_text(folder, ".err");
}

void at_attune(at_output *o, const char *folder, const char *line, ...)
{
    char text[LINE_MAX_BYTES];
    va_list args;
    va_start(args, line);
    vsnprintf(text, sizeof text, line, args);
    va_end(args);
    at_attune_after(o, folder, "", text);
}

void at_output_free(at_output *o)
{
    free(o->out);
    free(o->err);
    *o = (at_output){0};
}

void at_attune_expect(int code, const char *folder, const char *line, ...)
{
    char text[LINE_MAX_BYTES];
    va_list args;
    va_start(args, line);
    vsnprintf(text, sizeof text, line, args);
    va_end(args);
    at_output o;
    at_attune_after(&o, folder, "", text);
    if (o.code != code) fail_msg("attune %s: exit code %d, expected %d: %s", text, o.code, code, o.err);
    at_output_free(&o);
}

void at_attune_start(at_running *p, const char *folder, const char *line, ...)
{
    char text[LINE_MAX_BYTES], command[LINE_MAX_BYTES];
    int ends[2];
    va_list args;
    va_start(args, line);
    vsnprintf(text, sizeof text, line, args);
    va_end(args);
    compose(command, folder, "", text);
    if (pipe(ends) != 0) fail_msg("no pipe");
    p->pid = start_shell(command, folder, ends[1]);
    close(ends[1]);
    p->lines = fdopen(ends[0], "r");
}

int at_attune_kill(at_running *p, int signal_number)
{
    char rest[4096];
    int status = 0;
    if (signal_number) kill(p->pid, signal_number);
    while (fread(rest, 1, sizeof rest, p->lines) > 0) {
    } /* it must not wait for a reader */
    fclose(p->lines);
    if (waitpid(p->pid, &status, 0) != p->pid) fail_msg("cannot wait");
    return code_of(status);
}

/* ---- JSON lines ---- */

at_tree *at_json_lines(at_arena *a, const char *text)
{
    at_tree *list = at_tree_new(a, AT_LIST);
    while (*text) {
        const size_t n = strcspn(text, "\n");
        at_tree *t;
        if (text[n] != '\n') fail_msg("the last line has no end: %s", text);
        at_expect_ok(a->ctx, at_json_parse(a, &t, text, n, "output"));
        if (t->kind != AT_MAP) fail_msg("no object: %.*s", (int)n, text);
        at_tree_add(a, list, NULL, t);
        text += n + 1;
    }
    return list;
}

const at_tree *at_event_named(const at_tree *lines, const char *event, int index)
{
    const at_tree *last = NULL;
    for (const at_tree *t = lines->first; t; t = t->next) {
        const at_tree *name = at_tree_get(t, "event");
        if (!name || strcmp(name->text, event) != 0) continue;
        if (index-- == 0) return t;
        last = t;
    }
    return index < 0 ? last : NULL;
}

/* ---- Folders ---- */

static void add_folder(at_digest *d, at_arena *a, const char *folder, const char *without, bool top)
{
    const char **names;
    int64_t n;
    at_expect_ok(a->ctx, at_folder_list(a, &names, &n, folder));
    for (int64_t i = 0; i < n; i++) {
        if (top && (names[i][0] == '.' || (without && strncmp(names[i], without, strlen(without)) == 0)))
            continue;
        char *path = at_arena_printf(a, "%s/%s", folder, names[i]);
        at_digest_add_text(d, names[i]);
        if (at_path_is_folder(path)) add_folder(d, a, path, NULL, false);
        if (at_path_is_folder(path) || !at_path_exists(path)) continue; /* or a link to nothing */
        at_file f;
        at_expect_ok(a->ctx, at_file_map(a->ctx, &f, path));
        at_digest_add(d, f.data, f.size);
        at_file_unmap(a->ctx, &f);
    }
}

void at_folder_digest(char hex[65], const char *folder, const char *without)
{
    at_ctx *ctx = at_test_ctx();
    at_arena a;
    at_digest d;
    uint8_t bytes[AT_DIGEST_BYTES];
    at_arena_init(&a, ctx);
    at_digest_init(&d);
    add_folder(&d, &a, folder, without, true);
    at_digest_end(&d, bytes);
    at_digest_hex(hex, bytes);
    at_arena_deinit(&a);
    at_test_done(ctx);
}

void at_expect_same_file(const char *folder_a, const char *folder_b, const char *name)
{
    at_ctx *ctx = at_test_ctx();
    char path[2][1200];
    at_file f[2];
    for (int i = 0; i < 2; i++) {
        snprintf(path[i], sizeof path[i], "%s/%s", i ? folder_b : folder_a, name);
        at_expect_ok(ctx, at_file_map(ctx, &f[i], path[i]));
    }
    if (f[0].size != f[1].size || memcmp(f[0].data, f[1].data, f[0].size) != 0)
        fail_msg("%s and %s differ", path[0], path[1]);
    for (int i = 0; i < 2; i++) at_file_unmap(ctx, &f[i]);
    at_test_done(ctx);
}
