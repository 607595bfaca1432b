/* ByteLevel: every byte becomes a printable character. */
#include "text/bytes.h"
#include "text/kinds.h"

static void apply(const void *params, at_pieces *w)
{
    (void)params;
    at_apply_bytes(w);
}

const at_normalizer at_normalizer_byte_level = {
    .name = "ByteLevel",
    .doc = "bytes as printable characters",
    .apply = apply,
};
