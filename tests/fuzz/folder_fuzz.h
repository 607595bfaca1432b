/* folder_fuzz.h: for fuzz targets of what is read from a folder: its files from one input. */
#ifndef AT_FOLDER_FUZZ_H
#define AT_FOLDER_FUZZ_H

#include "formats/file.h"
#include "tests/fuzz/fuzz.h"
#include <stdio.h>
#include <stdlib.h>

typedef struct at_fuzz_file {
    const char *name;
    const void *data;
    size_t size;
} at_fuzz_file;

/* Two files of one input: what is before its first NUL byte, and what is behind. */
static inline void at_fuzz_cut(at_fuzz_file out[2], const uint8_t *data, size_t size)
{
    const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
    out[0].data = data;
    out[0].size = nul ? (size_t)(nul - data) : size;
    out[1].data = nul ? nul + 1 : data + size;
    out[1].size = nul ? size - out[0].size - 1 : 0;
}

/* Make a folder of these files; folder: "/tmp/attune_fuzz.XXXXXX" becomes its name. */
static inline void at_fuzz_make_folder(char *folder, const at_fuzz_file *files, int n)
{
    AT_MUST(mkdtemp(folder));
    for (int i = 0; i < n; i++) {
        char path[100];
        snprintf(path, sizeof path, "%s/%s", folder, files[i].name);
        FILE *f = fopen(path, "wb");
        AT_MUST(f && fwrite(files[i].data, 1, files[i].size, f) == files[i].size);
        AT_MUST(fclose(f) == 0);
    }
}

static inline void at_fuzz_remove_folder(const char *folder)
{
    at_ctx *other = at_fuzz_begin(); /* whose error is its own */
    AT_MUST(at_folder_remove(other, folder) == AT_OK);
    at_ctx_destroy(other);
}

#endif
