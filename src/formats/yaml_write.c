/* yaml_write.c: trees as YAML in block style. Text stays plain only where every reader, of YAML 1.1 too,
 * takes it for text: it begins with a letter and holds nothing that could be syntax. All else is
 * double-quoted. Layer: formats. */
#include "formats/tree_internal.h"
#include <math.h>
#include <stdio.h>
#include <strings.h>

enum {
    LONGEST_KEY = 250
}; /* bytes, up to 4 characters each; libyaml takes `key:` up to 1024, more as `? key` */

/* ---- Scalars ---- */

static bool is_ascii_in(char c, const char *extra)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr(extra, c));
}

static bool stays_plain(const char *text)
{
    static const char *const words[] = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"};
    for (int i = 0; i < AT_COUNT(words); i++)
        if (strcasecmp(text, words[i]) == 0) return false;
    const char *p = text;
    if (strncmp(p, "./", 2) == 0)
        p++; /* paths: "./", "../" and "/" begin no number */
    else if (strncmp(p, "../", 3) == 0)
        p += 2;
    if (!is_ascii_in(*p, "_/") || (*p >= '0' && *p <= '9')) return false;
    while (is_ascii_in(*p, "_/.-+ ")) p++;
    return *p == '\0' && p[-1] != ' ';
}

/* Characters that libyaml neither folds as a line end nor refuses: printable, no byte-order mark. */
static bool is_printable(uint32_t c)
{
    if (c < 0xa0) return c >= 0x20 && c < 0x7f;
    return c != 0x2028 && c != 0x2029 && c != 0xfeff && c != 0xfffe && c != 0xffff;
}

static void write_quoted(at_text *out, const char *text)
{
    at_text_add(out, "\"");
    while (*text) {
        uint32_t code = 0xfffd;
        const int n = at_utf8_decode(&code, text);
        if (n == 0)
            at_text_add(out, "\xef\xbf\xbd");
        else if (code == '"' || code == '\\')
            at_text_printf(out, "\\%c", (int)code);
        else if (code == '\n' || code == '\t')
            at_text_add(out, code == '\n' ? "\\n" : "\\t");
        else if (is_printable(code))
            at_text_bytes(out, text, (size_t)n);
        else
            at_text_printf(out, code < 0x100 ? "\\x%02X" : "\\u%04X", (unsigned)code);
        text += n ? n : 1;
    }
    at_text_add(out, "\"");
}

static void write_text(at_text *out, const char *text)
{
    if (stays_plain(text))
        at_text_add(out, text);
    else
        write_quoted(out, text);
}

/* 1e-04 becomes 1.0e-04: YAML 1.1 readers take numbers without a point for text. */
static void write_number(at_text *out, double x)
{
    char number[AT_NUMBER_TEXT];
    at_number_format(number, x);
    const size_t whole = strcspn(number, ".e");
    if (isnan(x))
        at_text_add(out, ".nan");
    else if (isinf(x))
        at_text_add(out, x < 0 ? "-.inf" : ".inf");
    else
        at_text_printf(out, "%.*s%s%s", (int)whole, number, number[whole] == '.' ? "" : ".0", number + whole);
}

static void write_scalar(at_text *out, const at_tree *t)
{
    switch (t->kind) {
    case AT_NULL:
        at_text_add(out, "null");
        return;
    case AT_FLAG:
        at_text_add(out, t->flag ? "true" : "false");
        return;
    case AT_WHOLE:
        at_text_printf(out, "%lld", (long long)t->whole);
        return;
    case AT_NUMBER:
        write_number(out, t->number);
        return;
    case AT_STRING:
        write_text(out, t->text);
        return;
    case AT_LIST:
        at_text_add(out, "[]");
        return; /* only empty ones come here */
    case AT_MAP:
        at_text_add(out, "{}");
        return;
    }
}

/* ---- Blocks ---- */

static void write_block(at_text *out, const at_tree *t, int column);

static void write_key(at_text *out, const char *key, int column)
{
    const bool explicit = strlen(key) > LONGEST_KEY;
    if (explicit) at_text_add(out, "? ");
    write_text(out, key);
    if (explicit) at_text_printf(out, "\n%*s", column, "");
    at_text_add(out, ":");
}

/* A child after its "-" or "key:"; a block in a list begins on the line of its "-". */
static void write_child(at_text *out, const at_tree *c, bool in_list, int column)
{
    const bool block = c->first != NULL;
    if (!block) {
        at_text_add(out, " ");
        write_scalar(out, c);
        at_text_add(out, "\n");
    } else if (in_list) {
        at_text_add(out, " ");
        write_block(out, c, column + 2);
    } else {
        at_text_printf(out, "\n%*s", column + 2, "");
        write_block(out, c, column + 2);
    }
}

/* A list or map with children; writing stands at its column already. */
static void write_block(at_text *out, const at_tree *t, int column)
{
    for (const at_tree *c = t->first; c; c = c->next) {
        if (c != t->first) at_text_printf(out, "%*s", column, "");
        if (t->kind == AT_LIST)
            at_text_add(out, "-");
        else
            write_key(out, c->key, column);
        write_child(out, c, t->kind == AT_LIST, column);
    }
}

void at_yaml_write(at_text *out, const at_tree *t)
{
    if (t->first) {
        write_block(out, t, 0);
    } else {
        write_scalar(out, t);
        at_text_add(out, "\n");
    }
}
