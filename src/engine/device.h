/* device.h: where tensors live and kernels run. Work is queued in order; nothing is awaited but by sync.
 * Layer: engine. A device is one file in engine/device/ with `const at_device_kind at_device_kind_NAME`. */
#ifndef AT_DEVICE_H
#define AT_DEVICE_H

#include "engine/op.h"

typedef struct at_device at_device;

/* Device memory. Its data may be dereferenced by kernels only, and by the CPU where the kind `is_host`. */
typedef struct at_buffer {
    void *data;
    size_t bytes;
} at_buffer;

typedef struct at_device_kind {
    const char *name;
    bool is_host; /* its memory is the CPU's */
    at_status (*open)(at_device *d);
    void (*close)(at_device *d);
    at_status (*alloc)(at_device *d, at_buffer *out, size_t bytes); /* zeroed */
    void (*release)(at_device *d, at_buffer *b);
    /* Most of this part of what alloc gave will stay zero: it need not take memory. NULL = it takes it. */
    void (*expect_zeros)(void *data, size_t bytes);
    /* Make mapped host memory readable by kernels: the same memory where possible, else a copy. */
    at_status (*import)(at_device *d, at_buffer *out, const void *host, size_t bytes);
    /* Rows of `width` bytes. upload: host memory may be reused at once. download: valid after sync. */
    void (*upload)(at_device *d, void *to, size_t to_pitch, const void *from, size_t from_pitch, size_t width,
                   int64_t rows);
    void (*download)(at_device *d, void *to, size_t to_pitch, const void *from, size_t from_pitch,
                     size_t width, int64_t rows);
    void (*launch)(at_device *d, at_run_fn run, const at_call *call); /* the call is copied */
    at_status (*sync)(at_device *d); /* the first failure since the last sync, by order of work */
    /* A place in the queue, and waiting until all work before it is done: scalars are read one step late. */
    uint64_t (*mark)(at_device *d);
    at_status (*wait)(at_device *d, uint64_t mark);
} at_device_kind;

struct at_device {
    const at_device_kind *kind;
    at_ctx *ctx;
    at_status failed; /* sticky until sync */
    void *self;
};

/* name: "cpu", "far". */
at_status at_device_open(at_device **out, at_ctx *ctx, const char *name) AT_MUST_USE;
void at_device_close(at_device *d);

#endif
