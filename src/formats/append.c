/* append.c: logs, written line by line. */
#include "formats/append.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

struct at_append_file {
    at_ctx *ctx;
    int fd;
    int64_t size;
    char path[];
};

at_status at_append_open(at_append_file **out, at_ctx *ctx, const char *path, int64_t offset)
{
    *out = NULL;
    at_append_file *f = at_alloc(ctx, sizeof *f + strlen(path) + 1);
    if (!f) return AT_E_NOMEM;
    f->ctx = ctx;
    memcpy(f->path, path, strlen(path) + 1);
    f->fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    f->size = -1;
    if (f->fd >= 0 && (offset == AT_AT_END || ftruncate(f->fd, offset) == 0))
        f->size = lseek(f->fd, 0, SEEK_END);
    if (f->size < 0) {
        const int error = errno;
        at_append_close(f);
        return at_fail_errno(ctx, error, "%s: cannot be opened for writing", path);
    }
    *out = f;
    return AT_OK;
}

at_status at_append_put(at_append_file *f, const void *bytes, size_t n)
{
    const char *p = bytes;
    while (n > 0) {
        const ssize_t done = write(f->fd, p, n);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return at_fail_errno(f->ctx, errno, "%s: cannot be written", f->path);
        p += done;
        n -= (size_t)done;
        f->size += done;
    }
    return AT_OK;
}

at_status at_append_sync(at_append_file *f, int64_t *offset)
{
    if (fsync(f->fd) != 0) return at_fail_errno(f->ctx, errno, "%s: cannot be written", f->path);
    *offset = f->size;
    return AT_OK;
}

void at_append_close(at_append_file *f)
{
    if (!f) return;
    if (f->fd >= 0) close(f->fd);
    at_free(f->ctx, f);
}
