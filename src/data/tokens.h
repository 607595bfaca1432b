/* tokens.h: texts as a data set of token ids: the ragged columns input_ids, token_type_ids, position_ids and
 * row_id i32, whose rows are a sample's tokens, and, where known, labels: i32 a class, f32 a number, f32
 * [n_classes] of 0 and 1 a set; of tagged words i32 a class a token. row_id tells rows apart, whatever batch
 * they are in: random numbers are keyed by it. Layer: data. Texts are tokenised once, when the data set is
 * made, or by an earlier run.
 *
 * The texts of a pair are one sequence that the tokenizer joins or, as parts, sequences of their own, whose
 * rows follow each other. */
#ifndef AT_TOKENS_H
#define AT_TOKENS_H

#include "data/dataset.h"
#include "data/tagged.h"
#include "data/texts.h"
#include "formats/cache.h"
#include "text/tokenizer.h"

typedef struct at_token_options {
    const at_tokenizer *tokenizer; /* borrowed */
    int64_t max_length;            /* tokens of a sequence, special ones included; longer ones are cut */
    bool labels;
    /* Of tagged words: tags of the tokens behind a word's first one, by the word's tag; NULL = they have no
     * label. */
    const int32_t *tag_inside;
    int parts;   /* 0: one sequence. Else so many: text, second text, negative */
    bool scores; /* of parts: column scores f32: the numbers */
    bool hashes; /* of parts: column text_hash i32 [parts], equal for equal tokens */
    /* Folder where tokens are kept for later runs, made when need be; NULL = none. Only of so many bytes of
     * text at least that it pays; or of cache_bytes, unless that is 0. */
    const char *cache;
    int64_t cache_bytes;
} at_token_options;

typedef struct at_token_stats {
    int64_t tokens, longest;  /* of all samples, and of one */
    int64_t cut;              /* sequences that were too long */
    bool found;               /* an earlier run had kept the tokens */
    char lost[AT_CACHE_LOST]; /* why they could not be kept; "" = they are, or were not to be */
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

/* n samples of `length` tokens that are made up, for measurements: ids below `vocabulary`, labels below
 * `classes`. */
at_status at_tokens_noise(at_dataset **out, at_ctx *ctx, int64_t n, int64_t length, int64_t vocabulary,
                          int64_t classes) AT_MUST_USE;

/* ---- What both kinds share ---- */

/* The columns of tokens, and one of labels; NULL = none. */
void at_token_columns(at_dataset *d, const at_column *labels);

/* Different for the first 4,096 rows of a million sequences; beyond, a few rows share their random numbers.
 */
int32_t at_token_row_id(int64_t sequence, int64_t i);

#endif
