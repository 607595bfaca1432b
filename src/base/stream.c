#include "base/stream.h"

int64_t at__stream_bytes = 4 << 20;
