/* options.c: values into the structs of option tables: kinds, ranges, choices. */
#include "formats/options.h"
#include <math.h>
#include <stdio.h>

enum { KEY_MAX = 128 };

/* The same first n characters, "-" and "_" being one. */
static bool same_name(const char *a, const char *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((a[i] == '-' ? '_' : a[i]) != (b[i] == '-' ? '_' : b[i])) return false;
    return true;
}

static bool has_word(const char *words, const char *word)
{
    const size_t n = strlen(word);
    for (const char *p = words; p && *p;) {
        const size_t length = strcspn(p, " ");
        if (length == n && same_name(p, word, n)) return true;
        p += length + strspn(p + length, " ");
    }
    return false;
}

bool at_option_is(const at_option *o, const char *key, const char *name)
{
    const size_t n = strlen(key);
    return (n == strlen(name) && same_name(key, name, n)) || has_word(o->aliases, name);
}

/* ---- One value ---- */

static at_status wrong_kind(const at_option_reader *r, const char *key, const at_tree *t, const char *wanted)
{
    const bool shown = t->text && (t->kind == AT_STRING || t->kind == AT_NUMBER || t->kind == AT_WHOLE);
    return at_fail(r->arena->ctx, AT_E_ARG, "%s is %s%s%s%s, must be %s", r->where(r->from, key),
                   at_tree_kind_name(t->kind), shown ? " \"" : "", shown ? t->text : "", shown ? "\"" : "",
                   wanted);
}

static at_status check_range(const at_option_reader *r, const at_option *o, const char *key, double x)
{
    if (o->low == 0 && o->high == 0) return AT_OK;
    AT_REQUIRE(r->arena->ctx, x >= o->low && x <= o->high, AT_E_RANGE, "%s is %g, must be %g to %g",
               r->where(r->from, key), x, o->low, o->high);
    return AT_OK;
}

const char *at_option_text(at_arena *a, const at_tree *t)
{
    if (t->text) return t->text;
    if (t->kind == AT_WHOLE) return at_arena_printf(a, "%lld", (long long)t->whole);
    if (t->kind == AT_NUMBER) return at_arena_printf(a, "%.17g", t->number);
    if (t->kind == AT_FLAG) return t->flag ? "true" : "false";
    return NULL;
}

static bool is_choice(const at_option_reader *r, const at_option *o, const char *text)
{
    if (o->choices_of) return at_registry_find(r->arena->ctx, o->choices_of, text) != NULL;
    const size_t n = strlen(text);
    for (const char *p = o->choices; *p;) {
        const size_t length = strcspn(p, "|");
        if (length == n && strncmp(p, text, n) == 0) return true;
        p += length + (p[length] == '|');
    }
    return false;
}

const char *at_option_choices(at_arena *a, const at_option *o)
{
    if (!o->choices_of) return o->choices;
    const char *all = "";
    int cursor = 0;
    const void *item;
    while (all && (item = at_registry_next(a->ctx, o->choices_of, &cursor)))
        all = at_arena_printf(a, "%s%s%s", all, *all ? "|" : "", *(const char *const *)item);
    return all ? all : "";
}

static at_status read_text(const at_option_reader *r, const at_option *o, const char *key, const at_tree *t,
                           const char **out)
{
    const char *text = at_option_text(r->arena, t);
    if (!text || t->kind == AT_LIST || t->kind == AT_MAP) return wrong_kind(r, key, t, "a text");
    *out = text;
    if (o->type == AT_OPTION_TEXT || is_choice(r, o, text)) return AT_OK;
    const char *nearest = o->choices_of ? at_registry_nearest(r->arena->ctx, o->choices_of, text) : NULL;
    return at_fail(r->arena->ctx, AT_E_ARG, "%s is \"%s\", must be one of %s%s%s%s", r->where(r->from, key),
                   text, at_option_choices(r->arena, o), nearest ? "; did you mean \"" : "",
                   nearest ? nearest : "", nearest ? "\"?" : "");
}

at_status at_option_read(const at_option_reader *r, const at_option *o, const char *key, const at_tree *t,
                         void *member)
{
    switch (o->type) {
    case AT_OPTION_FLAG:
        if (t->kind != AT_FLAG) return wrong_kind(r, key, t, "true or false");
        *(bool *)member = t->flag;
        return AT_OK;
    case AT_OPTION_WHOLE:
        if (t->kind != AT_WHOLE) return wrong_kind(r, key, t, "a whole number");
        AT_TRY(check_range(r, o, key, (double)t->whole));
        *(int64_t *)member = t->whole;
        return AT_OK;
    case AT_OPTION_REAL:
        if (t->kind != AT_WHOLE && t->kind != AT_NUMBER) return wrong_kind(r, key, t, "a number");
        AT_TRY(check_range(r, o, key, t->number));
        *(double *)member = t->number;
        return AT_OK;
    case AT_OPTION_TEXT:
    case AT_OPTION_CHOICE:
        return read_text(r, o, key, t, (const char **)member);
    case AT_OPTION_TREE:
        *(const at_tree **)member = t;
        return AT_OK;
    }
    return AT_E_INTERNAL;
}

void at_option_clear(const at_option *o, void *member)
{
    switch (o->type) {
    case AT_OPTION_FLAG:
        *(bool *)member = false;
        break;
    case AT_OPTION_WHOLE:
        *(int64_t *)member = -1;
        break;
    case AT_OPTION_REAL:
        *(double *)member = NAN;
        break;
    case AT_OPTION_TEXT:
    case AT_OPTION_CHOICE:
        *(const char **)member = NULL;
        break;
    case AT_OPTION_TREE:
        *(const at_tree **)member = NULL;
        break;
    }
}

/* ---- A whole table ---- */

static const char *key_itself(void *from, const char *key)
{
    (void)from;
    return key;
}

at_status at_options_default(at_arena *a, const at_options *table, void *out)
{
    const at_option_reader r = {a, key_itself, NULL};
    for (const at_option *o = table->list; o->key; o++) {
        void *member = (char *)out + o->offset;
        at_tree *t;
        at_option_clear(o, member);
        if (!o->fallback) continue;
        AT_TRY(at_yaml_parse(a, &t, o->fallback, strlen(o->fallback), o->key));
        AT_TRY(at_option_read(&r, o, o->key, t, member));
    }
    return AT_OK;
}

static at_status unknown_key(const at_option_reader *r, const at_options *table, const char *name)
{
    const char *keys = "", *nearest = NULL;
    int distance = 3;
    for (const at_option *o = table->list; o->key && keys; o++) {
        const int d = at_edit_distance(name, o->key, distance);
        if (d < distance) nearest = o->key;
        distance = d < distance ? d : distance;
        keys = at_arena_printf(r->arena, "%s%s%s", keys, *keys ? ", " : "", o->key);
    }
    if (!keys) return AT_E_NOMEM;
    return at_fail(r->arena->ctx, AT_E_ARG, "%s: there is no key \"%s\"%s%s%s; there are %s",
                   r->where(r->from, table->name), name, nearest ? "; did you mean \"" : "",
                   nearest ? nearest : "", nearest ? "\"?" : "", keys);
}

at_status at_options_read(const at_option_reader *r, const at_options *table, const at_tree *map, void *out)
{
    for (const at_tree *t = map->first; t; t = t->next) {
        const at_option *o = table->list;
        while (o->key && !at_option_is(o, o->key, t->key)) o++;
        if (!o->key) return unknown_key(r, table, t->key);
        void *member = (char *)out + o->offset;
        if (t->kind == AT_NULL) continue; /* as if it were not there */
        char key[KEY_MAX];
        snprintf(key, sizeof key, "%s.%s", table->name, o->key);
        AT_TRY(at_option_read(r, o, key, t, member));
    }
    return AT_OK;
}
