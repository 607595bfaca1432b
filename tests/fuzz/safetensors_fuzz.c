/* safetensors_fuzz.c: what opens is wholly inside the file, byte by byte, and aligned. */
#include "formats/safetensors.h"
#include "tests/fuzz/fuzz.h"
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

static void check(const at_safetensors *f, size_t size)
{
    size_t bytes = 0;
    for (int64_t i = 0; i < f->n; i++) {
        const at_tensor *t = &f->tensors[i];
        AT_MUST(at_safetensors_find(f, t->name) == t);
        AT_MUST(t->bytes == 0 || (uintptr_t)t->data % at_dtype_size(t->dtype) == 0);
        AT_MUST(t->bytes == (size_t)t->count * at_dtype_size(t->dtype));
        unsigned sum = 0;
        for (size_t k = 0; k < t->bytes; k++) sum += ((const unsigned char *)t->data)[k];
        AT_MUST(sum < UINT32_MAX); /* the bytes are used */
        bytes += t->bytes;
    }
    uint64_t header;
    memcpy(&header, f->file.data, sizeof header);
    AT_MUST(8 + header + bytes == size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const int fd = memfd_create("input", MFD_CLOEXEC);
    AT_MUST(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    char path[40];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    at_ctx *ctx = at_fuzz_begin();
    at_safetensors *f;
    const at_status status = at_safetensors_open(&f, ctx, path);
    AT_MUST((status == AT_OK) == (f != NULL));
    if (f) check(f, size);
    at_safetensors_close(ctx, f);
    at_fuzz_end(ctx, status);
    close(fd);
    return 0;
}
