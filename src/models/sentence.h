/* sentence.h: from the rows of a text's tokens to one row for the text, as sentence-transformers' folders
 * say: modules.json lists Transformer, Pooling and, perhaps, Normalize; 1_Pooling/config.json names the
 * pooling, sentence_bert_config.json the most tokens. Layer: models. */
#ifndef AT_SENTENCE_H
#define AT_SENTENCE_H

#include "models/text_encoder.h"

typedef enum at_pooling {
    AT_POOL_MEAN,
    AT_POOL_FIRST,
    AT_POOL_MAX,
    AT_POOL_MEAN_SQRT,
    AT_POOL_WEIGHTED,
    AT_POOL_LAST
} at_pooling;

typedef struct at_sentence {
    bool found; /* the folder says it; else the mean, as it is */
    at_pooling pooling;
    bool normalise;
    int64_t max_length; /* tokens of a text; 0 = as the network takes */
    bool has_prompt;    /* sentence-transformers would put a prompt before each text */
} at_sentence;

/* Is this such a folder? */
bool at_sentence_is(at_ctx *ctx, const char *folder);

/* @return UNSUPPORTED: a module or a pooling that is not known; FORMAT. */
at_status at_sentence_read(at_ctx *ctx, at_sentence *out, const char *folder) AT_MUST_USE;

/* Write the same beside a saved network, whose rows have this width. */
at_status at_sentence_write(at_ctx *ctx, const at_sentence *s, const char *folder, int64_t width) AT_MUST_USE;

/* "the mean of its tokens"; whether it is scaled to length 1 is not said. */
const char *at_sentence_text(const at_sentence *s);

/* What the encoder makes of the tokens [R,C] -> [S,C], for each sequence. */
at_value *at_sentence_apply(at_graph *g, const at_sentence *s, at_value *x, const at_sequences *of);

#endif
