/* text.h: growing text: JSON lines, HTML, YAML, messages. Layer: base. */
#ifndef AT_TEXT_H
#define AT_TEXT_H

#include "base/alloc.h"

typedef struct at_text {
    at_ctx *ctx;
    char *data; /* NUL-terminated; NULL until something was added */
    size_t size, room;
    bool failed; /* out of memory: recorded in ctx, further additions do nothing */
} at_text;

void at_text_init(at_text *t, at_ctx *ctx);
void at_text_add(at_text *t, const char *text);
void at_text_bytes(at_text *t, const void *bytes, size_t n);
void at_text_printf(at_text *t, const char *fmt, ...) AT_PRINTF(2, 3);
void at_text_json(at_text *t,
                  const char *text); /* quoted and escaped as a JSON string; invalid UTF-8 becomes U+FFFD */
void at_text_html(at_text *t, const char *text); /* &, <, >, " and ' escaped */
void at_text_base64(at_text *t, const void *bytes, size_t n);
void at_text_number(at_text *t,
                    double x); /* shortest form that reads back equal; null for NaN and infinity */
/* A JSON list; nine digits a number, which read back equal. */
void at_text_floats(at_text *t, const float *x, int64_t n);
at_status at_text_status(const at_text *t); /* OK or NOMEM */
void at_text_deinit(at_text *t);

/* ---- What the writers and readers of text share ---- */

/* Numbers have a point whatever the program's locale says, in and out. */
enum { AT_NUMBER_TEXT = 40 };
void at_number_format(char out[AT_NUMBER_TEXT],
                      double x); /* shortest that reads back equal; "nan", "inf", "-inf" */
bool at_number_parse(double *out, const char *text); /* all of text is one number as strtod takes it */

/* Decode the character that begins at s: its length in bytes, or 0 where s is not valid UTF-8 (overlong
 * forms, surrogates and codes above 10FFFF are not). At the end of s: length 1, code 0. */
int at_utf8_decode(uint32_t *code, const char *s);

/* Write a valid code as UTF-8: how many bytes. */
int at_utf8_encode(char out[4], uint32_t code);

#endif
