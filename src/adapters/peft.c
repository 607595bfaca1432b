/* peft.c: reading and writing PEFT's folders. */
#include "adapters/peft.h"
#include <stdio.h>

#define TENSORS "adapter_model.safetensors"
#define CONFIG  "adapter_config.json"

/* ---- Names ---- */

static const char *prefix_of(const at_site *site, const char *prefix)
{
    return prefix && !site->is_head ? prefix : "";
}

const char *at_peft_module(char out[AT_PEFT_NAME], const at_site *site, const char *prefix)
{
    const char *name = site->part[AT_WEIGHT]->file_name;
    const int n = (int)(strlen(name) - strlen(".weight"));
    snprintf(out, AT_PEFT_NAME, "%s%.*s", prefix_of(site, prefix), n, name);
    return out;
}

const char *at_peft_name(char out[AT_PEFT_NAME], const at_site *site, const char *prefix, const char *rest)
{
    const char *name = site->part[AT_WEIGHT]->file_name;
    const int n = (int)(strlen(name) - strlen(".weight"));
    snprintf(out, AT_PEFT_NAME, "base_model.model.%s%.*s.%s", prefix_of(site, prefix), n, name, rest);
    return out;
}

const char *at_peft_param_name(char out[AT_PEFT_NAME], const at_param *p, const char *prefix)
{
    snprintf(out, AT_PEFT_NAME, "base_model.model.%s%s", prefix_of(p->site, prefix), p->file_name);
    return out;
}

/* ---- Reading ---- */

static at_status read_folder(at_peft *p, const char *folder, const char *type)
{
    p->folder = at_arena_strdup(&p->arena, folder);
    char *config = at_arena_printf(&p->arena, "%s/" CONFIG, folder);
    char *tensors = at_arena_printf(&p->arena, "%s/" TENSORS, folder);
    if (!p->folder || !config || !tensors) return AT_E_NOMEM;
    AT_TRY(at_tree_read(&p->arena, &p->config, config));
    AT_REQUIRE(p->ctx, p->config->kind == AT_MAP, AT_E_FORMAT, "%s: must hold one object", config);
    const at_tree *found = at_tree_get(p->config, "peft_type");
    AT_REQUIRE(p->ctx, found && found->kind == AT_STRING, AT_E_FORMAT, "%s: peft_type is missing", config);
    AT_REQUIRE(p->ctx, strcmp(found->text, type) == 0, AT_E_UNSUPPORTED,
               "%s: peft_type is \"%s\"; what can be read here is \"%s\"", config, found->text, type);
    return at_safetensors_open(&p->tensors, p->ctx, tensors);
}

at_status at_peft_open(at_peft **out, at_ctx *ctx, const char *folder, const char *type)
{
    *out = NULL;
    at_peft *p;
    AT_NEW(ctx, p, 1);
    p->ctx = ctx;
    at_arena_init(&p->arena, ctx);
    const at_status s = read_folder(p, folder, type);
    if (s != AT_OK) {
        at_peft_close(p);
        return s;
    }
    *out = p;
    return AT_OK;
}

void at_peft_close(at_peft *p)
{
    if (!p) return;
    at_safetensors_close(p->ctx, p->tensors);
    at_arena_deinit(&p->arena);
    at_free(p->ctx, p);
}

at_status at_peft_off(const at_peft *p, const char *key)
{
    const at_tree *t = at_tree_get(p->config, key);
    const bool off = !t || t->kind == AT_NULL || (t->kind == AT_FLAG && !t->flag) ||
                     (t->kind == AT_STRING && strcmp(t->text, "none") == 0) ||
                     ((t->kind == AT_LIST || t->kind == AT_MAP) && t->n == 0);
    if (off) return AT_OK;
    const char *what = t->kind == AT_STRING ? t->text
                       : t->kind == AT_FLAG ? "true"
                                            : at_tree_kind_name(t->kind);
    return at_fail(p->ctx, AT_E_UNSUPPORTED, "%s/" CONFIG ": %s is %s, which is not supported here",
                   p->folder, key, what);
}

/* PEFT matches (.*\.)?(KEY)$ against the module's name. A key of names alone is compared as such: "." is
 * "\.", and "^" in front means the whole name. */
static at_status matches(const at_peft *p, const char *map, const char *key, const char *module, bool *out)
{
    char name[AT_PEFT_NAME];
    size_t n = 0;
    const bool whole = *key == '^';
    for (const char *k = key + whole; *k && n + 1 < sizeof name; k++) {
        if (k[0] == '\\' && k[1] == '.') k++;
        AT_REQUIRE(p->ctx, *k == '.' || !strchr("\\^$*+?()[]{}|", *k), AT_E_UNSUPPORTED,
                   "%s/" CONFIG ": the key \"%s\" of %s is a regular expression; only names of modules are "
                   "supported",
                   p->folder, key, map);
        name[n++] = *k;
    }
    name[n] = '\0';
    const size_t length = strlen(module);
    *out = strcmp(name, module) == 0 ||
           (!whole && length > n && module[length - n - 1] == '.' && strcmp(module + length - n, name) == 0);
    return AT_OK;
}

at_status at_peft_pattern(const at_peft *p, const char *key, const char *module, double *out)
{
    const at_tree *map = at_tree_get(p->config, key);
    bool match = false;
    for (const at_tree *t = map && map->kind == AT_MAP ? map->first : NULL; t && !match; t = t->next) {
        AT_REQUIRE(p->ctx, t->kind == AT_WHOLE || t->kind == AT_NUMBER, AT_E_FORMAT,
                   "%s/" CONFIG ": %s of \"%s\" must be a number", p->folder, key, t->key);
        AT_TRY(matches(p, key, t->key, module, &match));
        if (match) *out = t->number;
    }
    return AT_OK;
}

static bool same_dims(const at_tensor *t, int rank, const int64_t *dim)
{
    if (t->rank != rank) return false;
    for (int i = 0; i < rank; i++)
        if (t->dim[i] != dim[i]) return false;
    return true;
}

static at_status find(const at_peft *p, const char *name, int rank, const int64_t *dim, const at_tensor **out)
{
    char want[AT_SHAPE_TEXT], found[AT_SHAPE_TEXT];
    const at_tensor *t = at_safetensors_find(p->tensors, name);
    AT_REQUIRE(p->ctx, t, AT_E_FORMAT, "%s/" TENSORS ": tensor \"%s\" is missing", p->folder, name);
    AT_REQUIRE(p->ctx, same_dims(t, rank, dim), AT_E_SHAPE,
               "%s/" TENSORS ": tensor \"%s\" has shape %s, this network needs %s: the adapter belongs to "
               "another",
               p->folder, name, at_shape_text(found, t->rank, t->dim), at_shape_text(want, rank, dim));
    *out = t;
    return AT_OK;
}

at_status at_peft_get(const at_peft *p, const char *name, int rank, const int64_t *dim, at_real *out)
{
    const at_tensor *t = NULL;
    AT_TRY(find(p, name, rank, dim, &t));
    const at_storage *storage = at_storage_of(p->ctx, t->dtype);
    AT_REQUIRE(p->ctx, storage, AT_E_DTYPE,
               "%s/" TENSORS ": tensor \"%s\" is %s; weights must be floating-point numbers", p->folder, name,
               at_dtype_name(t->dtype));
    storage->load(out, &t->data, t->count, 0, 0, t->count);
    return AT_OK;
}

static at_status take_counter(const at_peft *p, at_param *param, const char *name)
{
    const at_tensor *t = NULL;
    AT_TRY(find(p, name, 0, NULL, &t));
    AT_REQUIRE(p->ctx, t->dtype == AT_I64, AT_E_DTYPE, "%s/" TENSORS ": tensor \"%s\" is %s, must be I64",
               p->folder, name, at_dtype_name(t->dtype));
    memcpy(&param->whole, t->data, sizeof param->whole);
    return AT_OK;
}

static at_status take_param(const at_peft *p, at_net *net, at_param *param, const char *name)
{
    const at_shape *shape = &param->state->shape;
    if (param->part == AT_NORM_BATCHES) return take_counter(p, param, name);
    at_real *values;
    AT_NEW(p->ctx, values, param->state->count);
    at_status s = at_peft_get(p, name, shape->rank, shape->dim, values);
    if (s == AT_OK) s = at_state_set(net->store, param->state, values);
    at_free(p->ctx, values);
    return s;
}

at_status at_peft_take_modules(const at_peft *p, at_net *net, const char *prefix)
{
    char name[AT_PEFT_NAME];
    for (int i = 0; i < net->n_params; i++) {
        at_param *param = net->params[i];
        if (param->part == AT_ADAPTER) continue;
        at_peft_param_name(name, param, prefix);
        if (at_safetensors_find(p->tensors, name)) AT_TRY(take_param(p, net, param, name));
    }
    return AT_OK;
}

/* ---- Writing ---- */

/* Mapped from the checkpoint, and thus what it has? */
static bool is_mapped(const at_param *p)
{
    return p->state->host[0] && !p->state->owned;
}

bool at_peft_is_module_to_save(const at_site *site)
{
    for (int i = 0; i < AT_PART_COUNT; i++) {
        const at_param *p = site->part[i];
        if (p && i != AT_ADAPTER && i != AT_NORM_BATCHES && !is_mapped(p)) return true;
    }
    return false;
}

static at_status grow(at_peft_tensors *t, at_arena *a)
{
    if (t->n & (t->n - 1)) return AT_OK; /* room doubles at powers of two */
    at_tensor *wider = at_arena_alloc(a, (size_t)(t->n ? 2 * t->n : 1) * sizeof *wider);
    if (!wider) return AT_E_NOMEM;
    if (t->n) memcpy(wider, t->list, (size_t)t->n * sizeof *wider);
    t->list = wider;
    return AT_OK;
}

static at_status add(at_peft_tensors *t, at_arena *a, const char *name, at_dtype dtype, int rank,
                     const int64_t *dim, const void *data)
{
    AT_TRY(grow(t, a));
    at_tensor *out = &t->list[t->n++];
    *out = (at_tensor){.name = at_arena_strdup(a, name), .dtype = dtype, .rank = rank, .data = data};
    for (int i = 0; i < rank; i++) out->dim[i] = dim[i];
    return out->name ? AT_OK : AT_E_NOMEM;
}

at_status at_peft_put(at_peft_tensors *t, at_arena *a, const at_net *net, const char *name,
                      const at_state *state, int rank, const int64_t *dim)
{
    at_real *values = at_arena_alloc(a, (size_t)state->count * sizeof *values);
    if (!values) return AT_E_NOMEM;
    AT_TRY(at_state_get(net->store, state, values));
    return add(t, a, name, AT_REAL, rank, dim, values);
}

static at_status put_site(at_peft_tensors *t, at_arena *a, const at_net *net, const char *prefix,
                          const at_site *site)
{
    char name[AT_PEFT_NAME];
    for (int i = 0; i < AT_PART_COUNT; i++) {
        const at_param *p = site->part[i];
        if (!p || i == AT_ADAPTER || (p->optional && p->missing)) continue;
        at_peft_param_name(name, p, prefix);
        if (i == AT_NORM_BATCHES)
            AT_TRY(add(t, a, name, AT_I64, 0, NULL, &p->whole));
        else
            AT_TRY(at_peft_put(t, a, net, name, p->state, p->state->shape.rank, p->state->shape.dim));
    }
    return AT_OK;
}

/* "MODULE" of its first parameter's "MODULE.weight". */
static at_tree *module_text(at_arena *a, const at_site *site, const char *prefix)
{
    for (int i = 0; i < AT_PART_COUNT; i++) {
        const char *name = site->part[i] ? site->part[i]->file_name : NULL;
        const char *dot = name ? strrchr(name, '.') : NULL;
        if (!dot) continue;
        char *text = at_arena_printf(a, "%s%.*s", prefix_of(site, prefix), (int)(dot - name), name);
        return text ? at_tree_string(a, text) : NULL;
    }
    return NULL;
}

at_status at_peft_put_modules(at_peft_tensors *t, at_arena *a, const at_net *net, const char *prefix,
                              at_tree *config)
{
    at_tree *names = NULL;
    for (int i = 0; i < net->n_sites; i++) {
        const at_site *site = net->sites[i];
        if (!at_peft_is_module_to_save(site)) continue;
        AT_TRY(put_site(t, a, net, prefix, site));
        if (!names) names = at_tree_new(a, AT_LIST);
        if (!at_tree_add(a, names, NULL, module_text(a, site, prefix))) return AT_E_NOMEM;
    }
    return at_tree_add(a, config, "modules_to_save", names ? names : at_tree_new(a, AT_NULL)) ? AT_OK
                                                                                              : AT_E_NOMEM;
}

/* Tensors of larger elements first: an odd number of floats would misalign a counter. */
static at_status write_tensors(at_ctx *ctx, const char *path, const at_peft_tensors *t, at_arena *a)
{
    at_tensor *sorted = at_arena_alloc(a, (size_t)t->n * sizeof *sorted);
    at_tree *metadata = at_tree_new(a, AT_MAP);
    if (!sorted || !at_tree_add(a, metadata, "format", at_tree_string(a, "pt"))) return AT_E_NOMEM;
    int64_t k = 0;
    for (size_t size = 8; size; size /= 2)
        for (int64_t i = 0; i < t->n; i++)
            if (at_dtype_size(t->list[i].dtype) == size) sorted[k++] = t->list[i];
    return at_safetensors_write(ctx, path, sorted, t->n, metadata);
}

static at_status write_config(at_ctx *ctx, const char *path, const at_tree *config)
{
    at_text text;
    at_text_init(&text, ctx);
    at_json_write(&text, config, 2);
    at_text_add(&text, "\n");
    at_status s = at_text_status(&text);
    if (s == AT_OK) s = at_file_write(ctx, path, text.data, text.size);
    at_text_deinit(&text);
    return s;
}

at_status at_peft_write(at_ctx *ctx, const char *folder, const at_tree *config, const at_peft_tensors *t)
{
    at_arena a;
    at_arena_init(&a, ctx);
    char *tensors = at_arena_printf(&a, "%s/" TENSORS, folder),
         *json = at_arena_printf(&a, "%s/" CONFIG, folder);
    at_status s = tensors && json ? write_tensors(ctx, tensors, t, &a) : AT_E_NOMEM;
    if (s == AT_OK) s = write_config(ctx, json, config);
    at_arena_deinit(&a);
    return s;
}
