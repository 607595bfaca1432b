/* lorarig.c: networks with LoRA, their inputs, their logits. */
#include "tests/harness/lorarig.h"
#include "adapters/peft.h"
#include "engine/fuse.h"
#include "formats/options.h"
#include "ops/relu/relu.h"
#include "tests/harness/test.h"
#include <stdio.h>
#include <stdlib.h>

/* ---- Networks ---- */

at_real *at_lora_reals(at_ctx *ctx, const at_tensor *t)
{
    if (!t) fail_msg("the golden lacks a tensor");
    at_real *out = malloc((size_t)(t->count + 1) * sizeof *out);
    at_storage_of(ctx, t->dtype)->load(out, &t->data, t->count, 0, 0, t->count);
    return out;
}

const at_tensor *at_lora_golden(const at_lora_rig *t, const char *network, const char *what)
{
    char name[AT_PEFT_NAME + 64];
    snprintf(name, sizeof name, "%s.%s", network, what);
    const at_tensor *x = at_safetensors_find(t->golden, name);
    if (!x) fail_msg("the golden lacks %s", name);
    return x;
}

static void begin(at_lora_rig *t, at_ctx *ctx)
{
    *t = (at_lora_rig){.ctx = ctx};
    at_expect_ok(ctx, at_device_open(&t->device, ctx, "cpu"));
    at_expect_ok(ctx, at_safetensors_open(&t->golden, ctx, AT_LORA_GOLDEN "golden.safetensors"));
}

void at_lora_open_model(at_lora_rig *t, at_ctx *ctx, const char *folder)
{
    begin(t, ctx);
    at_expect_ok(ctx, at_model_open(&t->model, ctx, t->device, folder));
    at_expect_ok(ctx, at_model_keep_head(t->model));
    t->net = &t->model->net;
}

void at_lora_open_two_layer(at_lora_rig *t, at_ctx *ctx)
{
    at_site *site;
    begin(t, ctx);
    t->net = &t->own;
    at_expect_ok(ctx, at_net_init(t->net, ctx, t->device));
    at_expect_ok(ctx, at_net_group(t->net, "all"));
    at_expect_ok(ctx, at_net_linear(&site, t->net, "hidden", "0", 7, 33, true));
    at_expect_ok(ctx, at_net_linear(&site, t->net, "output", "2", 33, AT_LORA_CLASSES, true));
    for (int i = 0; i < t->net->n_params; i++) {
        const at_param *p = t->net->params[i];
        char name[64];
        snprintf(name, sizeof name, "base.%s", p->file_name);
        at_real *values = at_lora_reals(ctx, at_lora_golden(t, "two_layer", name));
        at_expect_ok(ctx, at_state_set(t->net->store, p->state, values));
        free(values);
    }
}

void at_lora_close(at_lora_rig *t)
{
    at_plan_destroy(t->plan);
    at_graph_destroy(t->g);
    at_safetensors_close(t->ctx, t->golden);
    if (t->model)
        at_model_close(t->model);
    else
        at_net_deinit(&t->own);
    at_device_close(t->device);
    free(t->input);
}

at_status at_lora_hang(at_lora_rig *t, const at_lora_options *o, uint64_t seed)
{
    at_adapter_setup setup = {
        .options = o, .seed = seed, .where = "edits", .prefix = t->model ? at_model_prefix(t->model) : NULL};
    at_site **sites;
    int n = 0;
    AT_NEW(t->ctx, sites, t->net->n_sites);
    for (int i = 0; i < t->net->n_sites; i++)
        if (at_adapter_lora.takes(t->net->sites[i])) sites[n++] = t->net->sites[i];
    const at_status s = at_adapter_hang(&at_adapter_lora, t->net, sites, n, &setup);
    at_free(t->ctx, sites);
    return s;
}

at_status at_lora_hang_from(at_lora_rig *t, const char *folder)
{
    return at_lora_hang(t, &(at_lora_options){.from = folder}, 0);
}

/* ---- Graphs ---- */

/* [N,C,H,W] -> [N,H,W,C] */
static at_real *channels_last(at_ctx *ctx, const at_tensor *t)
{
    const int64_t N = t->dim[0], C = t->dim[1], P = t->dim[2] * t->dim[3];
    at_real *planar = at_lora_reals(ctx, t), *out = malloc((size_t)t->count * sizeof *out);
    for (int64_t n = 0; n < N; n++)
        for (int64_t c = 0; c < C; c++)
            for (int64_t p = 0; p < P; p++) out[(n * P + p) * C + c] = planar[(n * C + c) * P + p];
    free(planar);
    return out;
}

static void begin_graph(at_lora_rig *t, at_mode mode, int rank, const int64_t *dim)
{
    const int64_t one[] = {1};
    at_net_assign_roles(t->net);
    at_expect_ok(t->ctx, at_graph_create(&t->g, t->ctx, t->net->store, mode));
    const at_extent *samples = at_graph_extent(t->g, "samples", t->n);
    t->x = at_input(t->g, "pixel_values", AT_ACT, samples, rank, dim);
    t->sample_id = at_input(t->g, "sample_id", AT_INT, samples, 1, one);
    t->labels = at_input(t->g, "labels", AT_INT, samples, 1, one);
    for (int i = 0; i < t->n; i++) t->id[i] = i;
}

void at_lora_build_model(at_lora_rig *t, at_mode mode)
{
    char path[1200];
    at_safetensors *f;
    snprintf(path, sizeof path, "%s/golden.safetensors", t->model->folder);
    at_expect_ok(t->ctx, at_safetensors_open(&f, t->ctx, path));
    const at_tensor *pixels = at_safetensors_find(f, "pixel_values"),
                    *labels = at_safetensors_find(f, "labels");
    t->n = pixels->dim[0];
    t->input = channels_last(t->ctx, pixels);
    for (int i = 0; i < t->n; i++) t->label[i] = (int32_t)((const int64_t *)labels->data)[i];
    begin_graph(t, mode, 4, (const int64_t[]){1, pixels->dim[2], pixels->dim[3], pixels->dim[1]});
    at_safetensors_close(t->ctx, f);
    const at_inputs in = {.list = {{"pixel_values", t->x}, {"sample_id", t->sample_id}}, .n = 2};
    t->output = t->model->architecture->build(t->model, t->g, &in);
    at_graph_fuse(t->g, &t->output, 1);
}

void at_lora_build_two_layer(at_lora_rig *t, at_mode mode)
{
    const at_tensor *x = at_lora_golden(t, "two_layer", "x");
    t->n = x->dim[0];
    t->input = at_lora_reals(t->ctx, x);
    memcpy(t->label, at_lora_golden(t, "two_layer", "labels")->data, (size_t)t->n * sizeof *t->label);
    begin_graph(t, mode, 2, (const int64_t[]){1, x->dim[1]});
    at_value *h = at_relu(t->g, at_site_linear(t->g, at_net_find(t->net, "hidden"), t->x));
    t->output = at_site_linear(t->g, at_net_find(t->net, "output"), h);
}

void at_lora_feed(at_lora_rig *t)
{
    at_plan_write(t->plan, t->x, t->input, t->n);
    at_plan_write(t->plan, t->sample_id, t->id, t->n);
    at_plan_write(t->plan, t->labels, t->label, t->n);
}

void at_lora_forward(at_lora_rig *t, const char *kernels, at_real out[AT_LORA_LOGITS])
{
    at_expect_ok(t->ctx, at_graph_finish(t->g));
    at_expect_ok(t->ctx, at_plan_create(
                             &t->plan, t->g,
                             &(at_plan_options){.kernels = kernels, .fetches = &t->output, .n_fetches = 1}));
    at_lora_feed(t);
    at_plan_run(t->plan, &(at_pass){.seed = 3, .extents = &t->n});
    at_plan_fetch(t->plan, t->output, out);
    at_expect_ok(t->ctx, at_plan_sync(t->plan));
}

at_lora_options at_lora_defaults(at_ctx *ctx, int64_t r)
{
    at_arena a;
    at_lora_options o;
    at_arena_init(&a, ctx);
    at_expect_ok(ctx, at_options_default(&a, &at_options_lora, &o));
    at_arena_deinit(&a);
    o.sites = NULL;
    o.r = r;
    return o;
}

void at_lora_scratch(char out[1024], const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "lora-f%d/%s", (int)sizeof(at_real) * 8, name);
    at_test_folder(out, path);
}
