/* tokenizer_internal.h: what the files behind tokenizer.h share. Layer: text. */
#ifndef AT_TOKENIZER_INTERNAL_H
#define AT_TOKENIZER_INTERNAL_H

#include "text/added.h"

struct at_tokenizer {
    at_arena arena; /* all that follows */
    at_vocab vocab; /* the model's */
    at_added added;
    at_step normalizer, pre_tokenizer;
    const at_token_model *model;
    const void *model_params;
    bool of_bytes; /* the pre-tokenizer is ByteLevel */
    at_post post;
    at_regex *regexes;
    at_digest digest;                  /* of the files it was read from */
    uint8_t identity[AT_DIGEST_BYTES]; /* its end */
};

/* Make a tokenizer from sections as tokenizer.json has them: added_tokens, normalizer, pre_tokenizer, model,
 * post_processor. Routes for other files write such a tree; the vocabulary is in `source`, or in t->vocab
 * already. */
at_status at__tokenizer_assemble(at_tokenizer *t, const at_tree *sections, const at_model_source *source,
                                 const char *path) AT_MUST_USE;

/* The routes: from what kind of file a tokenizer is read. The first in a folder that is there decides, in the
 * order of rank. */
typedef struct at_tokenizer_file {
    const char *name; /* of the file: tokenizer.json */
    int rank;
    at_status (*open)(at_tokenizer *t, const char *folder);
} at_tokenizer_file;

/* Read a file of the folder into the arena, a NUL behind it, and take it into the digest. *text is NULL when
 * it may be absent and is. */
at_status at__tokenizer_read(at_tokenizer *t, const char *path, bool may_be_absent, char **text,
                             size_t *size) AT_MUST_USE;

#endif
