/* edit.c: walking a list of edits; selectors. */
#include "adapt/edit.h"
#include "adapters/adapter.h"
#include "formats/options.h"
#include <stdlib.h>

/* ---- {ADAPTER: selector} or {ADAPTER: {sites: selector, KEY: value}} ---- */

static const char *where_of(void *edit_site, const char *key)
{
    const at_edit_site *e = edit_site;
    const char *text = at_arena_printf(&e->model->arena, "%s: %s", e->where, key);
    return text ? text : key;
}

/* The adapter's options, the edit's own over the recipe's; *sites: what is selected. */
static at_status read_options(at_edit_site *e, const at_adapter *adapter, const at_tree *value,
                              void **options, const at_tree **sites)
{
    at_arena *a = &e->model->arena;
    const at_options *table = adapter->options;
    *sites = value;
    *options = NULL;
    if (!table) return AT_OK;
    if (!(*options = at_arena_alloc(a, table->size))) return AT_E_NOMEM;
    AT_TRY(e->read ? e->read(e->recipe, table, *options) : at_options_default(a, table, *options));
    if (value->kind == AT_STRING || value->kind == AT_LIST) return AT_OK;
    AT_REQUIRE(a->ctx, value->kind == AT_MAP || value->kind == AT_NULL, AT_E_ARG,
               "%s: %s is %s, must be layers or a map of keys: {%s: {sites: \"*\"}}", e->where, adapter->name,
               at_tree_kind_name(value->kind), adapter->name);
    const at_option_reader reader = {a, where_of, e};
    AT_TRY(at_options_read(&reader, table, value, *options));
    for (const at_option *o = table->list; o->key; o++)
        if (strcmp(o->key, "sites") == 0) *sites = *(const at_tree **)((char *)*options + o->offset);
    return AT_OK;
}

/* The sites that have a selected parameter and that the adapter takes, once each. */
static at_status choose_sites(at_edit_site *e, const at_adapter *adapter, const at_tree *selector,
                              at_site **sites, int *n)
{
    const at_net *net = &e->model->net;
    bool *selected;
    AT_NEW(net->ctx, selected, net->n_params);
    const at_status s = at_select(e, selector, selected);
    *n = 0;
    for (int i = 0; i < net->n_params && s == AT_OK; i++) {
        at_site *site = net->params[i]->site;
        bool met = false; /* at one of its earlier parameters */
        for (int k = 0; k < *n; k++) met |= sites[k] == site;
        if (selected[i] && !met && (!adapter->takes || adapter->takes(site))) sites[(*n)++] = site;
    }
    at_free(net->ctx, selected);
    if (s != AT_OK) return s;
    AT_REQUIRE(net->ctx, *n > 0, AT_E_ARG, "%s: %s adapts none of the selected layers", e->where,
               adapter->name);
    return AT_OK;
}

static at_status attach(at_edit_site *e, const at_adapter *adapter, const at_tree *value)
{
    at_net *net = &e->model->net;
    at_adapter_setup setup = {.seed = e->seed, .prefix = at_model_prefix(e->model), .where = e->where};
    void *options;
    const at_tree *selector;
    int n;
    AT_TRY(read_options(e, adapter, value, &options, &selector));
    setup.options = options;
    at_site **sites;
    AT_NEW(net->ctx, sites, net->n_sites);
    at_status s = choose_sites(e, adapter, selector, sites, &n);
    if (s == AT_OK) s = at_adapter_hang(adapter, net, sites, n, &setup);
    at_free(net->ctx, sites);
    return s;
}

/* ---- A list ---- */

static at_status apply_one(at_edit_site *e, const at_tree *item)
{
    at_ctx *ctx = e->model->ctx;
    const at_tree *named = item->kind == AT_MAP ? item->first : NULL;
    AT_REQUIRE(ctx, named && item->n == 1, AT_E_ARG, "%s: each edit is a map of one key, as in {train: head}",
               e->where);
    const at_edit *edit = at_registry_find(ctx, "edit", named->key);
    if (edit) return edit->apply(e, named);
    const at_adapter *adapter = at_registry_find(ctx, "adapter", named->key);
    if (adapter) return attach(e, adapter, named);
    const char *nearest = at_registry_nearest(ctx, "edit", named->key);
    if (!nearest) nearest = at_registry_nearest(ctx, "adapter", named->key);
    return at_fail(ctx, AT_E_ARG, "%s: no edit is called \"%s\"%s%s%s", e->where, named->key,
                   nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "");
}

at_status at_edits_apply(at_edit_site *e, const at_tree *list)
{
    if (!list || list->kind == AT_NULL) return AT_OK;
    AT_REQUIRE(e->model->ctx, list->kind == AT_LIST, AT_E_ARG, "%s is %s, must be a list of edits", e->where,
               at_tree_kind_name(list->kind));
    for (const at_tree *t = list->first; t; t = t->next) AT_TRY(apply_one(e, t));
    return AT_OK;
}

/* ---- Selectors ---- */

/* "query" of "layer.0.attention.query", as PEFT's target_modules have it. */
static bool is_last_part(const char *name, const char *part)
{
    const size_t n = strlen(name), m = strlen(part);
    return n > m && name[n - m - 1] == '.' && strcmp(name + n - m, part) == 0;
}

static bool is_meant(const at_model *m, const at_param *p, const char *selector)
{
    if (strcmp(selector, "all") == 0) return true;
    if (strcmp(selector, "head") == 0) return p->site->is_head;
    return at_glob_match(selector, p->state->name) || at_glob_match(selector, p->site->name) ||
           at_glob_match(selector, m->net.groups[p->site->group]) || at_glob_match(selector, p->file_name) ||
           is_last_part(p->site->name, selector);
}

static const char *nearest_name(const at_model *m, const char *selector)
{
    const char *best = NULL;
    int best_distance = 1 << 20;
    for (int i = 0; i < m->net.n_params; i++) {
        const at_param *p = m->net.params[i];
        const char *names[] = {p->site->name, p->state->name, m->net.groups[p->site->group], p->file_name};
        for (int k = 0; k < AT_COUNT(names); k++) {
            const int d = at_edit_distance(selector, names[k], best_distance);
            if (d < best_distance) {
                best_distance = d;
                best = names[k];
            }
        }
    }
    return best ? best : "";
}

/* Groups before the head; without one, what stands behind the network's rows counts for nothing. */
static int groups_before_head(const at_model *m)
{
    int groups = 0;
    if (m->head.site) return m->net.n_groups - 1;
    for (int i = 0; i < m->net.n_sites; i++) {
        const at_site *s = m->net.sites[i];
        if (!s->is_head && !s->is_pooler) groups = (int)at_max(groups, s->group + 1);
    }
    return groups;
}

/* The head and the last n groups before it. */
static at_status select_last(at_edit_site *e, const char *text, bool *selected)
{
    at_model *m = e->model;
    char *end;
    const long n = strtol(text, &end, 10);
    const int groups = groups_before_head(m);
    AT_REQUIRE(m->ctx, *text && *end == '\0' && n >= 0 && n <= groups, AT_E_RANGE,
               "%s: last:%s must be a number of layer groups, 0 to %d (attune inspect lists them)", e->where,
               text, groups);
    for (int i = 0; i < m->net.n_params; i++)
        if (m->net.params[i]->site->group >= groups - n) selected[i] = true;
    return AT_OK;
}

static at_status select_one(at_edit_site *e, const char *selector, bool *selected)
{
    at_model *m = e->model;
    if (strncmp(selector, "last:", 5) == 0) return select_last(e, selector + 5, selected);
    if (!m->head.site && strcmp(selector, "head") == 0) return AT_OK; /* the task has none */
    bool any = false;
    for (int i = 0; i < m->net.n_params; i++)
        if (is_meant(m, m->net.params[i], selector)) any = selected[i] = true;
    AT_REQUIRE(m->ctx, any, AT_E_ARG, "%s: \"%s\" matches nothing in the network; the nearest name is \"%s\"",
               e->where, selector, nearest_name(m, selector));
    return AT_OK;
}

at_status at_select(at_edit_site *e, const at_tree *value, bool *selected)
{
    at_ctx *ctx = e->model->ctx;
    if (value && value->kind == AT_STRING) return select_one(e, value->text, selected);
    AT_REQUIRE(ctx, value && value->kind == AT_LIST, AT_E_ARG,
               "%s: layers are named by a text or a list of texts (head, all, last:N or a glob)", e->where);
    for (const at_tree *t = value->first; t; t = t->next) {
        AT_REQUIRE(ctx, t->kind == AT_STRING, AT_E_ARG, "%s: a layer's name must be a text", e->where);
        AT_TRY(select_one(e, t->text, selected));
    }
    return AT_OK;
}

at_status at_for_selected(at_edit_site *e, const at_tree *value,
                          at_status (*change)(at_edit_site *e, at_param *p, void *arg), void *arg)
{
    bool *selected;
    AT_NEW(e->model->ctx, selected, e->model->net.n_params);
    at_status s = at_select(e, value, selected);
    for (int i = 0; i < e->model->net.n_params && s == AT_OK; i++)
        if (selected[i]) s = change(e, e->model->net.params[i], arg);
    at_free(e->model->ctx, selected);
    return s;
}
