/* regex.h: regular expressions over UTF-8, by PCRE2. Layer: text. */
#ifndef AT_REGEX_H
#define AT_REGEX_H

#include "text/pieces.h"

typedef struct at_regex at_regex;

/* Compile a pattern; classes such as \w go by Unicode. *list is what at_regex_free_all frees. `where` stands
 * in messages. */
at_status at_regex_compile(at_regex **out, at_regex **list, at_ctx *ctx, const char *pattern,
                           const char *where) AT_MUST_USE;
/* The pattern that matches a text literally. */
at_status at_regex_literal(at_regex **out, at_regex **list, at_ctx *ctx, const char *text,
                           const char *where) AT_MUST_USE;
void at_regex_free_all(at_ctx *ctx, at_regex *list);

/* Walks the matches in a text. Failures go to w. */
typedef struct at_regex_walk {
    const at_regex *regex;
    at_pieces *w;
    const char *text;
    int32_t n, at;
    void *memory; /* of PCRE2 */
} at_regex_walk;
void at_regex_begin(at_regex_walk *walk, at_pieces *w, const at_regex *regex, const char *text, int32_t n);
bool at_regex_next(at_regex_walk *walk, at_range *match);
void at_regex_end(at_regex_walk *walk);

/* Cut a piece where it matches: for at_pieces_split. */
void at_split_regex(at_pieces *w, const at_regex *regex, const char *text, int32_t n, at_behaviour behaviour,
                    bool invert);

#endif
