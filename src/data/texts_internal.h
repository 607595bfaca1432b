/* texts_internal.h: what the files behind texts.h and tagged.h share. Layer: data, private to it. */
#ifndef AT_TEXTS_INTERNAL_H
#define AT_TEXTS_INTERNAL_H

#include "data/texts.h"

void at__texts_note(const at_texts_options *o, const char *fmt, ...) AT_PRINTF(2, 3);

/* texts_columns.c: set label_column, text_column and pair_column. */
at_status at__choose_columns(at_texts *t, const at_texts_options *o, const at_texts *like) AT_MUST_USE;

/* texts_labels.c: from the samples' label cells to classes and labels. */
at_status at__read_labels(at_texts *t, const at_texts_options *o, const at_texts *like) AT_MUST_USE;

/* Add a text without the difference between kinds and lengths of white space, and between a and A. */
void at__digest_text(at_digest *d, const at_cell *cell);

/* A cell without the white space around it. */
at_cell at__trim(const at_cell *cell);

static inline bool at__is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* ---- Numbers for different texts, in the order in which they come ---- */

typedef struct at__values {
    at_ctx *ctx;
    at_cell *list; /* [n]; not NUL-terminated */
    int32_t *slot; /* hash table of numbers + 1; 0 = free */
    int64_t n, room;
} at__values;

void at__values_init(at__values *v, at_ctx *ctx);
void at__values_deinit(at__values *v);
int32_t at__values_find(const at__values *v, at_cell text);                         /* -1 = none */
at_status at__values_add(at__values *v, int32_t *number, at_cell text) AT_MUST_USE; /* text is borrowed */

#endif
