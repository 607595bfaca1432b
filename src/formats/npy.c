/* npy.c: magic, version, length of the header (16 bits, little endian), the header as a Python literal padded
 * with spaces to a multiple of 64, then the numbers (little endian, as this machine's). */
#include "formats/npy.h"
#include "formats/file.h"
#include <stdio.h>

enum { PREFIX = 10, HEADER = 128 }; /* bytes */

at_status at_npy_write(at_ctx *ctx, const char *path, const float *data, int64_t rows, int64_t cols)
{
    char header[HEADER + 1];
    memcpy(header, "\x93NUMPY\x01\x00", 8);
    header[8] = HEADER - PREFIX;
    header[9] = 0;
    const int n = snprintf(header + PREFIX, HEADER - PREFIX,
                           "{'descr': '<f4', 'fortran_order': False, 'shape': (%lld, %lld), }",
                           (long long)rows, (long long)cols);
    memset(header + PREFIX + n, ' ', (size_t)(HEADER - PREFIX - n));
    header[HEADER - 1] = '\n';
    at_writer *w;
    AT_TRY(at_writer_open(&w, ctx, path));
    const at_status put = at_writer_put(w, header, HEADER);
    const at_status s = put == AT_OK ? at_writer_put(w, data, (size_t)(rows * cols) * sizeof *data) : put;
    if (s == AT_OK) return at_writer_commit(w);
    at_writer_abort(w);
    return s;
}
