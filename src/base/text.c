/* text.c: growing text, and the two conversions that every text format needs: numbers without locale, UTF-8.
 * A failed allocation sticks: later additions do nothing, and at_text_status says so once at the end. */
#include "base/text.h"
#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void at_text_init(at_text *t, at_ctx *ctx)
{
    *t = (at_text){.ctx = ctx};
}

void at_text_deinit(at_text *t)
{
    at_free(t->ctx, t->data);
    *t = (at_text){.ctx = t->ctx};
}

at_status at_text_status(const at_text *t)
{
    return t->failed ? AT_E_NOMEM : AT_OK;
}

/* Room for n more bytes and the NUL; doubling keeps n additions linear. */
static bool reserve(at_text *t, size_t n)
{
    enum { FIRST_ROOM = 256 };
    if (t->failed) return false;
    if (t->data && n < t->room - t->size) return true;
    const size_t half = SIZE_MAX / 2;
    char *grown = NULL;
    size_t room = t->room ? t->room : FIRST_ROOM;
    if (n < half && t->size < half - n) {
        while (room <= t->size + n) room *= 2;
        grown = at_realloc(t->ctx, t->data, t->size, room);
    } else {
        at_fail(t->ctx, AT_E_NOMEM, "a text grew beyond the address space");
    }
    t->failed = !grown;
    if (!grown) return false;
    t->data = grown;
    t->room = room;
    return true;
}

void at_text_bytes(at_text *t, const void *bytes, size_t n)
{
    if (!reserve(t, n)) return;
    if (n) memcpy(t->data + t->size, bytes, n);
    t->size += n;
    t->data[t->size] = '\0';
}

void at_text_add(at_text *t, const char *text)
{
    at_text_bytes(t, text, strlen(text));
}

void at_text_printf(at_text *t, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    const int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n >= 0 && reserve(t, (size_t)n)) {
        vsnprintf(t->data + t->size, (size_t)n + 1, fmt, again);
        t->size += (size_t)n;
    }
    va_end(again);
}

/* ---- Numbers ---- */

/* The C locale for this thread, so that neither printf nor strtod sees a decimal comma. */
static locale_t enter_c_locale(locale_t *c)
{
    *c = newlocale(LC_ALL_MASK, "C",
                   (locale_t)0); /* a static object in glibc and musl: nothing is allocated */
    return *c ? uselocale(*c) : (locale_t)0;
}

static void leave_c_locale(locale_t c, locale_t old)
{
    if (!c) return;
    uselocale(old);
    freelocale(c);
}

void at_number_format(char out[AT_NUMBER_TEXT], double x)
{
    locale_t c;
    const locale_t old = enter_c_locale(&c);
    /* Up to DBL_DIG digits survive any way through a double, so what %.15g strips of zeros is the shortest;
     * only subnormal numbers have fewer digits than that to tell apart. */
    int digits = fabs(x) < DBL_MIN ? 1 : DBL_DIG;
    do {
        snprintf(out, AT_NUMBER_TEXT, "%.*g", digits, x);
    } while (digits++ < DBL_DECIMAL_DIG && strtod(out, NULL) != x);
    leave_c_locale(c, old);
}

bool at_number_parse(double *out, const char *text)
{
    locale_t c;
    const locale_t old = enter_c_locale(&c);
    char *end;
    const double x = strtod(text, &end);
    leave_c_locale(c, old);
    if (end == text || *end) return false;
    *out = x;
    return true;
}

void at_text_number(at_text *t, double x)
{
    char number[AT_NUMBER_TEXT] = "null"; /* JSON has no other word for what is not finite */
    if (isfinite(x)) at_number_format(number, x);
    at_text_add(t, number);
}

void at_text_floats(at_text *t, const float *x, int64_t n)
{
    locale_t c;
    const locale_t old = enter_c_locale(&c);
    at_text_add(t, "[");
    for (int64_t i = 0; i < n; i++) {
        if (i) at_text_add(t, ",");
        if (isfinite(x[i]))
            at_text_printf(t, "%.*g", FLT_DECIMAL_DIG, (double)x[i]);
        else
            at_text_add(t, "null");
    }
    at_text_add(t, "]");
    leave_c_locale(c, old);
}

/* ---- Characters ---- */

int at_utf8_decode(uint32_t *code, const char *s)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000}; /* by length: smaller codes are overlong */
    const unsigned char *p = (const unsigned char *)s;
    const int n = p[0] < 0x80 ? 1 : p[0] < 0xc0 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf8 ? 4 : 0;
    if (n == 0) return 0;
    uint32_t c = n == 1 ? p[0] : p[0] & (0x7fu >> n);
    for (int i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) return 0; /* the NUL at the end is none either */
        c = c << 6 | (p[i] & 0x3fu);
    }
    if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) return 0;
    *code = c;
    return n;
}

int at_utf8_encode(char out[4], uint32_t code)
{
    const int n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (int i = n - 1; i > 0; i--, code >>= 6) out[i] = (char)(0x80 | (code & 0x3f));
    out[0] = (char)(lead[n] | code);
    return n;
}

/* How many of its first bytes stand for themselves in JSON. */
static size_t plain_bytes(const char *text)
{
    size_t n = 0;
    while (text[n] >= ' ' && text[n] < 0x7f && text[n] != '"' && text[n] != '\\') n++;
    return n;
}

void at_text_json(at_text *t, const char *text)
{
    static const char names[] = "btn\0fr"; /* what stands for codes 8 to 13; 11 has no short form */
    at_text_add(t, "\"");
    while (*text) {
        const size_t plain = plain_bytes(text);
        if (plain) at_text_bytes(t, text, plain);
        text += plain;
        if (!*text) break;
        uint32_t code = 0;
        const int n = at_utf8_decode(&code, text);
        if (n == 0) {
            at_text_add(t, "\xef\xbf\xbd"); /* U+FFFD, one for each byte that makes no sense */
        } else if (code == '"' || code == '\\') {
            at_text_printf(t, "\\%c", (int)code);
        } else if (code >= 8 && code <= 13 && names[code - 8]) {
            at_text_printf(t, "\\%c", names[code - 8]);
        } else if (code < 0x20 || code == 0x7f) {
            at_text_printf(t, "\\u%04x", (unsigned)code);
        } else {
            at_text_bytes(t, text, (size_t)n);
        }
        text += n ? n : 1;
    }
    at_text_add(t, "\"");
}

void at_text_html(at_text *t, const char *text)
{
    static const char special[] = "&<>\"'";
    static const char *const entity[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};
    while (*text) {
        const size_t n = strcspn(text, special);
        at_text_bytes(t, text, n);
        text += n;
        if (*text) at_text_add(t, entity[strchr(special, *text++) - special]);
    }
}

void at_text_base64(at_text *t, const void *bytes, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *p = bytes;
    for (size_t i = 0; i < n; i += 3) {
        const size_t left = n - i;
        const uint32_t word =
            (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (left > 2 ? p[i + 2] : 0);
        const char four[] = {digits[word >> 18], digits[word >> 12 & 63],
                             left > 1 ? digits[word >> 6 & 63] : '=', left > 2 ? digits[word & 63] : '='};
        at_text_bytes(t, four, sizeof four);
    }
}
