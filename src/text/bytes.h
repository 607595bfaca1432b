/* bytes.h: bytes as printable characters, as GPT-2's vocabulary writes them. Layer: text. */
#ifndef AT_BYTES_H
#define AT_BYTES_H

#include "text/pieces.h"

/* A step: every byte of the text becomes a character. */
void at_apply_bytes(at_pieces *w);

#endif
