/* added.h: tokens beside the model's vocabulary, found in the text before the model sees it. Layer: text. */
#ifndef AT_ADDED_H
#define AT_ADDED_H

#include "text/kinds.h"

typedef struct at_added_token {
    const char *content;
    int32_t id;
    bool special, normalized, lstrip, rstrip, single_word;
} at_added_token;

typedef struct at_added_pattern {
    const char *text;
    int32_t n, token; /* index into at_added.list */
    int32_t order;    /* of two equal ones the first counts */
} at_added_pattern;

typedef struct at_added_matcher { /* patterns by first byte, the longest first */
    at_added_pattern *list;
    int32_t begin[257]; /* those that begin with byte b: begin[b] ... begin[b + 1] - 1 */
    int32_t n;
} at_added_matcher;

typedef struct at_added {
    at_added_token *list;
    int64_t n;
    at_added_matcher plain, normalized; /* looked for before and after normalizing */
} at_added;

/* Read the section "added_tokens" (NULL or a list) when vocabulary and normalizer are known. */
at_status at_added_parse(const at_section *s, const at_tree *list) AT_MUST_USE;

/* Cut them out of the open pieces: a step. */
void at_added_extract(const at_added *a, const at_added_matcher *m, at_pieces *w);

#endif
