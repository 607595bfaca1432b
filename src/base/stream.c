/* stream.c: the size is a variable for tests alone. */
#include "base/stream.h"

int64_t at__stream_bytes = 4 << 20;
