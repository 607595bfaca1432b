/* recipe.c: settings and where they came from; reading them into the structs of option tables.
 * Reading path: add_setting (every way in), find (precedence), at_recipe_read (every way out). */
#include "run/recipe.h"
#include "formats/options.h"
#include <attune.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { KEY_MAX = 128 };

/* ---- The tables ---- */

static void full_key(char out[KEY_MAX], const at_options *table, const at_option *o)
{
    snprintf(out, KEY_MAX, "%s%s%s", table->name, *table->name ? "." : "", o->key);
}

const at_option *at_option_next(const at_ctx *ctx, at_option_cursor *c, char key[KEY_MAX])
{
    for (;;) {
        if (c->option && (++c->option)->key) break;
        c->options = at_registry_next(ctx, "options", &c->table);
        if (!c->options) return NULL;
        c->option = c->options->list;
        if (c->option->key) break;
    }
    full_key(key, c->options, c->option);
    return c->option;
}

/* The option with this key or alias; key gets its full name. */
static const at_option *option_of(const at_ctx *ctx, const char *name, char key[KEY_MAX])
{
    at_option_cursor c = {0};
    const at_option *o;
    while ((o = at_option_next(ctx, &c, key)))
        if (at_option_is(o, key, name)) return o;
    return NULL;
}

static bool is_section(const at_ctx *ctx, const char *name)
{
    at_option_cursor c = {0};
    char key[KEY_MAX];
    const size_t n = strlen(name);
    while (at_option_next(ctx, &c, key))
        if (strncmp(key, name, n) == 0 && key[n] == '.') return true;
    return false;
}

static const char *last_part(const char *key)
{
    const char *dot = strrchr(key, '.');
    return dot ? dot + 1 : key;
}

typedef struct nearest_key {
    char text[KEY_MAX];
    int distance; /* above 2: none */
} nearest_key;

static void try_near(nearest_key *n, const char *name, const char *candidate, const char *meaning)
{
    const int d = at_edit_distance(name, candidate, n->distance);
    if (d >= n->distance) return;
    n->distance = d;
    snprintf(n->text, sizeof n->text, "%s", meaning);
}

/* Sections, keys, their last parts, and what other tools call them; the first of equally near ones. */
static void find_nearest(const at_recipe *r, const char *name, nearest_key *n)
{
    at_option_cursor c = {0};
    const at_option *o;
    char key[KEY_MAX], alias[KEY_MAX];
    while (at_option_next(r->ctx, &c, key))
        if (*c.options->name) try_near(n, name, c.options->name, c.options->name);
    c = (at_option_cursor){0};
    while ((o = at_option_next(r->ctx, &c, key))) {
        try_near(n, name, key, key);
        try_near(n, last_part(name), last_part(key), key);
        for (const char *p = o->aliases; p && *p; p += strcspn(p, " "), p += strspn(p, " ")) {
            snprintf(alias, sizeof alias, "%.*s", (int)strcspn(p, " "), p);
            try_near(n, name, alias, alias);
        }
    }
}

static at_status unknown_key(at_recipe *r, const char *name, const char *origin)
{
    nearest_key nearest = {.distance = 3};
    find_nearest(r, name, &nearest);
    if (*nearest.text)
        return at_fail(r->ctx, AT_E_ARG, "%s: unknown key \"%s\"; did you mean \"%s\"?", origin, name,
                       nearest.text);
    return at_fail(r->ctx, AT_E_ARG, "%s: unknown key \"%s\"; attune train --help lists the keys", origin,
                   name);
}

/* ---- Ways in ---- */

/* The first number in a value that is NaN or infinite; NULL = none. */
static const at_tree *not_finite(const at_tree *t)
{
    const at_tree *found = t->kind == AT_NUMBER && !isfinite(t->number) ? t : NULL;
    for (const at_tree *child = t->first; child && !found; child = child->next) found = not_finite(child);
    return found;
}

static at_status add_setting(at_recipe *r, const char *name, const at_tree *value, at_source source,
                             const char *origin)
{
    char key[KEY_MAX];
    if (!option_of(r->ctx, name, key)) return unknown_key(r, name, origin);
    const at_tree *bad = not_finite(value);
    AT_REQUIRE(r->ctx, !bad, AT_E_RANGE, "%s: %s %s %g; numbers must be finite", origin, key,
               bad == value ? "is" : "holds", bad->number);
    at_setting *s = at_arena_alloc(&r->arena, sizeof *s);
    if (!s || !(s->key = at_arena_strdup(&r->arena, key)) ||
        !(s->origin = at_arena_strdup(&r->arena, origin)))
        return AT_E_NOMEM;
    s->value = value;
    s->source = source;
    s->next = r->settings; /* newest first: of two flags the later wins */
    r->settings = s;
    return AT_OK;
}

/* A map of sections and keys. file: name for messages, or NULL when origin names all of it. */
static at_status add_map(at_recipe *r, const char *prefix, const at_tree *map, at_source source,
                         const char *file, const char *origin)
{
    for (const at_tree *t = map->first; t; t = t->next) {
        char name[KEY_MAX], where[512];
        snprintf(name, sizeof name, "%s%s%s", prefix, *prefix ? "." : "", t->key);
        if (file)
            snprintf(where, sizeof where, "%s:%d", file, t->line);
        else
            snprintf(where, sizeof where, "%s", origin);
        if (t->kind == AT_MAP && is_section(r->ctx, name))
            AT_TRY(add_map(r, name, t, source, file, origin));
        else
            AT_TRY(add_setting(r, name, t, source, where));
    }
    return AT_OK;
}

at_status at_recipe_create(at_recipe **out, at_ctx *ctx)
{
    *out = NULL;
    at_recipe *r;
    AT_NEW(ctx, r, 1);
    r->ctx = ctx;
    at_arena_init(&r->arena, ctx);
    *out = r;
    return AT_OK;
}

void at_recipe_destroy(at_recipe *r)
{
    if (!r) return;
    at_arena_deinit(&r->arena);
    at_free(r->ctx, r);
}

at_status at_recipe_load(at_recipe *r, const char *path)
{
    at_tree *t;
    AT_TRY(at_tree_read(&r->arena, &t, path));
    if (t->kind == AT_NULL) return AT_OK;
    AT_REQUIRE(r->ctx, t->kind == AT_MAP, AT_E_FORMAT, "%s: a recipe is a map of keys, this is %s", path,
               at_tree_kind_name(t->kind));
    return add_map(r, "", t, AT_FROM_FILE, path, NULL);
}

/* Is a flag's value the text itself, and not YAML? Paths are: "photos #2", "[old]"; null and quoted texts are
 * not. */
static bool is_plain(const at_option *o, const char *value)
{
    const bool text = o->type == AT_OPTION_TEXT || o->type == AT_OPTION_CHOICE;
    return text && *value && *value != '"' && *value != '\'' && strcmp(value, "null") != 0;
}

at_status at_recipe_set(at_recipe *r, const char *key, const char *value)
{
    char name[KEY_MAX], whole[KEY_MAX], origin[KEY_MAX + 8];
    snprintf(name, sizeof name, "%s", key);
    snprintf(origin, sizeof origin, "--%s", key);
    at_tree *t = NULL;
    const at_option *o = option_of(r->ctx, name, whole);
    if (!o) return unknown_key(r, name, origin);
    if (is_plain(o, value)) {
        if (!(t = at_tree_string(&r->arena, value))) return AT_E_NOMEM;
    } else {
        AT_TRY(at_yaml_parse(&r->arena, &t, value, strlen(value), origin));
    }
    return add_setting(r, name, t, AT_FROM_FLAG, origin);
}

void at_recipe_begin(at_recipe *r)
{
    at_setting **link = &r->settings;
    while (*link) {
        const bool stale = (*link)->source == AT_FROM_METHOD || (*link)->source == AT_FROM_RUN;
        (*link)->read = false;
        if (stale)
            *link = (*link)->next;
        else
            link = &(*link)->next;
    }
}

at_status at_recipe_decide(at_recipe *r, const char *key, at_tree *value)
{
    return value ? add_setting(r, key, value, AT_FROM_RUN, "the run") : AT_E_NOMEM;
}

static at_tree *copy(at_arena *a, const at_tree *t)
{
    at_tree *c = at_tree_new(a, t->kind);
    if (!c) return NULL;
    c->flag = t->flag;
    c->whole = t->whole;
    c->number = t->number;
    c->text = t->text ? at_arena_strdup(a, t->text) : NULL;
    for (const at_tree *child = t->first; child; child = child->next)
        at_tree_add(a, c, child->key, copy(a, child));
    return c;
}

at_status at_recipe_take(at_recipe *r, const at_recipe *from, at_source weakest, const char *except)
{
    for (const at_setting *s = from->settings; s; s = s->next) {
        if (s->source < weakest || s->source > AT_FROM_FLAG) continue;
        if (except && strcmp(s->key, except) == 0) continue;
        at_tree *value = copy(&r->arena, s->value);
        AT_TRY(value ? add_setting(r, s->key, value, s->source, s->origin) : AT_E_NOMEM);
    }
    return AT_OK;
}

/* ---- Precedence ---- */

const at_setting *at_recipe_setting(const at_recipe *r, const char *key)
{
    const at_setting *best = NULL;
    for (const at_setting *s = r->settings; s; s = s->next)
        if (strcmp(s->key, key) == 0 && s->value->kind != AT_NULL && (!best || s->source > best->source))
            best = s;
    return best;
}

bool at_recipe_is_set(const at_recipe *r, const char *key)
{
    return at_recipe_setting(r, key) != NULL;
}

const char *at_recipe_where(at_recipe *r, const char *key)
{
    const at_setting *s = at_recipe_setting(r, key);
    const char *text = at_arena_printf(&r->arena, "%s%s%s", s ? s->origin : "", s ? ": " : "", key);
    return text ? text : key;
}

/* ---- Ways out ---- */

/* The effective value: the strongest setting, else the default; NULL = absent. */
static at_status effective(at_recipe *r, const at_option *o, const char *key, const at_tree **out)
{
    const at_setting *s = at_recipe_setting(r, key);
    *out = s ? s->value : NULL;
    if (s || !o->fallback) return AT_OK;
    at_tree *t;
    AT_TRY(at_yaml_parse(&r->arena, &t, o->fallback, strlen(o->fallback), key));
    *out = t;
    return AT_OK;
}

static void mark_read(at_recipe *r, const char *key)
{
    for (at_setting *s = r->settings; s; s = s->next)
        if (strcmp(s->key, key) == 0) s->read = true;
}

static const char *where_of(void *recipe, const char *key)
{
    return at_recipe_where(recipe, key);
}

at_status at_recipe_read(at_recipe *r, const at_options *table, void *out)
{
    const at_option_reader reader = {&r->arena, where_of, r};
    for (const at_option *o = table->list; o->key; o++) {
        char key[KEY_MAX];
        const at_tree *t;
        full_key(key, table, o);
        void *member = (char *)out + o->offset;
        at_option_clear(o, member);
        mark_read(r, key);
        AT_TRY(effective(r, o, key, &t));
        if (t) AT_TRY(at_option_read(&reader, o, key, t, member));
    }
    return AT_OK;
}

/* ---- The whole ---- */

/* Put a value at a dotted key, making the sections on the way. */
static void put(at_arena *a, at_tree *root, const char *key, at_tree *value)
{
    const char *dot = strchr(key, '.');
    if (!dot) {
        at_tree_add(a, root, key, value);
        return;
    }
    char section[KEY_MAX];
    snprintf(section, sizeof section, "%.*s", (int)(dot - key), key);
    at_tree *t = root ? root->first : NULL;
    while (t && strcmp(t->key, section) != 0) t = t->next;
    if (!t) t = at_tree_add(a, root, section, at_tree_new(a, AT_MAP));
    put(a, t, dot + 1, value);
}

/* A value as every source would have it: 1 and 1.0 are one number, "10" and 10 one text. */
static at_tree *normal(at_recipe *r, const at_option *o, const at_tree *t)
{
    const bool text = o->type == AT_OPTION_TEXT || o->type == AT_OPTION_CHOICE;
    if (text && at_option_text(&r->arena, t)) return at_tree_string(&r->arena, at_option_text(&r->arena, t));
    if (o->type == AT_OPTION_REAL && t->kind == AT_WHOLE) return at_tree_number(&r->arena, t->number);
    return copy(&r->arena, t);
}

/* Does the default say the same? A recipe that a run has written names every key. */
static bool is_default(at_recipe *r, const at_setting *s)
{
    char key[KEY_MAX];
    at_tree *t;
    const at_option *o = option_of(r->ctx, s->key, key);
    if (!o->fallback || at_yaml_parse(&r->arena, &t, o->fallback, strlen(o->fallback), key) != AT_OK)
        return false;
    return at_tree_equal(normal(r, o, t), normal(r, o, s->value));
}

const at_setting *at_recipe_next_unread(at_recipe *r, const at_setting *after)
{
    const at_setting *s = after ? after->next : r->settings;
    for (; s; s = s->next) {
        const bool given = s->source == AT_FROM_FILE || s->source == AT_FROM_FLAG;
        if (given && !s->read && s->value->kind != AT_NULL && !is_default(r, s)) return s;
    }
    return NULL;
}

at_status at_recipe_tree(at_recipe *r, at_tree **out)
{
    at_tree *root = at_tree_new(&r->arena, AT_MAP);
    at_option_cursor c = {0};
    const at_option *o;
    char key[KEY_MAX];
    while ((o = at_option_next(r->ctx, &c, key))) {
        const at_tree *t;
        if (o->transient) continue;
        AT_TRY(effective(r, o, key, &t));
        if (t) put(&r->arena, root, key, normal(r, o, t));
    }
    *out = root;
    return root ? at_last_status(r->ctx) : AT_E_NOMEM;
}

const char *at_recipe_difference(at_recipe *r, const at_tree *a, const at_tree *b)
{
    at_option_cursor c = {0};
    const at_option *o;
    char key[KEY_MAX];
    while ((o = at_option_next(r->ctx, &c, key))) {
        if (o->may_change || o->transient) continue;
        if (!at_tree_equal(at_tree_at(a, key), at_tree_at(b, key))) return at_arena_strdup(&r->arena, key);
    }
    return NULL;
}

/* ---- Methods ---- */

/* The fragment's text with "{argument}" replaced. */
static char *substituted(at_recipe *r, const char *text, const char *argument)
{
    at_text t;
    at_text_init(&t, r->ctx);
    for (const char *p = text; *p;) {
        if (strncmp(p, "{argument}", 10) == 0) {
            at_text_add(&t, argument);
            p += 10;
        } else {
            at_text_bytes(&t, p++, 1);
        }
    }
    char *copy_of = at_text_status(&t) == AT_OK ? at_arena_strdup(&r->arena, t.data ? t.data : "") : NULL;
    at_text_deinit(&t);
    return copy_of;
}

static at_status find_method(at_recipe *r, const char *method, const at_method **out, char argument[32])
{
    char name[64];
    const size_t n = strcspn(method, ":");
    snprintf(name, sizeof name, "%.*s", (int)n, method);
    snprintf(argument, 32, "%s", method[n] ? method + n + 1 : "");
    *out = at_registry_find(r->ctx, "method", name);
    if (*out) return AT_OK;
    const char *nearest = at_registry_nearest(r->ctx, "method", name);
    const at_option o = {.choices_of = "method"};
    return at_fail(r->ctx, AT_E_ARG, "%s: no method is called \"%s\"%s%s%s; methods: %s",
                   at_recipe_where(r, "method"), name, nearest ? "; did you mean \"" : "",
                   nearest ? nearest : "", nearest ? "\"?" : "", at_option_choices(&r->arena, &o));
}

at_status at_recipe_apply_method(at_recipe *r, const char *method, const char *family, const at_tree **edits)
{
    const at_method *m;
    char argument[32], origin[128];
    AT_TRY(find_method(r, method, &m, argument));
    at_tree *t;
    AT_TRY(at_yaml_parse(&r->arena, &t, m->text, strlen(m->text), m->name));
    const at_tree *fallback = at_tree_get(t, "argument");
    AT_REQUIRE(r->ctx, fallback || !*argument, AT_E_ARG, "%s: method %s takes no argument, \"%s\" was given",
               at_recipe_where(r, "method"), m->name, argument);
    if (fallback) {
        char *text = substituted(r, m->text, *argument ? argument : fallback->text);
        if (!text) return AT_E_NOMEM;
        AT_TRY(at_yaml_parse(&r->arena, &t, text, strlen(text), m->name));
    }
    snprintf(origin, sizeof origin, "method %s", m->name);
    const at_tree *common = at_tree_get(t, "recipe"), *own = at_tree_get(at_tree_get(t, "families"), family);
    if (common) AT_TRY(add_map(r, "", common, AT_FROM_METHOD, NULL, origin));
    if (own) AT_TRY(add_map(r, "", own, AT_FROM_METHOD, NULL, origin));
    *edits = at_tree_get(t, "edits");
    return AT_OK;
}
