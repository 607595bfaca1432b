/* stream.h: from what size on results are written past the caches. Layer: base. */
#ifndef AT_STREAM_H
#define AT_STREAM_H

#include <stdint.h>

/* Bytes of a result from which on kernels stream it (simd.h): what the second caches of two cores hold stays
 * there for the next node. Bits do not depend on it; tests set it to 0, so that small results are streamed,
 * too. */
extern int64_t at__stream_bytes;

#endif
