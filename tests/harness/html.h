/* html.h: is this text a page, or a piece of one, that any browser shows as meant and without loading
 * anything? */
#ifndef AT_TEST_HTML_H
#define AT_TEST_HTML_H

#include "tests/harness/test.h"

enum { AT_HTML_FAULT = 256 };

/* The first fault, or NULL: tags that do not nest or close, attributes without quotes or given twice, a bare
 * & or <, a picture without alt, a script, anything that would be fetched (a src or href must be data:, or
 * the relative link of an <a>). */
const char *at_html_fault(char out[AT_HTML_FAULT], const char *html);

/* Fails the test at the first fault. */
void at_expect_html(const char *html);

#endif
