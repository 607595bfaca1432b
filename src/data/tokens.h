/* tokens.h: texts as a data set of token ids: the ragged columns input_ids, token_type_ids, position_ids and
 * row_id i32, whose rows are a sample's tokens, and, where known, labels i32: one a sample, or of tagged
 * words one a token. row_id tells rows apart, whatever batch they are in: random numbers are keyed by it.
 * Layer: data. Texts are tokenised once, when the data set is made. */
#ifndef AT_TOKENS_H
#define AT_TOKENS_H

#include "data/dataset.h"
#include "data/tagged.h"
#include "data/texts.h"
#include "text/tokenizer.h"

typedef struct at_token_options {
    const at_tokenizer *tokenizer; /* borrowed */
    int64_t max_length;            /* tokens of a sample, special ones included; longer ones are cut */
    bool labels;
    /* Of tagged words: tags of the tokens behind a word's first one, by the word's tag; NULL = they have no
     * label. */
    const int32_t *tag_inside;
} at_token_options;

typedef struct at_token_stats {
    int64_t tokens, longest; /* of all samples, and of one */
    int64_t cut;             /* samples that were too long */
} at_token_stats;

/* The samples index[0..n) of a set (borrowed; index is copied). stats may be NULL.
 * @return FORMAT with file and line: a sample that cannot be tokenised or gives no token; NOMEM. */
at_status at_tokens_create(at_dataset **out, at_ctx *ctx, const at_texts *texts, const int32_t *index,
                           int64_t n, const at_token_options *o, at_token_stats *stats) AT_MUST_USE;

/* The same of tagged sentences. A word's first token has the word's tag as its label; special tokens have
 * -100, as losses want it. */
at_status at_tagged_tokens_create(at_dataset **out, at_ctx *ctx, const at_tagged *tagged,
                                  const int32_t *index, int64_t n, const at_token_options *o,
                                  at_token_stats *stats) AT_MUST_USE;

/* Of such a data set: which sentence a sample is, and which of its words each of its tokens belongs to (-1:
 * special tokens). */
int64_t at_tagged_tokens_sentence(const at_dataset *d, int64_t sample);
const int32_t *at_tagged_tokens_words(const at_dataset *d, int64_t sample);

#endif
