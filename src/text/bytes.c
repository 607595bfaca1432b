/* bytes.c: bytes as characters. Printable ones of Latin-1 stand for themselves, the others are U+0100 ... in
 * their order (bytes_to_unicode in GPT-2's encoder.py). Layer: text. */
#include "text/bytes.h"

static bool is_printable(int b)
{
    return (b >= '!' && b <= '~') || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
}

static uint32_t character_of(int byte)
{
    if (is_printable(byte)) return (uint32_t)byte;
    uint32_t code = 0x100;
    for (int b = 0; b < byte; b++) code += !is_printable(b);
    return code;
}

/* The first byte of a character takes its place, the others are new. */
static void rewrite(at_pieces *w, const void *params, const char *text, int32_t n)
{
    const uint32_t *characters = params;
    for (int32_t i = 0; i < n; i++) {
        const int b = (unsigned char)text[i];
        at_emit(w, characters[b], (b & 0xc0) == 0x80);
    }
}

void at_apply_bytes(at_pieces *w)
{
    uint32_t characters[256];
    for (int b = 0; b < 256; b++) characters[b] = character_of(b);
    at_pieces_rewrite(w, rewrite, characters);
}
