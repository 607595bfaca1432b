/* yaml.c: YAML by libyaml's events into trees with line numbers. Refused with their line: duplicate keys,
 * keys that are lists or maps, anchors, aliases, tags, a second document, deep nesting. Layer: formats. Main
 * reading path: at_yaml_parse, take_event, take_scalar, close_node. */
#include "formats/tree_internal.h"
#include <stdlib.h>
#include <yaml.h>

typedef struct reader {
    at_arena *arena;
    const char *name, *text;
    size_t size;
    yaml_parser_t parser;
    at_tree *root;
    at_tree *open[AT_TREE_DEPTH]; /* lists and maps around the place of reading, outermost first */
    int depth;
    const char *key; /* of the value that comes next in open[depth - 1] */
    int key_line, documents;
    bool ended;
} reader;

static int line_of(const yaml_event_t *e)
{
    return (int)e->start_mark.line + 1;
}

static at_status refuse(const reader *r, const yaml_event_t *e, const char *why)
{
    return at_fail(r->arena->ctx, AT_E_FORMAT, "%s:%d: %s", r->name, line_of(e), why);
}

/* ---- Nodes ---- */

static bool key_expected(const reader *r)
{
    return r->depth > 0 && r->open[r->depth - 1]->kind == AT_MAP && !r->key;
}

/* Append a node where reading stands; NULL without memory. */
static at_tree *place(reader *r, at_tree_kind kind, const yaml_event_t *e)
{
    at_tree *t = at_tree_new(r->arena, kind);
    if (!t) return NULL;
    t->line = r->key ? r->key_line : line_of(e);
    t->key = r->key;
    r->key = NULL;
    if (r->depth == 0)
        r->root = t;
    else
        at_tree_add(r->arena, r->open[r->depth - 1], NULL, t); /* copies a key only: cannot fail */
    return t;
}

static at_status open_node(reader *r, at_tree_kind kind, const yaml_event_t *e)
{
    if (key_expected(r)) return refuse(r, e, "a key must be text, not a list or a map");
    at_ctx *ctx = r->arena->ctx;
    AT_REQUIRE(ctx, r->depth < AT_TREE_DEPTH, AT_E_FORMAT, "%s:%d: lists and maps are more than %d deep",
               r->name, line_of(e), AT_TREE_DEPTH);
    at_tree *t = place(r, kind, e);
    if (!t) return AT_E_NOMEM;
    r->open[r->depth++] = t;
    return AT_OK;
}

static at_status take_scalar(reader *r, const yaml_event_t *e)
{
    const bool plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    const char *value = (const char *)e->data.scalar.value;
    if (memchr(value, 0, e->data.scalar.length)) return refuse(r, e, "a NUL character in text");
    if (key_expected(r)) {
        if (plain && !*value) return refuse(r, e, "an empty key; write \"\" if that is meant");
        r->key = at_arena_strdup(r->arena, value);
        r->key_line = line_of(e);
        return r->key ? AT_OK : AT_E_NOMEM;
    }
    at_tree *t = place(r, AT_STRING, e);
    if (!t || !(t->text = at_arena_strdup(r->arena, value))) return AT_E_NOMEM;
    if (plain && at__yaml_resolve(t) == AT__YAML_TOO_LARGE)
        return at_fail(r->arena->ctx, AT_E_FORMAT, "%s:%d: the number %.64s is too large", r->name,
                       line_of(e), value);
    return AT_OK;
}

static int by_key(const void *a, const void *b)
{
    const at_tree *x = *(const at_tree *const *)a, *y = *(const at_tree *const *)b;
    const int order = strcmp(x->key, y->key);
    return order ? order : (x->line > y->line) - (x->line < y->line);
}

/* Sorting finds duplicates in n log n; a file of a million keys is no attack. */
static at_status check_keys(const reader *r, const at_tree *map)
{
    at_ctx *ctx = r->arena->ctx;
    const at_tree **sorted = at_alloc_array(ctx, map->n, sizeof *sorted), *twice = NULL, *once = NULL;
    if (!sorted) return AT_E_NOMEM;
    int64_t n = 0;
    for (const at_tree *c = map->first; c; c = c->next) sorted[n++] = c;
    qsort(sorted, (size_t)n, sizeof *sorted, by_key);
    for (int64_t i = 1; i < n; i++) {
        if (strcmp(sorted[i - 1]->key, sorted[i]->key) != 0 || (twice && twice->line <= sorted[i]->line))
            continue;
        once = sorted[i - 1];
        twice = sorted[i];
    }
    at_free(ctx, sorted);
    AT_REQUIRE(ctx, !twice, AT_E_FORMAT, "%s:%d: the key \"%.200s\" was given on line %d already", r->name,
               twice->line, twice->key, once->line);
    return AT_OK;
}

static at_status close_node(reader *r)
{
    const at_tree *t = r->open[--r->depth];
    return t->kind == AT_MAP && t->n > 1 ? check_keys(r, t) : AT_OK;
}

/* ---- Events ---- */

/* What a node carries beside its content. */
static at_status check_extras(const reader *r, const yaml_event_t *e, const yaml_char_t *anchor,
                              const yaml_char_t *tag)
{
    if (anchor) return refuse(r, e, "anchors (&name) are not supported; write the value where it is used");
    if (tag) return refuse(r, e, "tags (!name) are not supported; quote the text if it begins with \"!\"");
    return AT_OK;
}

static at_status take_event(reader *r, const yaml_event_t *e)
{
    switch (e->type) {
    case YAML_DOCUMENT_START_EVENT:
        return r->documents++ ? refuse(r, e, "a second document begins; a file holds one") : AT_OK;
    case YAML_ALIAS_EVENT:
        return refuse(r, e, "aliases (*name) are not supported; quote the text if it begins with \"*\"");
    case YAML_SCALAR_EVENT:
        AT_TRY(check_extras(r, e, e->data.scalar.anchor, e->data.scalar.tag));
        return take_scalar(r, e);
    case YAML_SEQUENCE_START_EVENT:
        AT_TRY(check_extras(r, e, e->data.sequence_start.anchor, e->data.sequence_start.tag));
        return open_node(r, AT_LIST, e);
    case YAML_MAPPING_START_EVENT:
        AT_TRY(check_extras(r, e, e->data.mapping_start.anchor, e->data.mapping_start.tag));
        return open_node(r, AT_MAP, e);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return close_node(r);
    case YAML_STREAM_END_EVENT:
        r->ended = true;
        return AT_OK;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        break;
    }
    return AT_OK;
}

/* ---- Syntax errors ---- */

/* The most frequent mistake gets its remedy, which libyaml does not know. */
static const char *hint(const reader *r, size_t line)
{
    const char *p = r->text, *end = r->text + r->size;
    while (line-- > 0 && (p = memchr(p, '\n', (size_t)(end - p)))) p++;
    while (p && p < end && *p == ' ') p++;
    return p && p < end && *p == '\t' ? "; indent with spaces, not with tabs" : "";
}

static at_status syntax_error(const reader *r)
{
    const yaml_parser_t *p = &r->parser;
    at_ctx *ctx = r->arena->ctx;
    if (p->error == YAML_MEMORY_ERROR) return at_fail(ctx, AT_E_NOMEM, "out of memory while parsing YAML");
    if (p->error == YAML_READER_ERROR) { /* knows bytes only */
        int line = 1;
        for (size_t i = 0; i < p->problem_offset && i < r->size; i++) line += r->text[i] == '\n';
        return at_fail(ctx, AT_E_FORMAT, "%s:%d: %s (byte %zu of the file)", r->name, line, p->problem,
                       p->problem_offset);
    }
    char where[128] = "";
    if (p->context)
        snprintf(where, sizeof where, " %s from line %zu on", p->context, p->context_mark.line + 1);
    return at_fail(ctx, AT_E_FORMAT, "%s:%zu:%zu: %s%s%s", r->name, p->problem_mark.line + 1,
                   p->problem_mark.column + 1, p->problem, where, hint(r, p->problem_mark.line));
}

static at_status read_events(reader *r)
{
    at_status status = AT_OK;
    while (status == AT_OK && !r->ended) {
        yaml_event_t event;
        if (!yaml_parser_parse(&r->parser, &event)) return syntax_error(r);
        status = take_event(r, &event);
        yaml_event_delete(&event);
    }
    return status;
}

at_status at_yaml_parse(at_arena *a, at_tree **out, const char *text, size_t size, const char *name)
{
    *out = NULL;
    at__skip_mark(&text, &size);
    reader r = {.arena = a, .name = name, .text = text, .size = size};
    if (!yaml_parser_initialize(&r.parser))
        return at_fail(a->ctx, AT_E_NOMEM, "out of memory while parsing YAML");
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)r.text, size);
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    const at_status status = read_events(&r);
    yaml_parser_delete(&r.parser);
    if (status != AT_OK) return status;
    if (!r.root) { /* nothing but comments */
        if (!(r.root = at_tree_new(a, AT_NULL))) return AT_E_NOMEM;
        r.root->line = 1;
    }
    *out = r.root;
    return AT_OK;
}
