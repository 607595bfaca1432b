/* digest.c: SHA-256 by nettle. Layer: formats. */
#include "formats/digest.h"

void at_digest_init(at_digest *d)
{
    sha256_init(&d->state);
}

void at_digest_add(at_digest *d, const void *bytes, size_t n)
{
    sha256_update(&d->state, n, bytes);
}

void at_digest_add_text(at_digest *d, const char *text)
{
    const uint64_t n = strlen(text);
    uint8_t length[8]; /* the same bytes on every machine */
    for (int i = 0; i < 8; i++) length[i] = (uint8_t)(n >> (8 * i));
    at_digest_add(d, length, sizeof length);
    at_digest_add(d, text, n);
}

void at_digest_end(at_digest *d, uint8_t out[AT_DIGEST_BYTES])
{
    sha256_digest(&d->state, AT_DIGEST_BYTES, out);
}

void at_digest_hex(char out[AT_DIGEST_TEXT], const uint8_t digest[AT_DIGEST_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < AT_DIGEST_BYTES; i++) {
        out[2 * i] = digits[digest[i] >> 4];
        out[2 * i + 1] = digits[digest[i] & 15];
    }
    out[AT_DIGEST_TEXT - 1] = '\0';
}
