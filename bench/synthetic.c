/* synthetic.c: networks with random weights. */
#include "bench/synthetic.h"
#include "base/text.h"
#include <stdio.h>

static at_status write_config(at_ctx *ctx, const char *folder, const char *name)
{
    at_text path, json;
    at_text_init(&path, ctx);
    at_text_init(&json, ctx);
    at_text_printf(&path, "%s/config.json", folder);
    at_text_printf(&json, "{\"architecture\":\"%s\",\"num_classes\":0,\"global_pool\":\"avg\"}\n", name);
    at_status s = at_text_status(&json);
    if (s == AT_OK) s = at_text_status(&path);
    if (s == AT_OK) s = at_file_write(ctx, path.data, json.data, json.size);
    at_text_deinit(&json);
    at_text_deinit(&path);
    return s;
}

static at_status fill_model(at_model *m, at_device *device)
{
    int cursor = 0;
    char *config = at_arena_printf(&m->arena, "%s/config.json", m->folder);
    if (!config) return AT_E_NOMEM;
    AT_TRY(at_tree_read(&m->arena, &m->config, config));
    while ((m->architecture = at_registry_next(m->ctx, "architecture", &cursor)))
        if (m->architecture->recognise(m->config, &m->layout)) break;
    AT_REQUIRE(m->ctx, m->architecture, AT_E_ARG, "%s: no such folder, and no known network's name",
               m->folder);
    AT_TRY(at_net_init(&m->net, m->ctx, device));
    if (!(m->self = at_arena_alloc(&m->arena, m->architecture->size))) return AT_E_NOMEM;
    AT_TRY(m->architecture->open(m));
    for (int i = 0; i < m->net.n_params; i++) AT_TRY(at_init_default(m, m->net.params[i], 0));
    return at_model_save(m, m->folder);
}

at_status bench_make_model(at_ctx *ctx, const char *folder)
{
    const char *slash = strrchr(folder, '/');
    at_device *device;
    at_model *m;
    AT_TRY(at_folder_make(ctx, folder));
    AT_TRY(write_config(ctx, folder, slash ? slash + 1 : folder));
    AT_TRY(at_device_open(&device, ctx, "cpu"));
    AT_NEW(ctx, m, 1);
    m->ctx = ctx;
    m->folder = folder;
    at_arena_init(&m->arena, ctx);
    const at_status s = fill_model(m, device);
    at_model_close(m);
    at_device_close(device);
    if (s != AT_OK) AT_TRY(at_folder_remove(ctx, folder));
    return s;
}
