/* tfevents.c: TensorBoard event files. Layer: formats.
 * A file is a row of records: u64 length, u32 masked CRC-32C of the length, the bytes, u32 masked CRC-32C of
 * the bytes. The bytes are an Event message, written by hand: four fields of protobuf are less than the
 * library that would write them. Each record is one write(2), so that a killed run loses none that was
 * returned OK. */
#include "formats/tfevents.h"
#include "formats/file.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

struct at_tfevents {
    at_ctx *ctx;
    char *path;
    int fd;
    int64_t end; /* of the last whole record */
};

/* ---- CRC-32C (Castagnoli; polynomial 0x1EDC6F41, reflected 0x82F63B78) ---- */

/* What four zero bits behind a remainder of four bits make of it. */
static const uint32_t crc_table[16] = {
    0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
    0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
};

/* The CRC as records hold it: rotated and shifted, because a CRC over bytes that contain their CRC says
 * little. */
static uint32_t masked_crc(const unsigned char *bytes, size_t n)
{
    uint32_t crc = ~0u;
    for (size_t i = 0; i < n; i++) {
        crc ^= bytes[i];
        crc = crc >> 4 ^ crc_table[crc & 15];
        crc = crc >> 4 ^ crc_table[crc & 15];
    }
    crc = ~crc;
    return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

/* ---- Protobuf ---- */

enum { TAG_LIMIT = 512, MESSAGE_ROOM = TAG_LIMIT + 128, FRAME_HEAD = 12, FRAME_TAIL = 4 };
enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 }; /* wire types */

typedef struct message { /* MESSAGE_ROOM is more than any of ours needs */
    unsigned char bytes[MESSAGE_ROOM];
    size_t n;
} message;

static void put_little_endian(message *m, uint64_t x, int n)
{
    for (int i = 0; i < n; i++) m->bytes[m->n++] = (unsigned char)(x >> (8 * i));
}

static void put_varint(message *m, uint64_t x)
{
    for (; x >= 0x80; x >>= 7) m->bytes[m->n++] = (unsigned char)(x | 0x80);
    m->bytes[m->n++] = (unsigned char)x;
}

static void put_key(message *m, unsigned field, unsigned wire_type)
{
    put_varint(m, field << 3 | wire_type);
}

static void put_bytes(message *m, unsigned field, const void *bytes, size_t n)
{
    put_key(m, field, BYTES);
    put_varint(m, n);
    memcpy(m->bytes + m->n, bytes, n);
    m->n += n;
}

static void put_double(message *m, unsigned field, double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    put_key(m, field, FIXED64);
    put_little_endian(m, bits, 8);
}

static void put_float(message *m, unsigned field, float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    put_key(m, field, FIXED32);
    put_little_endian(m, bits, 4);
}

/* ---- Records ---- */

/* All or nothing: what was written of a record that does not fit is cut off again. */
static at_status append(at_tfevents *f, const message *event)
{
    message length = {.n = 0}, record = {.n = 0};
    put_little_endian(&length, event->n, 8);
    put_little_endian(&record, event->n, 8);
    put_little_endian(&record, masked_crc(length.bytes, length.n), 4);
    memcpy(record.bytes + record.n, event->bytes, event->n);
    record.n += event->n;
    put_little_endian(&record, masked_crc(event->bytes, event->n), 4);
    size_t done = 0;
    while (done < record.n) {
        const ssize_t n = pwrite(f->fd, record.bytes + done, record.n - done, f->end + (int64_t)done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            const int error = errno;
            (void)!ftruncate(f->fd, f->end); /* refused: a reader stops at the broken record */
            return at_fail_errno(f->ctx, error, "%s: cannot write", f->path);
        }
        done += (size_t)n;
    }
    f->end += (int64_t)record.n;
    return AT_OK;
}

static at_status append_version(at_tfevents *f, double wall_time)
{
    static const char version[] = "brain.Event:2";
    message event = {.n = 0};
    put_double(&event, 1, wall_time);
    put_bytes(&event, 3, version, sizeof version - 1);
    return append(f, &event);
}

at_status at_tfevents_scalar(at_tfevents *f, const char *tag, int64_t step, double value, double wall_time)
{
    const size_t tag_length = strlen(tag);
    AT_REQUIRE(f->ctx, tag_length > 0 && tag_length <= TAG_LIMIT, AT_E_ARG,
               "%s: a tag has 1 to %d bytes, not %zu", f->path, TAG_LIMIT, tag_length);
    message entry = {.n = 0}, summary = {.n = 0}, event = {.n = 0};
    put_bytes(&entry, 1, tag, tag_length);
    put_float(&entry, 2, (float)value);
    put_bytes(&summary, 1, entry.bytes, entry.n);
    put_double(&event, 1, wall_time);
    put_key(&event, 2, VARINT);
    put_varint(&event, (uint64_t)step);
    put_bytes(&event, 5, summary.bytes, summary.n);
    return append(f, &event);
}

/* ---- Life ---- */

/* `offset` must be where a record ends: else the file is not the one that the offset was taken from. */
static at_status check_records(at_ctx *ctx, const char *path, int64_t offset)
{
    at_file file;
    AT_TRY(at_file_map(ctx, &file, path));
    uint64_t at = 0, length;
    const uint64_t end = (uint64_t)offset;
    bool sound = offset > 0 && end <= file.size;
    while (sound && at < end) {
        sound = end - at >= FRAME_HEAD + FRAME_TAIL;
        if (!sound) break;
        uint32_t crc;
        memcpy(&length, file.data + at, sizeof length);
        memcpy(&crc, file.data + at + sizeof length, sizeof crc);
        sound =
            crc == masked_crc(file.data + at, sizeof length) && length <= end - at - FRAME_HEAD - FRAME_TAIL;
        at += FRAME_HEAD + length + FRAME_TAIL;
    }
    if (!sound)
        at_fail(ctx, AT_E_FORMAT,
                "%s: no event record ends at byte %lld, where this run left off (the file has %zu)", path,
                (long long)offset, file.size);
    at_file_unmap(ctx, &file);
    return sound ? AT_OK : AT_E_FORMAT;
}

static at_status open_at(at_tfevents *f, int64_t offset, double wall_time)
{
    f->fd = open(f->path, O_WRONLY | O_CLOEXEC | (offset ? 0 : O_CREAT), 0666);
    if (f->fd < 0) return at_fail_errno(f->ctx, errno, "%s: cannot open", f->path);
    if (ftruncate(f->fd, offset) != 0) return at_fail_errno(f->ctx, errno, "%s: cannot shorten", f->path);
    f->end = offset;
    return offset ? AT_OK : append_version(f, wall_time);
}

at_status at_tfevents_open(at_tfevents **out, at_ctx *ctx, const char *path, int64_t offset, double wall_time)
{
    *out = NULL;
    if (offset) AT_TRY(check_records(ctx, path, offset));
    at_tfevents *f;
    AT_NEW(ctx, f, 1);
    f->ctx = ctx;
    f->fd = -1;
    f->path = at_strdup(ctx, path);
    const at_status status = f->path ? open_at(f, offset, wall_time) : AT_E_NOMEM;
    if (status == AT_OK)
        *out = f;
    else
        at_tfevents_close(f);
    return status;
}

at_status at_tfevents_flush(at_tfevents *f, int64_t *offset)
{
    if (fdatasync(f->fd) != 0) return at_fail_errno(f->ctx, errno, "%s: cannot write to the disk", f->path);
    *offset = f->end;
    return AT_OK;
}

void at_tfevents_close(at_tfevents *f)
{
    if (!f) return;
    if (f->fd >= 0) close(f->fd);
    at_free(f->ctx, f->path);
    at_free(f->ctx, f);
}
