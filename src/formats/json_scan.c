/* json_scan.c: JSON walked in place. Layer: formats. */
#include "formats/json_scan.h"
#include "formats/tree_internal.h"
#include <stdio.h>

void at_json_scan_init(at_json_scan *s, at_ctx *ctx, const char *text, size_t size, const char *name)
{
    at__skip_mark(&text, &size);
    *s = (at_json_scan){.ctx = ctx, .name = name, .begin = text, .at = text, .end = text + size};
    at_text_init(&s->decoded, ctx);
}

void at_json_scan_part(at_json_scan *s, const at_json_scan *whole, at_json_slice part)
{
    *s = (at_json_scan){whole->ctx, whole->name, whole->begin, part.text, part.text + part.size, {0}, false};
    at_text_init(&s->decoded, whole->ctx);
}

void at_json_scan_deinit(at_json_scan *s)
{
    at_text_deinit(&s->decoded);
}

at_status at_json_scan_fail(const at_json_scan *s, const char *fmt, ...)
{
    char what[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    int line = 1, column = 1;
    for (const char *p = s->begin; p < s->at; p++) {
        column = *p == '\n' ? 1 : column + 1;
        line += *p == '\n';
    }
    return at_fail(s->ctx, AT_E_FORMAT, "%s:%d:%d: %s", s->name, line, column, what);
}

char at_json_scan_peek(at_json_scan *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\n' || *s->at == '\t' || *s->at == '\r')) s->at++;
    return s->at < s->end ? *s->at : '\0';
}

static at_status expect(at_json_scan *s, char c)
{
    if (at_json_scan_peek(s) != c) return at_json_scan_fail(s, "'%c' expected", c);
    s->at++;
    return AT_OK;
}

at_status at_json_scan_enter(at_json_scan *s, char bracket)
{
    if (at_json_scan_peek(s) != bracket)
        return at_json_scan_fail(s, "a %s is needed here", bracket == '{' ? "map" : "list");
    s->at++;
    s->fresh = true;
    return AT_OK;
}

at_status at_json_scan_next(at_json_scan *s, bool *more, char closing)
{
    const bool first = s->fresh;
    s->fresh = false;
    *more = at_json_scan_peek(s) != closing;
    if (!*more) s->at++;
    if (!*more || first) return AT_OK;
    AT_TRY(expect(s, ','));
    return at_json_scan_peek(s) == closing ? at_json_scan_fail(s, "a value is needed behind the comma")
                                           : AT_OK;
}

/* ---- Strings ---- */

/* Four hexadecimal digits behind \u. */
static bool hex4(uint32_t *code, const char *p, const char *end)
{
    *code = 0;
    if (end - p < 4) return false;
    for (int i = 0; i < 4; i++) {
        const char c = p[i];
        const int digit = c >= '0' && c <= '9'   ? c - '0'
                          : c >= 'a' && c <= 'f' ? c - 'a' + 10
                          : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                 : -1;
        if (digit < 0) return false;
        *code = *code << 4 | (uint32_t)digit;
    }
    return true;
}

/* \uXXXX, or two of them that are a surrogate pair; *p stands behind the u. */
static at_status decode_unicode(at_json_scan *s, const char **p, const char *end)
{
    uint32_t code, low;
    s->at = *p;
    if (!hex4(&code, *p, end)) return at_json_scan_fail(s, "\\u needs four hexadecimal digits");
    *p += 4;
    if (code >= 0xd800 && code < 0xdc00) {
        if (end - *p < 6 || (*p)[0] != '\\' || (*p)[1] != 'u' || !hex4(&low, *p + 2, end) || low < 0xdc00 ||
            low > 0xdfff)
            return at_json_scan_fail(s, "half of a surrogate pair");
        *p += 6;
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    if (code == 0 || (code >= 0xdc00 && code < 0xe000))
        return at_json_scan_fail(s, "%s", code ? "half of a surrogate pair" : "NUL in a string");
    char bytes[4];
    at_text_bytes(&s->decoded, bytes, (size_t)at_utf8_encode(bytes, code));
    return AT_OK;
}

static at_status decode_escapes(at_json_scan *s, const char *p, const char *end)
{
    static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    s->decoded.size = 0;
    at_text_add(&s->decoded, "");
    while (p < end) {
        const char *plain = p;
        while (p < end && *p != '\\') p++;
        at_text_bytes(&s->decoded, plain, (size_t)(p - plain));
        if (p == end) break;
        const char c = p[1], *letter = c ? strchr(letters, c) : NULL; /* a quote at least follows */
        p += 2;
        if (letter) {
            at_text_bytes(&s->decoded, &meant[letter - letters], 1);
        } else if (c == 'u') {
            AT_TRY(decode_unicode(s, &p, end));
        } else {
            s->at = p - 1;
            return at_json_scan_fail(s, "unknown escape");
        }
    }
    return at_text_status(&s->decoded);
}

/* From the opening quote to behind the closing one; *plain: neither escapes nor anything to check. */
static at_status find_end(at_json_scan *s, const char **end, bool *escapes)
{
    *escapes = false;
    for (const char *p = s->at + 1; p < s->end;) {
        const unsigned char c = (unsigned char)*p;
        uint32_t code;
        if (c == '"') {
            *end = p;
            return AT_OK;
        }
        const int n = c == '\\' ? 2 : c < 0x80 ? (c >= ' ') : at_utf8_decode(&code, p);
        if (n == 0) {
            s->at = p;
            return at_json_scan_fail(s, "%s", c < ' ' ? "control character in a string" : "invalid UTF-8");
        }
        *escapes |= c == '\\';
        p += n;
    }
    return at_json_scan_fail(s, "this string does not end");
}

at_status at_json_scan_string(at_json_scan *s, const char **text, size_t *n)
{
    if (at_json_scan_peek(s) != '"') return at_json_scan_fail(s, "a string is needed here");
    const char *end = s->at, *first = s->at + 1;
    bool escapes;
    AT_TRY(find_end(s, &end, &escapes));
    *text = first;
    *n = (size_t)(end - first);
    if (escapes) {
        AT_TRY(decode_escapes(s, first, end));
        *text = s->decoded.data;
        *n = s->decoded.size;
    }
    s->at = end + 1;
    return AT_OK;
}

at_status at_json_scan_key(at_json_scan *s, const char **text, size_t *n)
{
    AT_TRY(at_json_scan_string(s, text, n));
    return expect(s, ':');
}

/* ---- Numbers ---- */

/* The bytes that a number may consist of, NUL-terminated. */
static at_status number_text(at_json_scan *s, char out[AT_NUMBER_TEXT])
{
    int n = 0;
    at_json_scan_peek(s);
    while (s->at + n < s->end && s->at[n] && strchr("+-0123456789.eE", s->at[n]) && n < AT_NUMBER_TEXT - 1) {
        out[n] = s->at[n];
        n++;
    }
    out[n] = '\0';
    return n ? AT_OK : at_json_scan_fail(s, "a number is needed here");
}

at_status at_json_scan_number(at_json_scan *s, double *out)
{
    char text[AT_NUMBER_TEXT];
    AT_TRY(number_text(s, text));
    if (!at_number_parse(out, text)) return at_json_scan_fail(s, "this is no number");
    s->at += strlen(text);
    return AT_OK;
}

at_status at_json_scan_whole(at_json_scan *s, int64_t *out)
{
    at_json_scan_peek(s);
    const bool negative = s->at < s->end && *s->at == '-';
    const char *digits = s->at + negative, *p = digits;
    int64_t value = 0;
    for (; p < s->end && *p >= '0' && *p <= '9' && p - digits <= 18; p++) value = 10 * value + (*p - '0');
    if (p == digits || p - digits > 18 || (p < s->end && (*p == '.' || *p == 'e' || *p == 'E')))
        return at_json_scan_fail(s, "a whole number is needed here");
    *out = negative ? -value : value;
    s->at = p;
    return AT_OK;
}

/* ---- The rest ---- */

static at_status skip_string(at_json_scan *s)
{
    const char *p = s->at + 1, *end = s->end;
    while (p < end && *p != '"') p += *p == '\\' ? 2 : 1;
    if (p >= s->end) return at_json_scan_fail(s, "this string does not end");
    s->at = p + 1;
    return AT_OK;
}

static at_status skip_brackets(at_json_scan *s)
{
    const char *first = s->at;
    int64_t depth = 0;
    do {
        if (s->at == s->end) {
            s->at = first;
            return at_json_scan_fail(s, "this bracket is not closed");
        }
        const char c = *s->at;
        if (c == '"') {
            AT_TRY(skip_string(s));
            continue;
        }
        if (c == '{' || c == '[') depth++;
        if (c == '}' || c == ']') depth--;
        s->at++;
    } while (depth > 0);
    return AT_OK;
}

at_status at_json_scan_skip(at_json_scan *s, at_json_slice *out)
{
    const char c = at_json_scan_peek(s), *first = s->at;
    if (c == '{' || c == '[')
        AT_TRY(skip_brackets(s));
    else if (c == '"')
        AT_TRY(skip_string(s));
    else
        while (s->at < s->end && *s->at && !strchr(",]} \t\r\n", *s->at)) s->at++;
    if (s->at == first) return at_json_scan_fail(s, "a value is needed here");
    if (out) *out = (at_json_slice){first, (size_t)(s->at - first)};
    return AT_OK;
}

at_status at_json_scan_end(at_json_scan *s)
{
    at_json_scan_peek(s);
    return s->at == s->end ? AT_OK : at_json_scan_fail(s, "nothing may follow here");
}
