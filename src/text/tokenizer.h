/* tokenizer.h: text to token ids, as Hugging Face's `tokenizers` makes them. Layer: text.
 *
 * The way of a text (src/text/encode.c): added tokens are taken out, normalizers rewrite the rest,
 * pre-tokenizers cut it into words, the model finds each word's tokens, the post-processor puts special
 * tokens around. Each of these kinds is a file in a folder of its own; kinds.h says what they are. */
#ifndef AT_TOKENIZER_H
#define AT_TOKENIZER_H

#include "base/base.h"
#include "formats/digest.h"
#include "formats/table.h"

typedef struct at_tokenizer at_tokenizer;

typedef struct at_token_span {
    int32_t first, end; /* bytes of its text; -1, -1 for special tokens that are in no text */
    int32_t word;       /* as word_ids of Hugging Face: which piece of its text; -1 for special tokens */
    int32_t sequence;   /* 0 = text, 1 = pair; -1 for special tokens */
} at_token_span;

typedef struct at_encoding { /* zeroed before its first use */
    int32_t *ids, *type_ids;
    at_token_span *spans;
    int64_t n, room;
    bool truncated;              /* max_length left tokens out */
    struct at_encode_work *work; /* memory that the next text uses again */
} at_encoding;

/* From a checkpoint's folder: tokenizer.json, else vocab.txt (WordPiece; tokenizer_config.json says
 * do_lower_case etc.). Immutable afterwards: threads may share it, each with a context and an encoding of its
 * own.
 * @return IO; FORMAT, UNSUPPORTED (file, place, what is known); NOMEM. *out is NULL on failure. */
at_status at_tokenizer_open(at_tokenizer **out, at_ctx *ctx, const char *folder) AT_MUST_USE;

/* pair: NULL = one text. max_length: of the whole with special tokens, by cutting the longest text first from
 * its end; 0 = as long as it is. special: with the post-processor's special tokens. The padding and
 * truncation sections of tokenizer.json are ignored. Buffers of out are reused.
 * @return FORMAT (invalid UTF-8, with its byte); RANGE (max_length leaves no room); NOMEM. out->n is 0 then.
 */
at_status at_tokenizer_encode(at_ctx *ctx, const at_tokenizer *t, at_encoding *out, const char *text,
                              size_t n, const char *pair, size_t n_pair, int64_t max_length,
                              bool special) AT_MUST_USE;

/* A text that is cut into words already (is_split_into_words of `tokenizers`): each word is tokenised by
 * itself, where tokens are bytes behind a blank (add_prefix_space). Spans have the index of the word; their
 * first and end say nothing. A word may give no token. Else as above. */
at_status at_tokenizer_encode_words(at_ctx *ctx, const at_tokenizer *t, at_encoding *out,
                                    const at_cell *words, int64_t n, int64_t max_length,
                                    bool special) AT_MUST_USE;
void at_encoding_deinit(at_ctx *ctx, at_encoding *e);

int64_t at_tokenizer_size(const at_tokenizer *t);                  /* largest id + 1, added tokens included */
const char *at_tokenizer_token(const at_tokenizer *t, int32_t id); /* NULL = none */
int32_t at_tokenizer_id(const at_tokenizer *t, const char *token); /* -1 = none */

/* Add to an initialised digest what identifies the tokenizer: for the keys of caches. */
void at_tokenizer_digest(const at_tokenizer *t, at_digest *out);

void at_tokenizer_close(at_ctx *ctx, at_tokenizer *t);

#endif
