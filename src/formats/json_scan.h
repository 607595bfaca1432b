/* json_scan.h: walk JSON text in place. For files whose lists are too long for a tree (a vocabulary of
 * 250,000 entries); everything else is at_json_parse's. Layer: formats.
 *
 * The reader says what it expects: enter a map or list, next until it is over, and in between a key and
 * colon, a value of a known kind, or skip. What is not as expected is a FORMAT error with line and column. */
#ifndef AT_JSON_SCAN_H
#define AT_JSON_SCAN_H

#include "base/text.h"

typedef struct at_json_slice { /* one value as it stands in the text; borrowed from it */
    const char *text;          /* NULL = none */
    size_t size;
} at_json_slice;

typedef struct at_json_scan {
    at_ctx *ctx;
    const char *name;             /* in messages; borrowed */
    const char *begin, *at, *end; /* the whole text, the place, the end; borrowed */
    at_text decoded;              /* the last string that had escapes */
    bool fresh;                   /* just entered: no comma before the next element */
} at_json_scan;

void at_json_scan_init(at_json_scan *s, at_ctx *ctx, const char *text, size_t size, const char *name);
/* The same text from the beginning of a slice of it. */
void at_json_scan_part(at_json_scan *s, const at_json_scan *whole, at_json_slice part);
void at_json_scan_deinit(at_json_scan *s);

/* First byte of the next value ('{', '[', '"', 't', '-' ...), 0 at the end. */
char at_json_scan_peek(at_json_scan *s);

/* bracket: '{' or '['. */
at_status at_json_scan_enter(at_json_scan *s, char bracket) AT_MUST_USE;
/* Is there one more element? If not, the closing bracket (']' or '}') has been read. */
at_status at_json_scan_next(at_json_scan *s, bool *more, char closing) AT_MUST_USE;

/* A string or a key, decoded; not NUL-terminated; valid until the next call. Invalid UTF-8 and NUL are
 * errors. */
at_status at_json_scan_string(at_json_scan *s, const char **text, size_t *n) AT_MUST_USE;
at_status at_json_scan_key(at_json_scan *s, const char **text, size_t *n) AT_MUST_USE; /* and the colon */
at_status at_json_scan_whole(at_json_scan *s, int64_t *out) AT_MUST_USE;
at_status at_json_scan_number(at_json_scan *s, double *out) AT_MUST_USE;

/* Step over any value; only brackets and quotes are looked at. out: NULL or where it stood. */
at_status at_json_scan_skip(at_json_scan *s, at_json_slice *out) AT_MUST_USE;

/* Nothing may follow. */
at_status at_json_scan_end(at_json_scan *s) AT_MUST_USE;

/* A FORMAT error at the present place. */
at_status at_json_scan_fail(const at_json_scan *s, const char *fmt, ...) AT_PRINTF(2, 3);

#endif
