/* cpu.c: the processor itself: host memory, work done at once. */
#include "base/alloc.h"
#include "engine/device.h"

static at_status cpu_open(at_device *d)
{
    (void)d;
    return AT_OK;
}

static void cpu_close(at_device *d)
{
    (void)d;
}

/* Memory of our own is told from imported mappings by `bytes`: an import owns nothing. */
static at_status cpu_alloc(at_device *d, at_buffer *out, size_t bytes)
{
    at_block block;
    AT_TRY(at_block_map(d->ctx, &block, bytes));
    *out = (at_buffer){block.data, block.bytes};
    return AT_OK;
}

static void cpu_release(at_device *d, at_buffer *b)
{
    at_block block = {b->bytes ? b->data : NULL, b->bytes};
    at_block_unmap(d->ctx, &block);
    *b = (at_buffer){0};
}

static at_status cpu_import(at_device *d, at_buffer *out, const void *host, size_t bytes)
{
    (void)d, (void)bytes;
    *out = (at_buffer){(void *)(uintptr_t)host, 0}; /* never written: states that change are laid out first */
    return AT_OK;
}

static void cpu_copy(at_device *d, void *to, size_t to_pitch, const void *from, size_t from_pitch,
                     size_t width, int64_t rows)
{
    (void)d;
    if (to_pitch == width && from_pitch == width) {
        memcpy(to, from, width * (size_t)rows);
        return;
    }
    for (int64_t r = 0; r < rows; r++)
        memcpy((char *)to + (size_t)r * to_pitch, (const char *)from + (size_t)r * from_pitch, width);
}

static void cpu_launch(at_device *d, at_run_fn run, const at_call *call)
{
    if (d->failed != AT_OK) return;
    d->failed = run(call);
}

static at_status cpu_sync(at_device *d)
{
    const at_status s = d->failed;
    d->failed = AT_OK;
    AT_REQUIRE(d->ctx, s == AT_OK, s, "a kernel failed on the cpu: %s", at_status_name(s));
    return AT_OK;
}

static uint64_t cpu_mark(at_device *d)
{
    (void)d;
    return 0;
}

static at_status cpu_wait(at_device *d, uint64_t mark)
{
    (void)mark;
    return cpu_sync(d); /* work is done when it is queued */
}

const at_device_kind at_device_kind_cpu = {.name = "cpu",
                                           .is_host = true,
                                           .open = cpu_open,
                                           .close = cpu_close,
                                           .alloc = cpu_alloc,
                                           .release = cpu_release,
                                           .expect_zeros = at_block_expect_zeros,
                                           .import = cpu_import,
                                           .upload = cpu_copy,
                                           .download = cpu_copy,
                                           .launch = cpu_launch,
                                           .sync = cpu_sync,
                                           .mark = cpu_mark,
                                           .wait = cpu_wait};
