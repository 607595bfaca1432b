/* inspect.c: what a model folder is: architecture, layers in groups, parameters, labels. */
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

static void write_text(const at_run *r, at_text *t)
{
    const at_model *m = r->model;
    const at_net *net = &m->net;
    at_text_printf(t, "%s: %s (%s layout), %lld parameters, %.2f MB\n", m->folder, m->architecture->name,
                   layout_name(m), (long long)all_parameters(net), (double)m->weights->file.size / 1e6);
    if (m->head.site)
        at_text_printf(t, "output layer: %s, %d labels:", m->head.name, m->n_labels);
    else
        at_text_printf(t, "output layer: none; %lld features", (long long)m->head.features);
    for (int i = 0; i < m->n_labels && i < 10 && m->head.site; i++)
        at_text_printf(t, "%s %s", i ? "," : "", m->labels[i]);
    at_text_printf(t, "%s\n\n%-14s %12s   layers", m->n_labels > 10 && m->head.site ? ", ..." : "", "group",
                   "parameters");
    for (int g = 0; g < net->n_groups; g++) {
        at_text_printf(t, "\n%-14s %12lld  ", net->groups[g], (long long)count_group(net, g).parameters);
        for (int i = 0; i < net->n_sites; i++)
            if (net->sites[i]->group == g && net->sites[i]->kind != AT_SITE_NORM)
                at_text_printf(t, " %s", net->sites[i]->name);
    }
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

static void write_json(const at_run *r, at_text *t)
{
    const at_model *m = r->model;
    at_text_add(t, "{\"event\":\"model\",\"folder\":");
    at_text_json(t, m->folder);
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

static at_status inspect(at_run *r)
{
    AT_TRY(at__look_at_model(r));
    if (r->model->head.in_file) AT_TRY(at_model_keep_head(r->model));
    at_text text, json;
    at_text_init(&text, r->ctx);
    at_text_init(&json, r->ctx);
    write_text(r, &text);
    write_json(r, &json);
    const at_status s = at_text_status(&text) == AT_OK ? at_text_status(&json) : AT_E_NOMEM;
    at_event e = {.kind = AT_EVENT_PLAN, .text = text.data};
    if (s == AT_OK)
        at__emit(r, &e, &json);
    else
        at_text_deinit(&json);
    at_text_deinit(&text);
    return s;
}

at_status at_inspect(at_ctx *ctx, at_recipe *recipe, at_event_fn on_event, void *data)
{
    at_run *r;
    AT_NEW(ctx, r, 1);
    at_status s = at__run_open(r, ctx, recipe, on_event, data);
    if (s == AT_OK) s = inspect(r);
    at__run_close(r, s);
    at_free(ctx, r);
    return s;
}
