/* folder.c: folders: making, listing, syncing, removing. The other half of file.h. Layer: formats.
 * Removal works on open folders, never on paths put together, so that a link swapped in meanwhile is not
 * followed. */
#include "formats/file.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

bool at_path_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

bool at_path_is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

const char *at_path_join(at_arena *a, const char *folder, const char *name)
{
    const size_t n = strlen(folder);
    return at_arena_printf(a, "%s%s%s", folder, n && folder[n - 1] == '/' ? "" : "/", name);
}

static at_status make_one(at_ctx *ctx, const char *path)
{
    const int error = mkdir(path, 0777) == 0 ? 0 : errno;
    if (!error || at_path_is_folder(path)) return AT_OK; /* what exists may refuse for many reasons */
    if (error == EEXIST) return at_fail(ctx, AT_E_IO, "%s: is a file, a folder is needed", path);
    return at_fail_errno(ctx, error, "%s: cannot make the folder", path);
}

at_status at_folder_make(at_ctx *ctx, const char *path)
{
    char *part = at_strdup(ctx, path);
    if (!part) return AT_E_NOMEM;
    at_status status = AT_OK;
    char *slash = part + strspn(part, "/"); /* the root exists */
    while (status == AT_OK && (slash = strchr(slash, '/'))) {
        *slash = '\0';
        status = make_one(ctx, part);
        *slash++ = '/';
    }
    if (status == AT_OK) status = make_one(ctx, part);
    at_free(ctx, part);
    return status;
}

at_status at_folder_sync(at_ctx *ctx, const char *path)
{
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return at_fail_errno(ctx, errno, "%s: cannot open the folder", path);
    /* EINVAL: a file system that cannot sync folders, such as some network ones */
    const int error = fsync(fd) == 0 || errno == EINVAL ? 0 : errno;
    close(fd);
    return error ? at_fail_errno(ctx, error, "%s: cannot write the folder to the disk", path) : AT_OK;
}

at_status at_folder_rename(at_ctx *ctx, const char *from, const char *to)
{
    if (rename(from, to) != 0) return at_fail_errno(ctx, errno, "%s: cannot be renamed to %s", from, to);
    char *parent = at_strdup(ctx, to);
    if (!parent) return AT_E_NOMEM;
    char *slash = strrchr(parent, '/');
    if (slash) slash[slash == parent] = '\0';
    const at_status status = at_folder_sync(ctx, slash ? parent : ".");
    at_free(ctx, parent);
    return status;
}

/* ---- Listing ---- */

typedef struct found_name {
    struct found_name *next;
    const char *name;
} found_name;

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names that `stream` yields; path is for messages. */
static at_status read_names(at_arena *arena, const char ***names, int64_t *n, DIR *stream, const char *path)
{
    found_name *found = NULL;
    int64_t count = 0;
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(stream);
        if (!entry && errno) return at_fail_errno(arena->ctx, errno, "%s: cannot read the folder", path);
        if (!entry) break;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        found_name *l = at_arena_alloc(arena, sizeof *l);
        if (!l || !(l->name = at_arena_strdup(arena, entry->d_name))) return AT_E_NOMEM;
        l->next = found;
        found = l;
        count++;
    }
    const char **sorted = at_arena_alloc(arena, (size_t)count * sizeof *sorted);
    if (!sorted) return AT_E_NOMEM;
    for (int64_t i = 0; i < count; i++, found = found->next) sorted[i] = found->name;
    qsort(sorted, (size_t)count, sizeof *sorted, by_bytes);
    *names = sorted;
    *n = count;
    return AT_OK;
}

at_status at_folder_list(at_arena *arena, const char ***names, int64_t *n, const char *path)
{
    *names = NULL;
    *n = 0;
    DIR *stream = opendir(path);
    if (!stream) return at_fail_errno(arena->ctx, errno, "%s: cannot open the folder", path);
    const at_status status = read_names(arena, names, n, stream, path);
    closedir(stream);
    return status;
}

/* ---- Removing ---- */

static at_status remove_entry(at_arena *arena, int parent, const char *name, const char *shown, int depth);

static at_status remove_entries(at_arena *arena, DIR *stream, const char *shown, int depth)
{
    const char **names;
    int64_t n;
    AT_TRY(read_names(arena, &names, &n, stream, shown));
    for (int64_t i = 0; i < n; i++) {
        const char *path = at_arena_printf(arena, "%s/%s", shown, names[i]);
        if (!path) return AT_E_NOMEM;
        AT_TRY(remove_entry(arena, dirfd(stream), names[i], path, depth + 1));
    }
    return AT_OK;
}

static at_status remove_entry(at_arena *arena, int parent, const char *name, const char *shown, int depth)
{
    enum { DEEPEST = 128 }; /* an open folder each */
    at_ctx *ctx = arena->ctx;
    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT) return AT_OK;
    const int refusal = errno; /* for a folder EISDIR on Linux, EPERM by POSIX */
    if (refusal != EISDIR && refusal != EPERM) return at_fail_errno(ctx, refusal, "%s: cannot remove", shown);
    AT_REQUIRE(ctx, depth < DEEPEST, AT_E_IO, "%s: more than %d folders deep", shown, DEEPEST);
    const int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);
    if (!stream) {
        const int error = errno == ENOTDIR ? refusal : errno;
        if (fd >= 0) close(fd);
        return at_fail_errno(ctx, error, "%s: cannot remove", shown);
    }
    const at_status status = remove_entries(arena, stream, shown, depth);
    closedir(stream);
    AT_TRY(status);
    if (unlinkat(parent, name, AT_REMOVEDIR) != 0 && errno != ENOENT)
        return at_fail_errno(ctx, errno, "%s: cannot remove the folder", shown);
    return AT_OK;
}

at_status at_folder_remove(at_ctx *ctx, const char *path)
{
    at_arena arena;
    at_arena_init(&arena, ctx);
    const at_status status = remove_entry(&arena, AT_FDCWD, path, path, 0);
    at_arena_deinit(&arena);
    return status;
}
