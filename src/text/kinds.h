/* kinds.h: what tokenizers are put together from: normalizers, pre-tokenizers, models, post-processors, each
 * a file with a descriptor, and how a descriptor reads its section of tokenizer.json. Layer: text.
 *
 * A descriptor's name is the section's "type". Its params live in the tokenizer's arena and are zeroed before
 * parse; afterwards nothing changes them, and threads share them. */
#ifndef AT_KINDS_H
#define AT_KINDS_H

#include "formats/json_scan.h"
#include "formats/tree.h"
#include "text/regex.h"
#include "text/tokenizer.h"
#include "text/vocab.h"

/* ---- Sections ---- */

typedef struct at_section {
    at_ctx *ctx;
    at_arena *arena;                      /* the tokenizer's */
    at_tokenizer *t;                      /* being opened */
    const at_tree *tree;                  /* the section: a map */
    const char *where;                    /* "FILE: normalizer.normalizers[1]" */
    const struct at_model_source *source; /* models: where the vocabulary stands; NULL for others */
} at_section;

/* Read a member; an absent or null one is the fallback. The messages name section and member. */
at_status at_section_flag(const at_section *s, bool *out, const char *key, bool fallback) AT_MUST_USE;
at_status at_section_whole(const at_section *s, int64_t *out, const char *key, int64_t low, int64_t high,
                           int64_t fallback) AT_MUST_USE;
/* In the arena. fallback NULL: it must be there; "" = may be absent. */
at_status at_section_text(const at_section *s, const char **out, const char *key,
                          const char *fallback) AT_MUST_USE;
/* One of n names: its index. */
at_status at_section_choice(const at_section *s, int *out, const char *key, const char *const *names, int n,
                            const char *fallback) AT_MUST_USE;
/* A list or map that must be there. */
at_status at_section_list(const at_section *s, const at_tree **out, const char *key) AT_MUST_USE;
at_status at_section_map(const at_section *s, const at_tree **out, const char *key) AT_MUST_USE;
/* "pattern": {"String": text} or {"Regex": text}. NULL: the string is empty. */
at_status at_section_pattern(const at_section *s, at_regex **out) AT_MUST_USE;
/* A pattern that the descriptor knows. */
at_status at_section_regex(const at_section *s, at_regex **out, const char *pattern) AT_MUST_USE;
at_status at_section_behaviour(const at_section *s, at_behaviour *out, const char *fallback) AT_MUST_USE;

/* The section of the i-th child of a list, a map; `list` is added to where: ".normalizers". */
at_status at_section_child(at_section *out, const at_section *s, const at_tree *child, const char *list,
                           int64_t i) AT_MUST_USE;

/* ---- Normalizers and pre-tokenizers: steps over the pieces ---- */

typedef struct at_step { /* a descriptor with its params; apply NULL = nothing to do */
    void (*apply)(const void *params, at_pieces *w);
    const void *params;
} at_step;

typedef struct at_normalizer {
    const char *name, *doc;
    size_t size;                                           /* of the params */
    at_status (*parse)(const at_section *s, void *params); /* NULL: has no options */
    void (*apply)(const void *params, at_pieces *w);       /* rewrites */
} at_normalizer;

typedef struct at_pre_tokenizer {
    const char *name, *doc;
    size_t size;
    at_status (*parse)(const at_section *s, void *params);
    void (*apply)(const void *params, at_pieces *w); /* splits, and may rewrite */
} at_pre_tokenizer;

at_status at_normalizer_parse(at_step *out, const at_section *s) AT_MUST_USE;
at_status at_pre_tokenizer_parse(at_step *out, const at_section *s) AT_MUST_USE;

/* For kinds that are a list of others. */
typedef struct at_steps {
    at_step *list;
    int64_t n;
} at_steps;
at_status at_steps_parse(at_steps *out, const at_section *s, const char *key,
                         at_status (*parse)(at_step *, const at_section *)) AT_MUST_USE;
void at_steps_apply(const at_steps *steps, at_pieces *w);

/* ---- Models: from a piece to tokens ---- */

enum { AT_MODEL_LISTS = 4 };

typedef struct at_model_source { /* lists and maps of the section "model" stay text until their owner reads
                                    them: they are long */
    struct {
        const at_json_scan *file;
        const char *key;
        at_json_slice value;
    } list[AT_MODEL_LISTS];
    int n;
    double *scores; /* NULL, or of the tokens that are in the tokenizer's vocabulary already, by id; NaN = the
                       model is not to find it in a text. In the arena */
} at_model_source;

typedef struct at_token_model {
    const char *name, *doc;
    size_t size;
    at_status (*parse)(const at_section *s, void *params); /* fills the tokenizer's vocabulary, too */
    /* at_found_add for each token of the piece. */
    void (*tokenize)(at_pieces *w, const void *params, const char *text, int32_t n);
    bool cached; /* costs more than looking words up that were seen before */
} at_token_model;

at_status at_token_model_parse(const at_token_model **out, const void **params,
                               const at_section *s) AT_MUST_USE;

/* Begin to read a list or map of the model; to be closed with at_json_scan_deinit when it succeeded. */
at_status at_model_scan(at_json_scan *out, const at_section *s, const char *key) AT_MUST_USE;
/* Read "vocab", a map from token to id, into the tokenizer's vocabulary, if it is not there already. */
at_status at_model_vocab(const at_section *s) AT_MUST_USE;
at_vocab *at_section_vocab(const at_section *s); /* the tokenizer's */

/* ---- Post-processors: what stands around the tokens ---- */

typedef struct at_template_item {
    int32_t id;       /* of a special token; -1 = a sequence */
    int32_t sequence; /* 0 or 1; -1 for special tokens */
    int32_t type;     /* type id */
} at_template_item;

typedef struct at_template { /* NULL list: the sequences one after the other, with types 0 and 1 */
    const at_template_item *list;
    int64_t n;
} at_template;

typedef struct at_post {
    at_template single, pair;
    bool trim, prefix_space; /* spans leave out blanks; but the one that was put before the text is none */
} at_post;

typedef struct at_post_processor {
    const char *name, *doc;
    at_status (*parse)(const at_section *s, at_post *out); /* adds to what is there */
} at_post_processor;

at_status at_post_processor_parse(at_post *out, const at_section *s) AT_MUST_USE;
at_status at_template_make(const at_section *s, at_template *out, const at_template_item *items,
                           int64_t n) AT_MUST_USE;
/* A member [text, id]: the id. */
at_status at_section_special(const at_section *s, int32_t *out, const char *key) AT_MUST_USE;

#endif
