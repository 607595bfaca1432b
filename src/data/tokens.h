/* tokens.h: texts as a data set of token ids: the ragged columns input_ids, token_type_ids, position_ids and
 * row_id i32, whose rows are a sample's tokens, and what is asked for beside them. row_id tells rows apart,
 * whatever batch they are in: random numbers are keyed by it. Layer: data. Texts are tokenised once, when the
 * data set is made.
 *
 * The texts of a pair are one sequence that the tokenizer joins or, as parts, sequences of their own, whose
 * rows follow each other. */
#ifndef AT_TOKENS_H
#define AT_TOKENS_H

#include "data/dataset.h"
#include "data/texts.h"
#include "text/tokenizer.h"

typedef struct at_token_options {
    const at_tokenizer *tokenizer; /* borrowed */
    int64_t max_length;            /* tokens of a sequence, special ones included; longer ones are cut */
    bool labels;                   /* column labels i32: classes */
    int parts;                     /* 0: one sequence. Else so many: text, second text, negative */
    bool scores;                   /* of parts: column scores f32: the numbers */
    bool hashes;                   /* of parts: column text_hash i32 [parts], equal for equal tokens */
} at_token_options;

typedef struct at_token_stats {
    int64_t tokens, longest; /* of all samples, and of one */
    int64_t cut;             /* sequences that were too long */
} at_token_stats;

/* The samples index[0..n) of a set (borrowed; index is copied). stats may be NULL.
 * @return FORMAT with file and line: a sample that cannot be tokenised or gives no token; NOMEM. */
at_status at_tokens_create(at_dataset **out, at_ctx *ctx, const at_texts *texts, const int32_t *index,
                           int64_t n, const at_token_options *o, at_token_stats *stats) AT_MUST_USE;

#endif
