/* file.c: mapping and reading files, writing them atomically. Layer: formats.
 * Main reading path: at_writer_open, at_writer_put, at_writer_commit. The temporary file is held by flock
 * while it is written: a leftover of a crash is taken over, a file that another process is writing is not
 * touched. That process may well have our PID, in another container on the same disk. */
#include "formats/file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Reading ---- */

/* A descriptor open for reading and what it is; -1 with the failure recorded. */
static int open_for_reading(at_ctx *ctx, struct stat *info, const char *path, int flags)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | flags);
    if (fd < 0) {
        at_fail_errno(ctx, errno, "%s: cannot open", path);
        return -1;
    }
    if (fstat(fd, info) != 0) {
        at_fail_errno(ctx, errno, "%s: cannot read its size", path);
    } else if (S_ISDIR(info->st_mode)) {
        at_fail(ctx, AT_E_IO, "%s: is a folder, a file is needed", path);
    } else {
        return fd;
    }
    close(fd);
    return -1;
}

at_status at_file_map(at_ctx *ctx, at_file *out, const char *path)
{
    *out = (at_file){0};
    struct stat info;
    const int fd =
        open_for_reading(ctx, &info, path, O_NONBLOCK); /* a pipe without a writer must not hang us */
    if (fd < 0) return AT_E_IO;
    at_status status = AT_OK;
    void *data = NULL;
    char *copy = NULL;
    if (!S_ISREG(info.st_mode)) {
        status = at_fail(ctx, AT_E_IO, "%s: is a pipe or a device, a file is needed", path);
    } else if (!(copy = at_strdup(ctx, path))) {
        status = AT_E_NOMEM;
    } else if (info.st_size > 0) {
        data = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_SHARED, fd, 0);
        if (data == MAP_FAILED) status = at_fail_errno(ctx, errno, "%s: cannot map", path);
    }
    close(fd);
    if (status == AT_OK)
        *out = (at_file){data, (size_t)info.st_size, copy};
    else
        at_free(ctx, copy);
    return status;
}

void at_file_unmap(at_ctx *ctx, at_file *file)
{
    if (file->data) munmap((void *)file->data, file->size);
    at_free(ctx, file->path);
    *file = (at_file){0};
}

void at_file_let_go(const at_file *file, const void *bytes, size_t n)
{
    /* Of bytes below the mapping this wraps around. */
    const size_t first = (uintptr_t)bytes - (uintptr_t)file->data, page = (size_t)sysconf(_SC_PAGESIZE);
    if (n == 0 || first >= file->size || n > file->size - first) return;
    /* Neighbours on the same page come back when they are touched; shared and read-only, nothing is lost. */
    const size_t begin = first / page * page;
    (void)madvise((void *)(file->data + begin), first + n - begin, MADV_DONTNEED);
}

/* Read to the end of fd, limit bytes at most, into *data that has *room bytes; both grow. */
static at_status read_all(at_ctx *ctx, char **data, size_t *room, size_t *size, int fd, const char *path,
                          size_t limit)
{
    for (*size = 0;;) {
        const ssize_t got = read(fd, *data + *size, *room - 1 - *size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return at_fail_errno(ctx, errno, "%s: cannot read", path);
        if (got == 0) break;
        *size += (size_t)got;
        if (*size > limit)
            return at_fail(ctx, AT_E_RANGE, "%s: is larger than %zu bytes, the most that is read", path,
                           limit);
        if (*size + 1 < *room) continue;
        char *grown = at_realloc(ctx, *data, *size, *room * 2);
        if (!grown) return AT_E_NOMEM;
        *data = grown;
        *room *= 2;
    }
    (*data)[*size] = '\0';
    return AT_OK;
}

at_status at_file_read(at_ctx *ctx, char **out, size_t *size, const char *path, size_t limit)
{
    enum { LEAST_ROOM = 4096 };
    *out = NULL;
    *size = 0;
    struct stat info;
    const int fd = open_for_reading(ctx, &info, path, 0);
    if (fd < 0) return AT_E_IO;
    /* The size is a hint: pipes have none, and a file may grow while it is read. */
    size_t room = LEAST_ROOM, n = 0;
    if (info.st_size > 0) room += (size_t)info.st_size < limit ? (size_t)info.st_size : limit;
    char *data = at_alloc(ctx, room);
    const at_status status = data ? read_all(ctx, &data, &room, &n, fd, path, limit) : AT_E_NOMEM;
    close(fd);
    if (status != AT_OK) {
        at_free(ctx, data);
        return status;
    }
    *out = data;
    *size = n;
    return AT_OK;
}

/* ---- Writing ---- */

enum { WRITER_BUFFER = 64 << 10, WRITE_MOST = 1 << 30 /* bytes a call; Linux stops short of 2^31 */ };

struct at_writer {
    at_ctx *ctx;
    char *path, *temporary;
    int fd; /* -1 = none */
    at_status status;
    size_t n; /* in buffer */
    unsigned char buffer[WRITER_BUFFER];
};

/* What the folder of `path` is called, as a length within path; 0 = the working folder. */
static int folder_length(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (int)(slash - path) + 1 : 0;
}

/* ".NAME.tmp-PID" beside the target; n > 0 adds "-n". */
static char *temporary_name(at_ctx *ctx, const char *path, int n)
{
    const size_t room = strlen(path) + 48;
    char *name = at_alloc(ctx, room);
    if (!name) return NULL;
    const int folder = folder_length(path);
    const int used = snprintf(name, room, "%.*s.%s.tmp-%ld", folder, path, path + folder, (long)getpid());
    if (n > 0) snprintf(name + used, room - (size_t)used, "-%d", n);
    return name;
}

/* Open and hold w->temporary. *held is false when somebody else has it: not a failure, another name will do.
 */
static at_status hold(at_writer *w, bool *held)
{
    *held = false;
    w->fd = open(w->temporary, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (w->fd < 0) return at_fail_errno(w->ctx, errno, "%s: cannot create %s", w->path, w->temporary);
    struct stat by_fd, by_name;
    const bool busy =
        flock(w->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK; /* no locks here: not busy */
    /* Between open and flock its last holder may have renamed it into place: then it is a target, not ours.
     */
    *held = !busy && fstat(w->fd, &by_fd) == 0 && lstat(w->temporary, &by_name) == 0 &&
            by_fd.st_ino == by_name.st_ino && by_fd.st_dev == by_name.st_dev;
    if (!*held) {
        close(w->fd);
        w->fd = -1;
    } else if (ftruncate(w->fd, 0) != 0) {
        return at_fail_errno(w->ctx, errno, "%s: cannot empty %s", w->path, w->temporary);
    }
    return AT_OK;
}

static at_status open_temporary(at_writer *w)
{
    enum { TRIES = 100 };
    for (int n = 0; n < TRIES; n++) {
        bool held;
        at_free(w->ctx, w->temporary);
        w->temporary = temporary_name(w->ctx, w->path, n);
        if (!w->temporary) return AT_E_NOMEM;
        AT_TRY(hold(w, &held));
        if (held) return AT_OK;
    }
    return at_fail(w->ctx, AT_E_IO, "%s: %s is being written by others", w->path, w->temporary);
}

/* What is there may be replaced: nothing, a file (whose permissions stay) or a link; never a device. */
static at_status look_at_target(at_writer *w, mode_t *mode)
{
    struct stat info;
    *mode = 0;
    if (lstat(w->path, &info) != 0) return AT_OK;
    AT_REQUIRE(w->ctx, !S_ISDIR(info.st_mode), AT_E_IO, "%s: is a folder, a file is to be written", w->path);
    AT_REQUIRE(w->ctx, S_ISREG(info.st_mode) || S_ISLNK(info.st_mode), AT_E_IO,
               "%s: is a pipe or a device and cannot be replaced by a file", w->path);
    if (S_ISREG(info.st_mode)) *mode = info.st_mode & 0777;
    return AT_OK;
}

at_status at_writer_open(at_writer **out, at_ctx *ctx, const char *path)
{
    *out = NULL;
    at_writer *w;
    AT_NEW(ctx, w, 1);
    w->ctx = ctx;
    w->fd = -1;
    mode_t mode;
    at_status status = (w->path = at_strdup(ctx, path)) ? AT_OK : AT_E_NOMEM;
    if (status == AT_OK) status = look_at_target(w, &mode);
    if (status == AT_OK) status = open_temporary(w);
    if (status != AT_OK) {
        at_writer_abort(w);
        return status;
    }
    if (mode) (void)!fchmod(w->fd, mode); /* not ours to change: then the usual permissions have to do */
    *out = w;
    return AT_OK;
}

static at_status write_all(at_writer *w, const unsigned char *bytes, size_t n)
{
    while (n > 0) {
        const ssize_t done = write(w->fd, bytes, n < WRITE_MOST ? n : WRITE_MOST);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return at_fail_errno(w->ctx, errno, "%s: cannot write", w->path);
        bytes += done;
        n -= (size_t)done;
    }
    return AT_OK;
}

static at_status flush(at_writer *w)
{
    if (w->status == AT_OK) w->status = write_all(w, w->buffer, w->n);
    w->n = 0;
    return w->status;
}

at_status at_writer_put(at_writer *w, const void *bytes, size_t n)
{
    if (w->status != AT_OK || n == 0) return w->status;
    if (n > WRITER_BUFFER - w->n) AT_TRY(flush(w));
    if (n > WRITER_BUFFER) return w->status = write_all(w, bytes, n);
    memcpy(w->buffer + w->n, bytes, n);
    w->n += n;
    return AT_OK;
}

/* Everything that can fail comes before the rename, but for the folder's own fsync. */
static at_status put_in_place(at_writer *w)
{
    AT_TRY(flush(w));
    if (fsync(w->fd) != 0) return at_fail_errno(w->ctx, errno, "%s: cannot write to the disk", w->path);
    if (rename(w->temporary, w->path) != 0)
        return at_fail_errno(w->ctx, errno, "%s: cannot rename %s to it", w->path, w->temporary);
    const int error = close(w->fd) == 0 ? 0 : errno;
    w->fd = -1; /* nothing is left to remove */
    if (error) return at_fail_errno(w->ctx, error, "%s: cannot close", w->path);
    const int folder = folder_length(w->path);
    w->path[folder] = '\0';
    return at_folder_sync(w->ctx, folder ? w->path : ".");
}

at_status at_writer_commit(at_writer *w)
{
    const at_status status = put_in_place(w);
    at_writer_abort(w);
    return status;
}

void at_writer_abort(at_writer *w)
{
    if (!w) return;
    if (w->fd >= 0) {
        unlink(w->temporary);
        close(w->fd);
    }
    at_free(w->ctx, w->temporary);
    at_free(w->ctx, w->path);
    at_free(w->ctx, w);
}

at_status at_file_write(at_ctx *ctx, const char *path, const void *bytes, size_t n)
{
    at_writer *w;
    AT_TRY(at_writer_open(&w, ctx, path));
    (void)!at_writer_put(w, bytes, n); /* its failure sticks */
    return at_writer_commit(w);
}
