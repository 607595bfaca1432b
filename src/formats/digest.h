/* digest.h: SHA-256 (FIPS 180-4), by the nettle library. Content keys: caches, splits, checkpoints. Layer:
 * formats. */
#ifndef AT_DIGEST_H
#define AT_DIGEST_H

#include "base/base.h"
#include <nettle/sha2.h>

typedef struct at_digest {
    struct sha256_ctx state;
} at_digest;

enum { AT_DIGEST_BYTES = 32, AT_DIGEST_TEXT = 65 };

void at_digest_init(at_digest *d);
void at_digest_add(at_digest *d, const void *bytes, size_t n);
void at_digest_add_text(at_digest *d,
                        const char *text); /* with its length, so that "ab"+"c" and "a"+"bc" differ */
void at_digest_end(at_digest *d, uint8_t out[AT_DIGEST_BYTES]);
void at_digest_hex(char out[AT_DIGEST_TEXT], const uint8_t digest[AT_DIGEST_BYTES]);

#endif
