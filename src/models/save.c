/* save.c: a model folder that other tools read: config.json with the labels, the tensors under the layout's
 * names, and the side files of the folder the model came from. Every file is written atomically. */
#include "models/model.h"
#include <stdio.h>

/* ---- config.json: the one that was read, with what changed put in ---- */

static at_tree *labels_by_id(at_model *m)
{
    at_tree *map = at_tree_new(&m->arena, AT_MAP);
    for (int i = 0; i < m->n_labels; i++) {
        char key[16];
        snprintf(key, sizeof key, "%d", i);
        at_tree_add(&m->arena, map, key, at_tree_string(&m->arena, m->labels[i]));
    }
    return map;
}

static at_tree *ids_by_label(at_model *m)
{
    at_tree *map = at_tree_new(&m->arena, AT_MAP);
    for (int i = 0; i < m->n_labels; i++)
        at_tree_add(&m->arena, map, m->labels[i], at_tree_whole(&m->arena, i));
    return map;
}

static at_tree *label_list(at_model *m)
{
    at_tree *list = at_tree_new(&m->arena, AT_LIST);
    for (int i = 0; i < m->n_labels; i++)
        at_tree_add(&m->arena, list, NULL, at_tree_string(&m->arena, m->labels[i]));
    return list;
}

static at_tree *copy(at_model *m, const at_tree *t)
{
    at_tree *c = at_tree_new(&m->arena, t->kind);
    if (!c) return NULL;
    c->flag = t->flag;
    c->whole = t->whole;
    c->number = t->number;
    c->text = t->text;
    for (const at_tree *child = t->first; child; child = child->next)
        at_tree_add(&m->arena, c, child->key, copy(m, child));
    return c;
}

/* The map without the keys that are about to be added. */
static at_tree *copy_without(at_model *m, const at_tree *map, const char *const *keys)
{
    at_tree *c = at_tree_new(&m->arena, AT_MAP);
    for (const at_tree *child = map->first; child; child = child->next) {
        bool dropped = false;
        for (int i = 0; keys[i]; i++) dropped |= strcmp(child->key, keys[i]) == 0;
        if (!dropped) at_tree_add(&m->arena, c, child->key, copy(m, child));
    }
    return c;
}

/* Without a head: Transformers' class of the bare network, "BertModel". */
static at_tree *bare_class(at_model *m)
{
    const char *name = m->architecture->task_class, *rest = strstr(name, "For");
    return at_tree_string(&m->arena,
                          at_arena_printf(&m->arena, "%.*sModel", rest ? (int)(rest - name) : 0, name));
}

static at_tree *config_transformers(at_model *m)
{
    static const char *const replaced[] = {"architectures", "id2label",          "label2id", "num_labels",
                                           "problem_type",  "attune_thresholds", NULL};
    at_tree *c = copy_without(m, m->config, replaced), *names = at_tree_new(&m->arena, AT_LIST);
    const at_architecture *a = m->architecture;
    at_tree_add(&m->arena, c, "architectures", names);
    if (!m->head.site) {
        at_tree_add(&m->arena, names, NULL, bare_class(m));
        return c;
    }
    at_tree_add(&m->arena, names, NULL,
                at_tree_string(&m->arena, m->head.per_token ? a->token_class : a->task_class));
    at_tree_add(&m->arena, c, "id2label", labels_by_id(m));
    at_tree_add(&m->arena, c, "label2id", ids_by_label(m));
    const char *problem = m->problem_type ? m->problem_type : "single_label_classification";
    if (!m->head.per_token) at_tree_add(&m->arena, c, "problem_type", at_tree_string(&m->arena, problem));
    return c;
}

/* The map without its classes, or an empty one, with the number that there are now. */
static at_tree *with_classes(at_model *m, const at_tree *map)
{
    static const char *const replaced[] = {"num_classes", "label_names", NULL};
    at_tree *c = map ? copy_without(m, map, replaced) : at_tree_new(&m->arena, AT_MAP);
    at_tree_add(&m->arena, c, "num_classes", at_tree_whole(&m->arena, m->n_labels));
    return c;
}

/* model_args, where there are some, win over the number beside them: timm would drop the head. */
static at_tree *config_timm(at_model *m)
{
    static const char *const replaced[] = {"num_classes",    "label_names",       "model_args",
                                           "pretrained_cfg", "attune_thresholds", NULL};
    const at_tree *args = at_tree_get(m->config, "model_args");
    at_tree *c = copy_without(m, m->config, replaced);
    at_tree_add(&m->arena, c, "num_classes", at_tree_whole(&m->arena, m->n_labels));
    at_tree_add(&m->arena, c, "label_names", label_list(m));
    if (args && args->kind == AT_MAP) at_tree_add(&m->arena, c, "model_args", with_classes(m, args));
    at_tree_add(&m->arena, c, "pretrained_cfg", with_classes(m, at_tree_get(m->config, "pretrained_cfg")));
    return c;
}

static at_tree *thresholds(at_model *m)
{
    at_tree *list = at_tree_new(&m->arena, AT_LIST);
    for (int i = 0; i < m->n_thresholds; i++)
        at_tree_add(&m->arena, list, NULL, at_tree_number(&m->arena, m->thresholds[i]));
    return list;
}

static at_status save_config(at_model *m, const char *path)
{
    at_tree *c = m->layout == AT_LAYOUT_TIMM ? config_timm(m) : config_transformers(m);
    if (m->thresholds) at_tree_add(&m->arena, c, "attune_thresholds", thresholds(m));
    at_text text;
    at_text_init(&text, m->ctx);
    if (c) at_json_write(&text, c, 2);
    at_text_add(&text, "\n");
    at_status s = c ? at_text_status(&text) : AT_E_NOMEM;
    if (s == AT_OK) s = at_file_write(m->ctx, path, text.data, text.size);
    at_text_deinit(&text);
    return s;
}

/* ---- model.safetensors ---- */

/* What the site's adapters make of the tensor: a saved model is a plain one. */
static at_status merge_adapters(at_model *m, const at_param *p, at_real *values)
{
    for (const at_intercept *i = p->site->intercepts; i; i = i->next) {
        AT_REQUIRE(m->ctx, i->merge, AT_E_UNSUPPORTED,
                   "%s: the adapter %s cannot be merged into the network's weights", p->site->name,
                   i->adapter);
        AT_TRY(i->merge(&m->net, p->site, p->part, values, i->self));
    }
    return AT_OK;
}

const char *at_model_prefix(const at_model *m)
{
    const bool wrapped = m->layout == AT_LAYOUT_TRANSFORMERS && m->head.site && m->architecture->prefix;
    return wrapped ? m->architecture->prefix : "";
}

/* Frozen tensors as they are in the file, others as 32-bit floats, which are read when they are written. */
static at_status tensor_from(at_model *m, at_tensor *t, const at_param *p)
{
    const at_state *s = p->state;
    const bool bare = p->site->is_head && !p->site->is_pooler;
    t->name = at_arena_printf(&m->arena, "%s%s", bare ? "" : at_model_prefix(m), p->file_name);
    if (!t->name) return AT_E_NOMEM;
    t->rank = s->shape.rank;
    for (int i = 0; i < t->rank; i++) t->dim[i] = s->shape.dim[i];
    if (p->part == AT_NORM_BATCHES) {
        t->dtype = AT_I64;
        t->data = &p->whole;
        return AT_OK;
    }
    if (s->host[0] && s->storage->n_buffers == 1 && !s->owned && !p->site->intercepts) {
        t->dtype = s->storage->dtype[0];
        t->data = s->host[0];
        return AT_OK;
    }
    t->dtype = AT_REAL;
    return AT_OK;
}

/* What is written, in its order. */
typedef struct bundle {
    at_model *m;
    at_tensor *tensors;
    const at_param **params;
    int64_t n;
} bundle;

/* Adapters are merged into whole tensors; what never learned lies as it was set. */
static bool is_whole(const void *from, int64_t index)
{
    const at_param *p = ((const bundle *)from)->params[index];
    return p->site->intercepts || p->state->host[0];
}

static at_status read_tensor(void *from, int64_t index, int64_t first, int64_t n, void *out)
{
    const bundle *w = from;
    const at_param *p = w->params[index];
    if (!is_whole(w, index)) return at_state_get_part(w->m->net.store, p->state, first, n, out);
    AT_TRY(at_state_get(w->m->net.store, p->state, out));
    return merge_adapters(w->m, p, out);
}

/* Tensors of larger elements first, else in their order: an odd number of floats would misalign a counter. */
static at_status add_tensors(bundle *w)
{
    const at_net *net = &w->m->net;
    for (size_t size = 8; size; size /= 2)
        for (int i = 0; i < net->n_params; i++) {
            const at_param *p = net->params[i];
            const bool of_absent_head = !w->m->head.site && p->site->is_head && !p->site->is_pooler;
            at_tensor t = {0};
            if (p->part == AT_ADAPTER || p->missing || of_absent_head) continue;
            AT_TRY(tensor_from(w->m, &t, p));
            if (at_dtype_size(t.dtype) != size) continue;
            w->params[w->n] = p;
            w->tensors[w->n++] = t;
        }
    return AT_OK;
}

static at_status save_weights(at_model *m, const char *path)
{
    bundle w = {.m = m};
    w.tensors = at_arena_alloc(&m->arena, (size_t)m->net.n_params * sizeof *w.tensors);
    w.params = at_arena_alloc(&m->arena, (size_t)m->net.n_params * sizeof *w.params);
    at_tree *metadata = at_tree_new(&m->arena, AT_MAP);
    at_tree_add(&m->arena, metadata, "format", at_tree_string(&m->arena, "pt"));
    if (!w.tensors || !w.params || !metadata) return AT_E_NOMEM;
    AT_TRY(add_tensors(&w));
    const at_tensor_source source = {read_tensor, is_whole, &w};
    return at_safetensors_write_from(m->ctx, path, w.tensors, w.n, metadata, &source);
}

static at_status copy_side_file(at_model *m, const char *folder, const char *name)
{
    char *from = at_arena_printf(&m->arena, "%s/%s", m->folder, name);
    char *to = at_arena_printf(&m->arena, "%s/%s", folder, name);
    if (!from || !to) return AT_E_NOMEM;
    if (!at_path_exists(from)) return AT_OK;
    at_file file;
    AT_TRY(at_file_map(m->ctx, &file, from));
    const at_status s = at_file_write(m->ctx, to, file.data, file.size);
    at_file_unmap(m->ctx, &file);
    return s;
}

at_status at_model_save(at_model *m, const char *folder)
{
    static const char *const side_files[] = {"preprocessor_config.json",
                                             "tokenizer.json",
                                             "tokenizer_config.json",
                                             "special_tokens_map.json",
                                             "added_tokens.json",
                                             "vocab.txt",
                                             "vocab.json",
                                             "merges.txt",
                                             "tokenizer.model",
                                             "spiece.model",
                                             "sentencepiece.bpe.model",
                                             "NOTICE",
                                             "LICENSE"};
    char *config = at_arena_printf(&m->arena, "%s/config.json", folder);
    char *weights = at_arena_printf(&m->arena, "%s/model.safetensors", folder);
    if (!config || !weights) return AT_E_NOMEM;
    for (int i = 0; i < AT_COUNT(side_files); i++) AT_TRY(copy_side_file(m, folder, side_files[i]));
    AT_TRY(save_config(m, config));
    return save_weights(m, weights);
}
