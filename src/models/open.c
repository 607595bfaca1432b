/* open.c: from a folder to a model: recognise the architecture, let it declare its sites, bind each parameter
 * to the mapped file, and refuse what does not fit before anything runs. */
#include "models/model.h"
#include <stdio.h>
#include <stdlib.h>

static const char head_group[] = "head";

at_value *at_inputs_get(at_graph *g, const at_inputs *in, const char *name)
{
    for (int i = 0; i < in->n; i++)
        if (strcmp(in->list[i].name, name) == 0) return in->list[i].value;
    at_graph_fail(g, AT_E_UNSUPPORTED, "the network needs an input \"%s\", which this task does not give",
                  name);
    return g->error_node->out[0];
}

/* ---- Which architecture ---- */

static void list_architectures(const at_ctx *ctx, char text[256])
{
    int cursor = 0;
    size_t n = 0;
    const at_architecture *a;
    text[0] = '\0';
    while ((a = at_registry_next(ctx, "architecture", &cursor)) && n < 200)
        n += (size_t)snprintf(text + n, 256 - n, "%s%s", n ? ", " : "", a->name);
}

static at_status recognise(at_model *m)
{
    int cursor = 0;
    const at_architecture *a;
    while ((a = at_registry_next(m->ctx, "architecture", &cursor)))
        if (a->recognise(m->config, &m->layout)) {
            m->architecture = a;
            return AT_OK;
        }
    const at_tree *named = at_tree_get(m->config, "model_type");
    if (!named) named = at_tree_get(m->config, "architecture");
    char known[256];
    list_architectures(m->ctx, known);
    return at_fail(m->ctx, AT_E_UNSUPPORTED, "%s/config.json: unknown architecture \"%s\"; known are: %s",
                   m->folder, named && named->kind == AT_STRING ? named->text : "(none given)", known);
}

/* ---- Labels: id2label of Transformers, label_names of timm, else numbers ---- */

static at_status set_labels(at_model *m, int n, const char *const *labels)
{
    const char **copy = at_arena_alloc(&m->arena, (size_t)(n + 1) * sizeof *copy);
    if (!copy) return AT_E_NOMEM;
    for (int i = 0; i < n; i++)
        if (!(copy[i] =
                  labels ? at_arena_strdup(&m->arena, labels[i]) : at_arena_printf(&m->arena, "LABEL_%d", i)))
            return AT_E_NOMEM;
    m->labels = copy;
    m->n_labels = n;
    return AT_OK;
}

static at_status labels_by_id(at_model *m, const at_tree *id2label)
{
    AT_TRY(set_labels(m, (int)id2label->n, NULL));
    for (const at_tree *t = id2label->first; t; t = t->next) {
        char *end;
        const long id = strtol(t->key, &end, 10);
        AT_REQUIRE(
            m->ctx, *end == '\0' && id >= 0 && id < m->n_labels && t->kind == AT_STRING, AT_E_FORMAT,
            "%s/config.json: id2label must give a text for every number from 0 to %d, found key \"%s\"",
            m->folder, m->n_labels - 1, t->key);
        m->labels[id] = t->text;
    }
    return AT_OK;
}

static at_status labels_by_list(at_model *m, const at_tree *names)
{
    AT_TRY(set_labels(m, (int)names->n, NULL));
    int i = 0;
    for (const at_tree *t = names->first; t; t = t->next, i++) {
        AT_REQUIRE(m->ctx, t->kind == AT_STRING, AT_E_FORMAT, "%s/config.json: label_names must be texts",
                   m->folder);
        m->labels[i] = t->text;
    }
    return AT_OK;
}

static at_status read_labels(at_model *m)
{
    const at_tree *id2label = at_tree_get(m->config, "id2label"),
                  *names = at_tree_get(m->config, "label_names");
    int64_t n;
    if (id2label && id2label->kind == AT_MAP && id2label->n > 0) return labels_by_id(m, id2label);
    if (names && names->kind == AT_LIST && names->n > 0) return labels_by_list(m, names);
    AT_TRY(at_config_whole(m, &n, m->layout == AT_LAYOUT_TIMM ? "num_classes" : "num_labels", 0, 0, 1 << 20));
    return set_labels(m, (int)n, NULL);
}

static at_status read_thresholds(at_model *m)
{
    const at_tree *list = at_tree_get(m->config, "attune_thresholds");
    if (!list) return AT_OK;
    bool good = list->kind == AT_LIST && list->n > 0;
    double *x = at_arena_alloc(&m->arena, (size_t)(list->n + 1) * sizeof *x);
    if (!x) return AT_E_NOMEM;
    for (const at_tree *t = good ? list->first : NULL; t; t = t->next) {
        good = good && (t->kind == AT_NUMBER || t->kind == AT_WHOLE) && t->number > 0 && t->number <= 1;
        x[m->n_thresholds++] = t->number;
    }
    AT_REQUIRE(m->ctx, good, AT_E_FORMAT,
               "%s/config.json: attune_thresholds must be numbers above 0, at most 1", m->folder);
    m->thresholds = x;
    return AT_OK;
}

/* ---- What the head says something of ---- */

/* Does config.json name the architecture's class with a head for every token? */
static bool saved_per_token(const at_model *m)
{
    const at_tree *names = at_tree_get(m->config, "architectures");
    const at_tree *name = names && names->kind == AT_LIST ? names->first : NULL;
    const char *class = m->architecture->token_class;
    return class && name && name->kind == AT_STRING && strcmp(name->text, class) == 0;
}

static at_status choose_kind(at_model *m, at_head_kind kind)
{
    const at_architecture *a = m->architecture;
    m->head.per_token = kind == AT_HEAD_TOKEN || (kind == AT_HEAD_AS_SAVED && saved_per_token(m));
    AT_REQUIRE(m->ctx, !m->head.per_token || a->token_class, AT_E_UNSUPPORTED,
               "%s: a %s takes no output layer for every token", m->folder, a->name);
    return AT_OK;
}

/* ---- Tensors ---- */

static const at_tensor *tensor_of(const at_model *m, const char *file_name)
{
    char name[512];
    snprintf(name, sizeof name, "%s%s", m->prefix, file_name);
    const at_tensor *t = at_safetensors_find(m->weights, name);
    return t ? t : at_safetensors_find(m->weights, file_name); /* a task model's head has no prefix */
}

static bool has_prefix(const at_safetensors *f, const char *prefix)
{
    for (int64_t i = 0; i < f->n; i++)
        if (strncmp(f->tensors[i].name, prefix, strlen(prefix)) == 0) return true;
    return false;
}

static bool same_dims(const at_tensor *t, const at_shape *s)
{
    if (t->rank != s->rank) return false;
    for (int i = 0; i < s->rank; i++)
        if (t->dim[i] != s->dim[i]) return false;
    return true;
}

static at_status bind(at_model *m, at_param *p)
{
    const at_tensor *t = tensor_of(m, p->file_name);
    if (!t) {
        p->missing = true;
        return AT_OK;
    }
    char want[AT_SHAPE_TEXT], found[AT_SHAPE_TEXT];
    AT_REQUIRE(m->ctx, same_dims(t, &p->state->shape), AT_E_SHAPE,
               "%s/model.safetensors: tensor \"%s\" has shape %s, config.json implies %s", m->folder, t->name,
               at_shape_text(found, t->rank, t->dim),
               at_shape_text(want, p->state->shape.rank, p->state->shape.dim));
    if (p->part == AT_NORM_BATCHES) { /* a counter: carried along, read by nothing */
        AT_REQUIRE(m->ctx, t->dtype == AT_I64, AT_E_DTYPE,
                   "%s/model.safetensors: tensor \"%s\" is %s, must be I64", m->folder, t->name,
                   at_dtype_name(t->dtype));
        memcpy(&p->whole, t->data, sizeof p->whole);
        return AT_OK;
    }
    const at_storage *storage = at_storage_of(m->ctx, t->dtype);
    AT_REQUIRE(m->ctx, storage, AT_E_DTYPE,
               "%s/model.safetensors: tensor \"%s\" is %s; weights must be floating-point numbers", m->folder,
               t->name, at_dtype_name(t->dtype));
    return at_state_bind(m->net.store, p->state, storage, &t->data);
}

/* Poolers that the checkpoint lacks become the head's, and so does their group. */
static void claim_poolers(at_model *m)
{
    for (int i = 0; i < m->net.n_params; i++) {
        at_param *p = m->net.params[i];
        if (!p->site->is_pooler || !p->missing) continue;
        p->site->is_head = true;
        m->net.groups[p->site->group] = head_group;
    }
}

/* of_head: look at the head's parameters, too. */
static at_status check_missing(at_model *m, bool of_head)
{
    const char *first = NULL;
    int n = 0;
    for (int i = 0; i < m->net.n_params; i++) {
        const at_param *p = m->net.params[i];
        if (!p->missing || p->optional || (p->site->is_head && !of_head)) continue;
        if (!first) first = p->file_name;
        n++;
    }
    AT_REQUIRE(m->ctx, n == 0, AT_E_FORMAT,
               "%s/model.safetensors: tensor \"%s%s\" is missing%s; the file does not fit config.json",
               m->folder, m->prefix, first, n > 1 ? " (and others)" : "");
    return AT_OK;
}

static bool is_known(const at_model *m, const char *name)
{
    const size_t skip = strncmp(name, m->prefix, strlen(m->prefix)) == 0 ? strlen(m->prefix) : 0;
    const char *bare = name + skip;
    if (m->head.file && strncmp(bare, m->head.file, strlen(m->head.file)) == 0 &&
        bare[strlen(m->head.file)] == '.')
        return true;
    for (const char *const *i = m->architecture->ignored; i && *i; i++)
        if (strncmp(bare, *i, strlen(*i)) == 0) return true;
    for (int i = 0; i < m->net.n_params; i++)
        if (strcmp(m->net.params[i]->file_name, bare) == 0) return true;
    return false;
}

static at_status check_surplus(at_model *m)
{
    for (int64_t i = 0; i < m->weights->n; i++)
        AT_REQUIRE(m->ctx, is_known(m, m->weights->tensors[i].name), AT_E_FORMAT,
                   "%s/model.safetensors: tensor \"%s\" belongs to nothing in a %s of this config.json",
                   m->folder, m->weights->tensors[i].name, m->architecture->name);
    return AT_OK;
}

/* ---- Life ---- */

static at_status read_config(at_model *m)
{
    char *path = at_arena_printf(&m->arena, "%s/config.json", m->folder);
    if (!path) return AT_E_NOMEM;
    AT_TRY(at_tree_read(&m->arena, &m->config, path));
    AT_REQUIRE(m->ctx, m->config->kind == AT_MAP, AT_E_FORMAT, "%s: must hold one object", path);
    return AT_OK;
}

static at_status open_weights(at_model *m)
{
    char *path = at_arena_printf(&m->arena, "%s/model.safetensors", m->folder);
    if (!path) return AT_E_NOMEM;
    AT_TRY(at_safetensors_open(&m->weights, m->ctx, path));
    m->prefix = m->layout == AT_LAYOUT_TRANSFORMERS && m->architecture->prefix &&
                        has_prefix(m->weights, m->architecture->prefix)
                    ? m->architecture->prefix
                    : "";
    for (int i = 0; i < m->net.n_params; i++) AT_TRY(bind(m, m->net.params[i]));
    claim_poolers(m);
    AT_TRY(check_missing(m, false));
    AT_TRY(check_surplus(m));
    if (m->head.file) {
        char *weight = at_arena_printf(&m->arena, "%s.weight", m->head.file);
        if (!weight) return AT_E_NOMEM;
        m->head.in_file = m->head.per_token == saved_per_token(m) && tensor_of(m, weight) != NULL;
    }
    return AT_OK;
}

static at_status open_model(at_model *m, at_device *device, const char *folder, at_head_kind kind)
{
    if (!(m->folder = at_arena_strdup(&m->arena, folder))) return AT_E_NOMEM;
    AT_TRY(read_config(m));
    AT_TRY(recognise(m));
    AT_TRY(choose_kind(m, kind));
    AT_TRY(read_labels(m));
    AT_TRY(read_thresholds(m));
    AT_TRY(at_net_init(&m->net, m->ctx, device));
    if (!(m->self = at_arena_alloc(&m->arena, m->architecture->size))) return AT_E_NOMEM;
    AT_TRY(m->architecture->open(m));
    for (int i = m->head.first_site; i && i < m->net.n_sites; i++) m->net.sites[i]->is_head = true;
    return open_weights(m);
}

at_status at_model_open(at_model **out, at_ctx *ctx, at_device *device, const char *folder)
{
    return at_model_open_for(out, ctx, device, folder, AT_HEAD_AS_SAVED);
}

at_status at_model_open_for(at_model **out, at_ctx *ctx, at_device *device, const char *folder,
                            at_head_kind kind)
{
    *out = NULL;
    at_model *m;
    AT_NEW(ctx, m, 1);
    m->ctx = ctx;
    at_arena_init(&m->arena, ctx);
    const at_status s = open_model(m, device, folder, kind);
    if (s != AT_OK) {
        at_model_close(m);
        return s;
    }
    *out = m;
    return AT_OK;
}

void at_model_close(at_model *m)
{
    if (!m) return;
    at_net_deinit(&m->net);
    at_safetensors_close(m->ctx, m->weights);
    at_arena_deinit(&m->arena);
    at_free(m->ctx, m);
}

/* ---- Head ---- */

at_status at_model_head_group(at_model *m)
{
    m->head.first_site = m->net.n_sites;
    return at_net_group(&m->net, head_group);
}

/* The group of the head, unless layers before the last one have made it. */
static at_status begin_head(at_model *m)
{
    const char *last = m->net.groups[m->net.n_groups - 1];
    return strcmp(last, head_group) == 0 ? AT_OK : at_net_group(&m->net, head_group);
}

static at_status declare_head(at_model *m)
{
    AT_REQUIRE(m->ctx, m->head.file, AT_E_UNSUPPORTED, "%s: a %s takes no output layer", m->folder,
               m->architecture->name);
    AT_REQUIRE(m->ctx, !m->head.site, AT_E_STATE, "the head is declared already");
    AT_TRY(begin_head(m));
    AT_TRY(at_net_linear(&m->head.site, &m->net, m->head.name, m->head.file, m->head.features, m->n_labels,
                         true));
    m->head.site->is_head = true;
    return AT_OK;
}

at_status at_model_keep_head(at_model *m)
{
    AT_REQUIRE(m->ctx, m->head.in_file, AT_E_ARG, "%s has no output layer: train one first (attune train)",
               m->folder);
    AT_TRY(declare_head(m));
    AT_TRY(bind(m, m->head.site->part[AT_WEIGHT]));
    AT_TRY(bind(m, m->head.site->part[AT_BIAS]));
    return check_missing(m, true);
}

/* The layers before the last one that the checkpoint does not have. */
static at_status init_missing(at_model *m, uint64_t seed)
{
    at_status (*init)(at_model *, at_param *, uint64_t) =
        m->architecture->init ? m->architecture->init : at_init_default;
    for (int i = 0; i < m->net.n_params; i++) {
        at_param *p = m->net.params[i];
        if (p->missing && p->site->is_head) AT_TRY(init(m, p, seed));
    }
    return AT_OK;
}

at_status at_model_new_head(at_model *m, int n_labels, const char *const *labels, uint64_t seed)
{
    AT_TRY(set_labels(m, n_labels, labels));
    AT_TRY(declare_head(m));
    m->head.is_new = true;
    AT_TRY(at_init_normal(m, m->head.site->part[AT_WEIGHT], 0.01, seed));
    AT_TRY(at_init_constant(m, m->head.site->part[AT_BIAS], 0.0));
    return init_missing(m, seed);
}

static at_status scale_param(at_model *m, const at_param *p, double shift, double scale)
{
    at_real *x;
    AT_NEW(m->ctx, x, p->state->count);
    at_status s = at_state_get(m->net.store, p->state, x);
    for (int64_t i = 0; i < p->state->count; i++) x[i] = (at_real)(shift + scale * (double)x[i]);
    if (s == AT_OK) s = at_state_set(m->net.store, p->state, x);
    at_free(m->ctx, x);
    return s;
}

at_status at_model_scale_head(at_model *m, double shift, double scale)
{
    AT_TRY(scale_param(m, m->head.site->part[AT_WEIGHT], 0, scale));
    return scale_param(m, m->head.site->part[AT_BIAS], shift, scale);
}

bool at_model_has_labels(const at_model *m, int n_labels, const char *const *labels)
{
    if (!m->head.in_file || m->n_labels != n_labels) return false;
    for (int i = 0; i < n_labels && labels; i++) /* outputs of a task without classes have no names */
        if (strcmp(m->labels[i], labels[i]) != 0) return false;
    return true;
}
