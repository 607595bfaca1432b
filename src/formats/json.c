/* json.c: JSON by jansson into trees, and its writer. Strict: one document, no duplicate keys, valid UTF-8,
 * and no number that would lose its value. jansson parses into nodes of its own, which are turned into ours
 * and freed: the second tree costs a fraction of the parsing and keeps the library out of everything else.
 * Layer: formats. */
#include "formats/tree_internal.h"
#include <jansson.h>
#include <math.h>

/* ---- Parsing ---- */

static at_tree *convert(at_arena *a, const json_t *j);

static at_tree *convert_object(at_arena *a, json_t *j)
{
    at_tree *t = at_tree_new(a, AT_MAP);
    for (void *i = json_object_iter(j); t && i; i = json_object_iter_next(j, i))
        if (!at_tree_add(a, t, json_object_iter_key(i), convert(a, json_object_iter_value(i)))) return NULL;
    return t;
}

static at_tree *convert_array(at_arena *a, const json_t *j)
{
    at_tree *t = at_tree_new(a, AT_LIST);
    for (size_t i = 0; t && i < json_array_size(j); i++)
        if (!at_tree_add(a, t, NULL, convert(a, json_array_get(j, i)))) return NULL;
    return t;
}

/* NULL: out of memory. The depth was checked before. */
static at_tree *convert(at_arena *a, const json_t *j)
{
    switch (json_typeof(j)) {
    case JSON_OBJECT:
        return convert_object(a, (json_t *)j); /* jansson's iterators take no const */
    case JSON_ARRAY:
        return convert_array(a, j);
    case JSON_STRING:
        return at_tree_string(a, json_string_value(j));
    case JSON_INTEGER:
        return at_tree_whole(a, json_integer_value(j));
    case JSON_REAL:
        return at_tree_number(a, json_real_value(j));
    case JSON_TRUE:
    case JSON_FALSE:
        return at_tree_flag(a, json_is_true(j));
    case JSON_NULL:
        break;
    }
    return at_tree_new(a, AT_NULL);
}

/* Nesting is limited before parsing: brackets outside strings are counted, and where they are wrong the
 * parser says so. */
static at_status check_depth(at_ctx *ctx, const char *text, size_t size, at__place where)
{
    int depth = 0, line = where.line;
    bool quoted = false;
    for (size_t i = 0; i < size; i++) {
        const char c = text[i];
        if (c == '\n') line++;
        if (c == '"') quoted = !quoted;
        if (quoted && c == '\\') i++;
        if (quoted) continue;
        if (c == ']' || c == '}') depth--;
        if (c == '[' || c == '{') depth++;
        AT_REQUIRE(ctx, depth <= AT_TREE_DEPTH, AT_E_FORMAT, "%s:%d: lists and maps are more than %d deep",
                   where.name, line, AT_TREE_DEPTH);
    }
    return AT_OK;
}

at_status at__json_parse_piece(at_arena *a, at_tree **out, const char *text, size_t size, at__place where)
{
    *out = NULL;
    AT_TRY(check_depth(a->ctx, text, size, where));
    json_error_t error = {0};
    json_t *j = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (!j &&
        (json_error_code(&error) == json_error_out_of_memory || !*error.text)) /* jansson may say nothing */
        return at_fail(a->ctx, AT_E_NOMEM, "out of memory while parsing JSON");
    if (!j)
        return at_fail(a->ctx, AT_E_FORMAT, "%s:%d:%d: %s", where.name, where.line + error.line - 1,
                       error.column + (error.line == 1 ? where.column - 1 : 0), error.text);
    *out = convert(a, j);
    json_decref(j);
    return *out ? AT_OK : AT_E_NOMEM;
}

at_status at_json_parse(at_arena *a, at_tree **out, const char *text, size_t size, const char *name)
{
    *out = NULL;
    at__skip_mark(&text, &size);
    AT_REQUIRE(a->ctx, size > 0, AT_E_FORMAT, "%s: is empty, a JSON value is needed", name);
    return at__json_parse_piece(a, out, text, size, (at__place){name, 1, 1});
}

/* ---- Writing ---- */

static void new_line(at_text *out, int spaces)
{
    at_text_printf(out, "\n%*s", spaces, "");
}

/* 1.0 stays a number with a fraction, so that it is read as one. */
static void write_number(at_text *out, double x)
{
    char number[AT_NUMBER_TEXT];
    at_number_format(number, x);
    at_text_add(out, isfinite(x) ? number : "null");
    if (isfinite(x) && !strpbrk(number, ".e")) at_text_add(out, ".0");
}

static void write(at_text *out, const at_tree *t, int indent, int column)
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
        at_text_json(out, t->text);
        return;
    case AT_LIST:
    case AT_MAP:
        break;
    }
    at_text_add(out, t->kind == AT_MAP ? "{" : "[");
    for (const at_tree *c = t->first; c; c = c->next) {
        if (c != t->first) at_text_add(out, indent ? "," : ", ");
        if (indent) new_line(out, column + indent);
        if (t->kind == AT_MAP) {
            at_text_json(out, c->key);
            at_text_add(out, ": ");
        }
        write(out, c, indent, column + indent);
    }
    if (indent && t->first) new_line(out, column);
    at_text_add(out, t->kind == AT_MAP ? "}" : "]");
}

void at_json_write(at_text *out, const at_tree *t, int indent)
{
    write(out, t, indent, 0);
    if (indent) at_text_add(out, "\n");
}
