/* inspect.c: what a model folder is: architecture, layers in groups, parameters, labels. */
#include "run/figures.h"
#include "run/run.h"

typedef struct group_count {
    int64_t parameters, statistics;
} group_count;

static group_count count_group(const at_net *net, int group)
{
    group_count c = {0};
    for (int i = 0; i < net->n_params; i++) {
        const at_param *p = net->params[i];
        if (p->site->group != group) continue;
        const bool statistic =
            p->part == AT_NORM_MEAN || p->part == AT_NORM_VARIANCE || p->part == AT_NORM_BATCHES;
        *(statistic ? &c.statistics : &c.parameters) += p->state->count;
    }
    return c;
}

static const char *layout_name(const at_model *m)
{
    return m->layout == AT_LAYOUT_TIMM ? "timm" : "transformers";
}

static int64_t all_parameters(const at_net *net)
{
    int64_t n = 0;
    for (int g = 0; g < net->n_groups; g++) n += count_group(net, g).parameters;
    return n;
}

static void write_labels(const at_model *m, at_text *t)
{
    enum { SHOWN = 10 };
    char count[AT_FIGURE];
    if (!m->head.site) {
        at_text_printf(t, "output     none; the network gives %s features\n",
                       at__exact(count, m->head.features));
        return;
    }
    at_text_printf(t, "output     %s, %d labels:", m->head.name, m->n_labels);
    for (int i = 0; i < m->n_labels && i < SHOWN; i++) at_text_printf(t, "%s %s", i ? "," : "", m->labels[i]);
    at_text_add(t, m->n_labels > SHOWN ? ", ...\n" : "\n");
}

/* A layer's name without that of its group: "layer.0.conv_3x3" in layer.0 is "conv_3x3". */
static const char *name_in_group(const at_site *site, const char *group)
{
    const size_t n = strlen(group);
    return strncmp(site->name, group, n) == 0 && site->name[n] == '.' ? site->name + n + 1 : site->name;
}

/* Columns that the names of groups take. */
static int group_width(const at_net *net)
{
    int64_t width = 14;
    for (int g = 0; g < net->n_groups; g++) width = at_max(width, (int64_t)strlen(net->groups[g]));
    return (int)width;
}

/* Layers of a group but the normalisations. */
static void write_group(const at_net *net, int group, at_text *t)
{
    enum { WIDTH = 100, COUNT = 17 };
    char count[AT_FIGURE];
    const int names = group_width(net), indent = names + COUNT;
    size_t column = (size_t)indent;
    at_text_printf(t, "\n%-*s %12s   ", names, net->groups[group],
                   at__exact(count, count_group(net, group).parameters));
    for (int i = 0, n = 0; i < net->n_sites; i++) {
        const at_site *site = net->sites[i];
        if (site->group != group || site->kind == AT_SITE_NORM) continue;
        const char *name = name_in_group(site, net->groups[group]);
        const bool wrap = n > 0 && column + strlen(name) > WIDTH;
        if (wrap) at_text_printf(t, "\n%*s", indent - 1, "");
        column = (wrap ? (size_t)indent : column) + strlen(name) + 1;
        at_text_printf(t, "%s%s", n++ && !wrap ? " " : "", name);
    }
}

/* Of a run folder: how many parameters were trained; -1 = it is none, or not finished. */
static at_status read_trained(at_run *r, int64_t *out)
{
    *out = -1;
    const char *path = at_arena_printf(&r->arena, "%s/result.json", r->settings.general.model);
    if (!path) return AT_E_NOMEM;
    if (!at_path_exists(path)) return AT_OK;
    at_tree *result;
    AT_TRY(at_tree_read(&r->arena, &result, path));
    const at_tree *t = at_tree_get(result, "trainable_parameters");
    if (t && t->kind == AT_WHOLE) *out = t->whole;
    return AT_OK;
}

/* "trained    1,234 parameters; the adapters are in runs/x/adapter" */
static at_status write_trained(at_run *r, int64_t trained, at_text *t)
{
    char count[AT_FIGURE];
    if (trained < 0) return AT_OK;
    const char *adapter = at_arena_printf(&r->arena, "%s/adapter", r->settings.general.model);
    if (!adapter) return AT_E_NOMEM;
    at_text_printf(t, "trained    %s parameters", at__exact(count, trained));
    if (at_path_is_folder(adapter)) at_text_printf(t, "; the adapters are in %s", adapter);
    at_text_add(t, "\n");
    return AT_OK;
}

static at_status write_text(at_run *r, int64_t trained, at_text *t)
{
    const at_model *m = r->model;
    char count[AT_FIGURE];
    at_text_printf(t, "model      %s: %s, %s layout\n", m->folder, m->architecture->name, layout_name(m));
    at_text_printf(t, "size       %s parameters, %.2f MB\n", at__exact(count, all_parameters(&m->net)),
                   (double)m->weights->file.size / 1e6);
    AT_TRY(write_trained(r, trained, t));
    write_labels(m, t);
    at_text_printf(t, "\n%-*s %12s   layers, named after their group", group_width(&m->net), "group",
                   "parameters");
    for (int g = 0; g < m->net.n_groups; g++) write_group(&m->net, g, t);
    return AT_OK;
}

static void write_param(at_text *t, const at_param *p, const at_net *net)
{
    at_text_add(t, "{\"name\":");
    at_text_json(t, p->state->name);
    at_text_add(t, ",\"file_name\":");
    at_text_json(t, p->file_name);
    at_text_printf(t, ",\"group\":\"%s\",\"dtype\":\"%s\",\"shape\":[", net->groups[p->site->group],
                   p->state->storage ? at_dtype_name(p->state->storage->dtype[0]) : "I64");
    for (int i = 0; i < p->state->shape.rank; i++)
        at_text_printf(t, "%s%lld", i ? "," : "", (long long)p->state->shape.dim[i]);
    at_text_add(t, "]}");
}

static void write_json(const at_run *r, int64_t trained, at_text *t)
{
    const at_model *m = r->model;
    at_text_add(t, "{\"event\":\"model\",\"folder\":");
    at_text_json(t, m->folder);
    if (trained >= 0) at_text_printf(t, ",\"trained_parameters\":%lld", (long long)trained);
    at_text_printf(t,
                   ",\"architecture\":\"%s\",\"layout\":\"%s\",\"parameters\":%lld,\"head\":%s,\"features\":%"
                   "lld,\"labels\":[",
                   m->architecture->name, layout_name(m), (long long)all_parameters(&m->net),
                   m->head.site ? "true" : "false", (long long)m->head.features);
    for (int i = 0; i < m->n_labels && m->head.site; i++) {
        at_text_add(t, i ? "," : "");
        at_text_json(t, m->labels[i]);
    }
    at_text_add(t, "],\"tensors\":[");
    for (int i = 0; i < m->net.n_params; i++) {
        at_text_add(t, i ? "," : "");
        write_param(t, m->net.params[i], &m->net);
    }
    at_text_add(t, "]}");
}

static at_status inspect(at_run *r, void *unused)
{
    (void)unused;
    AT_TRY(at__look_at_model(r));
    if (r->model->head.in_file) AT_TRY(at_model_keep_head(r->model));
    int64_t trained;
    AT_TRY(read_trained(r, &trained));
    at_text text, json;
    at_text_init(&text, r->ctx);
    at_text_init(&json, r->ctx);
    const at_status s = write_text(r, trained, &text);
    write_json(r, trained, &json);
    at_event e = {.kind = AT_EVENT_PLAN};
    const at_status sent = at__emit_both(r, &e, &text, &json);
    return s == AT_OK ? sent : s;
}

at_status at_inspect(at_ctx *ctx, at_recipe *recipe, at_event_fn on_event, void *data)
{
    return at__with_run(ctx, recipe, on_event, data, inspect, NULL);
}
