/* file.h: reading by mapping, writing atomically. Layer: formats. */
#ifndef AT_FILE_H
#define AT_FILE_H

#include "base/alloc.h"

/* A read-only mapping of a whole file, shared between processes; pages are read when touched. Who shortens a
 * mapped file ends the process that reads it (SIGBUS): files are replaced here, never rewritten in place. */
typedef struct at_file {
    const unsigned char *data; /* NULL when size is 0 */
    size_t size;
    char *path; /* as given; owned */
} at_file;

/* @return IO (missing, unreadable, not a regular file), NOMEM; *out is zeroed on failure. */
at_status at_file_map(at_ctx *ctx, at_file *out, const char *path) AT_MUST_USE;
void at_file_unmap(at_ctx *ctx, at_file *file);

/* What was read of these bytes of the mapping need not stay in this process's memory. Touched again they are
 * there again: as long as the system keeps the file's pages, at little cost. Bytes that lie elsewhere, as a
 * copy of a misaligned tensor does, are left alone. */
void at_file_let_go(const at_file *file, const void *bytes, size_t n);

/* Read a whole small file into memory that at_free releases; NUL-terminated, which size does not count. A
 * pipe will do.
 * @return IO; NOMEM; RANGE (larger than limit bytes); *out is NULL and *size 0 on failure. */
at_status at_file_read(at_ctx *ctx, char **out, size_t *size, const char *path, size_t limit) AT_MUST_USE;

/* ---- Atomic writing: a temporary file beside the target, fsync, rename, fsync of the folder. Until commit
 * returns OK the target is what it was (but if the very last fsync fails it is the new file, perhaps not yet
 * on the disk); a crash leaves at most a file named ".NAME.tmp-PID" (and "-1" ... while another process with
 * our PID, in another container, writes the same target), which the next writer of that name takes over. A
 * file's permissions stay, a link is replaced and not followed, devices, pipes and folders are refused. ----
 */
typedef struct at_writer at_writer;

at_status at_writer_open(at_writer **out, at_ctx *ctx, const char *path) AT_MUST_USE;
at_status at_writer_put(at_writer *w, const void *bytes, size_t n) AT_MUST_USE; /* the first failure sticks */
at_status at_writer_commit(at_writer *w) AT_MUST_USE;                           /* frees w in any case */
void at_writer_abort(at_writer *w);                                             /* frees w; NULL allowed */

/* Replace a file's whole content atomically. */
at_status at_file_write(at_ctx *ctx, const char *path, const void *bytes, size_t n) AT_MUST_USE;

/* Folders. make: with parents, no error if it exists. sync: its entries reach the disk. path_exists follows
 * links. */
at_status at_folder_make(at_ctx *ctx, const char *path) AT_MUST_USE;
at_status at_folder_sync(at_ctx *ctx, const char *path) AT_MUST_USE;
bool at_path_exists(const char *path);
bool at_path_is_folder(const char *path);
const char *at_path_join(at_arena *a, const char *folder, const char *name); /* NULL = no memory */

/* Names in a folder, sorted bytewise, without "." and "..": names[i] in `arena`. */
at_status at_folder_list(at_arena *arena, const char ***names, int64_t *n, const char *path) AT_MUST_USE;

/* Rename a folder; `to` must not exist. The move is on disk when it returns. */
at_status at_folder_rename(at_ctx *ctx, const char *from, const char *to) AT_MUST_USE;

/* Remove a folder and all below it; links are removed, not followed. No error when it does not exist. */
at_status at_folder_remove(at_ctx *ctx, const char *path) AT_MUST_USE;

#endif
