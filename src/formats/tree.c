/* tree.c: what JSON and YAML share: finding, comparing and building nodes. Layer: formats. */
#include "formats/file.h"
#include "formats/tree_internal.h"
#include <math.h>

/* ---- Reading ---- */

at_status at_tree_read(at_arena *a, at_tree **out, const char *path)
{
    *out = NULL;
    char *text;
    size_t size;
    AT_TRY(at_file_read(a->ctx, &text, &size, path, AT_TREE_LIMIT));
    const size_t n = strlen(path);
    const bool json = n >= 5 && strcmp(path + n - 5, ".json") == 0;
    const at_status status = (json ? at_json_parse : at_yaml_parse)(a, out, text, size, path);
    at_free(a->ctx, text);
    return status;
}

void at__skip_mark(const char **text, size_t *size)
{
    if (*size >= 3 && memcmp(*text, "\xef\xbb\xbf", 3) == 0) {
        *text += 3;
        *size -= 3;
    }
    if (*size == 0) *text = "";
}

/* ---- Finding ---- */

/* The child whose key is the first n bytes of `key`. */
static const at_tree *child(const at_tree *t, const char *key, size_t n)
{
    if (!t || t->kind != AT_MAP) return NULL;
    for (const at_tree *c = t->first; c; c = c->next)
        if (strncmp(c->key, key, n) == 0 && c->key[n] == '\0') return c;
    return NULL;
}

const at_tree *at_tree_get(const at_tree *t, const char *key)
{
    return child(t, key, strlen(key));
}

const at_tree *at_tree_at(const at_tree *t, const char *path)
{
    for (;;) {
        const size_t n = strcspn(path, ".");
        t = child(t, path, n);
        if (!t || !path[n]) return t;
        path += n + 1;
    }
}

const char *at_tree_kind_name(at_tree_kind kind)
{
    switch (kind) {
    case AT_NULL:
        return "nothing";
    case AT_FLAG:
        return "true or false";
    case AT_WHOLE:
        return "a whole number";
    case AT_NUMBER:
        return "a number";
    case AT_STRING:
        return "text";
    case AT_LIST:
        return "a list";
    case AT_MAP:
        return "a map";
    }
    return "unknown";
}

/* ---- Comparing ---- */

static bool same_value(const at_tree *a, const at_tree *b)
{
    switch (a->kind) {
    case AT_NULL:
        return true;
    case AT_FLAG:
        return a->flag == b->flag;
    case AT_WHOLE:
        return a->whole == b->whole;
    case AT_NUMBER:
        return a->number == b->number || (isnan(a->number) && isnan(b->number));
    case AT_STRING:
        return strcmp(a->text, b->text) == 0;
    case AT_LIST:
    case AT_MAP:
        return a->n == b->n;
    }
    return false;
}

bool at_tree_equal(const at_tree *a, const at_tree *b)
{
    if (!a || !b) return a == b;
    if (a->kind != b->kind || !same_value(a, b)) return false;
    if ((a->key || b->key) && !(a->key && b->key && strcmp(a->key, b->key) == 0)) return false;
    const at_tree *y = b->first;
    for (const at_tree *x = a->first; x; x = x->next, y = y->next)
        if (!at_tree_equal(x, y)) return false;
    return true;
}

/* ---- Building ---- */

at_tree *at_tree_new(at_arena *a, at_tree_kind kind)
{
    at_tree *t = at_arena_alloc(a, sizeof *t);
    if (t) t->kind = kind;
    return t;
}

at_tree *at_tree_add(at_arena *a, at_tree *parent, const char *key, at_tree *added)
{
    if (!parent || !added) return NULL;
    if (key && !(added->key = at_arena_strdup(a, key))) return NULL;
    if (parent->last)
        parent->last->next = added;
    else
        parent->first = added;
    parent->last = added;
    parent->n++;
    return added;
}

at_tree *at_tree_string(at_arena *a, const char *text)
{
    at_tree *t = at_tree_new(a, AT_STRING);
    return t && (t->text = at_arena_strdup(a, text)) ? t : NULL;
}

at_tree *at_tree_whole(at_arena *a, int64_t x)
{
    at_tree *t = at_tree_new(a, AT_WHOLE);
    if (t) {
        t->whole = x;
        t->number = (double)x;
    }
    return t;
}

at_tree *at_tree_number(at_arena *a, double x)
{
    at_tree *t = at_tree_new(a, AT_NUMBER);
    if (t) t->number = x;
    return t;
}

at_tree *at_tree_flag(at_arena *a, bool x)
{
    at_tree *t = at_tree_new(a, AT_FLAG);
    if (t) t->flag = x;
    return t;
}
