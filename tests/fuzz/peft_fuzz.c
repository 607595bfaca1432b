/* peft_fuzz.c: any bytes as adapter_config.json and, behind a NUL byte, adapter_model.safetensors, whose LoRA
 * is hung on a small network. What can be hung is written, and read back the same. */
#include "adapters/lora.h"
#include "engine/device.h"
#include "tests/fuzz/folder_fuzz.h"

enum { SITES = 4 };

typedef struct net {
    at_device *device;
    at_net net;
} net;

/* Zeros, as if a checkpoint had been read. */
static void fill(const at_net *n)
{
    for (int i = 0; i < n->n_params; i++) {
        const at_state *s = n->params[i]->state;
        at_real *values = at_alloc_array(n->ctx, s->count, sizeof *values);
        AT_MUST(values && at_state_set(n->store, n->params[i]->state, values) == AT_OK);
        at_free(n->ctx, values);
    }
}

static void begin(net *n, at_ctx *ctx)
{
    const at_conv_shape conv = {.in = 2, .out = 3, .kernel = 3, .stride = 1, .dilation = 1, .groups = 1};
    at_site *site;
    AT_MUST(at_device_open(&n->device, ctx, "cpu") == AT_OK);
    AT_MUST(at_net_init(&n->net, ctx, n->device) == AT_OK);
    AT_MUST(at_net_group(&n->net, "all") == AT_OK);
    AT_MUST(at_net_conv(&site, &n->net, "conv", "conv", &conv) == AT_OK);
    AT_MUST(at_net_batchnorm(&site, &n->net, "norm", "norm", 3, 1e-5, 0.1) == AT_OK);
    AT_MUST(at_net_linear(&site, &n->net, "hidden", "layer.0", 3, 4, true) == AT_OK);
    AT_MUST(at_net_linear(&site, &n->net, "output", "layer.1", 4, 2, false) == AT_OK);
    fill(&n->net);
}

static void end(net *n)
{
    at_net_deinit(&n->net);
    at_device_close(n->device);
}

static at_status hang(net *n, const char *folder)
{
    const at_lora_options o = {.from = folder};
    at_adapter_setup setup = {.options = &o, .where = "edits"};
    at_site *sites[SITES];
    const at_status status = at_adapter_hang(&at_adapter_lora, &n->net, sites, 0, &setup);
    AT_MUST(setup.file == NULL);
    return status;
}

static void check_same(const net *a, const net *b)
{
    at_ctx *ctx = a->net.ctx;
    AT_MUST(a->net.n_params == b->net.n_params);
    for (int i = 0; i < a->net.n_params; i++) {
        const at_state *s = a->net.params[i]->state, *t = b->net.params[i]->state;
        AT_MUST(s->count == t->count && a->net.params[i]->whole == b->net.params[i]->whole);
        at_real *x = at_alloc_array(ctx, s->count, sizeof *x), *y = at_alloc_array(ctx, s->count, sizeof *y);
        AT_MUST(x && y);
        AT_MUST(at_state_get(a->net.store, s, x) == AT_OK && at_state_get(b->net.store, t, y) == AT_OK);
        AT_MUST(memcmp(x, y, (size_t)s->count * sizeof *x) == 0);
        at_free(ctx, y);
        at_free(ctx, x);
    }
}

static void check_written(const net *n)
{
    char folder[] = "/tmp/attune_fuzz.XXXXXX";
    net back;
    at_fuzz_make_folder(folder, NULL, 0);
    AT_MUST(at_adapter_lora.write(&n->net, &(at_adapter_folder){.path = folder, .base = "base"}) == AT_OK);
    begin(&back, n->net.ctx);
    AT_MUST(hang(&back, folder) == AT_OK);
    check_same(n, &back);
    end(&back);
    at_fuzz_remove_folder(folder);
}

/* All these are faults of the folder. */
static at_status plain(at_status s)
{
    return s == AT_E_SHAPE || s == AT_E_DTYPE || s == AT_E_RANGE || s == AT_E_ARG ? AT_E_FORMAT : s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char folder[] = "/tmp/attune_fuzz.XXXXXX";
    at_fuzz_file files[2] = {{.name = "adapter_config.json"}, {.name = "adapter_model.safetensors"}};
    at_ctx *ctx = at_fuzz_begin();
    net n;
    at_fuzz_cut(files, data, size);
    at_fuzz_make_folder(folder, files, 2);
    begin(&n, ctx);
    const at_status status = hang(&n, folder);
    if (status == AT_OK) check_written(&n);
    end(&n);
    at_fuzz_remove_folder(folder);
    at_fuzz_end(ctx, plain(status));
    return 0;
}
