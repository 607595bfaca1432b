/* lora: y' = y + s B A drop(x)        (Hu et al. 2021)
 * x [..,in], y [..,out] of a linear site, A [r,in], B [out,r], s = alpha / r, or alpha / sqrt(r) (rsLoRA,
 * Kalajdzievski 2023). A is drawn from U(-1/sqrt(in), 1/sqrt(in)), which PEFT calls Kaiming uniform with a =
 * sqrt(5); B is 0, so that y' = y at first: B learns from the first step, A from the second.
 *
 * Of a convolution A is one like it with r outputs, [r,in,kh,kw], and B is 1 x 1. What cannot be folded into
 * one product, groups, is not taken; nor is a layer that learns itself.
 *
 * Merging: W += s B A, summed in double, rounded once. Folders are PEFT's: peft.h. A layer whose rank, the
 * smaller side of W, is below r gets its own rank and the same s; rank_pattern and alpha_pattern say so. */
#include "adapters/lora.h"
#include "adapters/peft.h"
#include "base/rng.h"
#include "formats/options.h"
#include "ops/add/add.h"
#include "ops/dropout/dropout.h"
#include "ops/linear/linear.h"
#include "ops/scale/scale.h"
#include <math.h>

typedef struct lora { /* at one site */
    at_param *a, *b;
    const at_lora_options *options; /* of its edit */
    int64_t r;
    double scale;
} lora;

static int64_t outs_of(const at_site *site)
{
    return site->part[AT_WEIGHT]->state->rows;
}

static int64_t ins_of(const at_site *site) /* taps included */
{
    return site->part[AT_WEIGHT]->state->cols;
}

static int64_t rank_of(const at_site *site)
{
    return at_min(ins_of(site), outs_of(site));
}

static double scale_of(double alpha, int64_t r, bool use_rslora)
{
    return alpha / (use_rslora ? sqrt((double)r) : (double)r);
}

static bool takes(const at_site *site)
{
    const at_param *w = site->part[AT_WEIGHT];
    const bool plain = site->kind == AT_SITE_LINEAR ||
                       (site->kind == AT_SITE_CONV && site->conv.groups == 1 && site->conv.dilation == 1);
    return plain && w && !w->trainable;
}

/* A row of pixels is all that this convolution sees: it is a linear map. */
static bool is_pointwise(const at_site *site)
{
    const at_shape *w = &site->part[AT_WEIGHT]->state->shape;
    return site->kind == AT_SITE_CONV && w->dim[2] == 1 && w->dim[3] == 1 && site->conv.stride == 1;
}

/* ---- A folder to go on from ---- */

/* What is not plain LoRA on the network as it is. */
static at_status check_config(const at_peft *p, const at_net *net)
{
    static const char *const off[] = {"bias",
                                      "use_dora",
                                      "lora_bias",
                                      "fan_in_fan_out",
                                      "use_qalora",
                                      "kasa_config",
                                      "arrow_config",
                                      "layer_replication",
                                      "monteclora_config",
                                      "megatron_config",
                                      "velora_config",
                                      "alora_invocation_tokens",
                                      "target_parameters",
                                      "trainable_token_indices"};
    for (int i = 0; i < AT_COUNT(off); i++) AT_TRY(at_peft_off(p, off[i]));
    const at_tree *init = at_tree_get(p->config, "init_lora_weights");
    static const char *const moved[] = {"pissa", "olora", "loftq", "corda", "lora_ga"};
    for (int i = 0; i < AT_COUNT(moved); i++)
        AT_REQUIRE(net->ctx,
                   !init || init->kind != AT_STRING || strncmp(init->text, moved[i], strlen(moved[i])) != 0,
                   AT_E_UNSUPPORTED,
                   "%s/adapter_config.json: init_lora_weights is \"%s\": it changes the network's own "
                   "weights, which are not in this folder; convert it with PEFT first",
                   p->folder, init->text);
    return AT_OK;
}

static const char *config_key(void *folder, const char *key)
{
    (void)key;
    return folder;
}

/* r, alpha, dropout and use_rslora from adapter_config.json; absent ones are PEFT's defaults. */
static at_status read_config(const at_peft *p, at_net *net, at_lora_options *o)
{
    static const char *const keys[] = {"r", "lora_alpha", "lora_dropout", "use_rslora"};
    o->r = 8;
    o->alpha = 8;
    o->dropout = 0;
    o->use_rslora = false;
    for (int i = 0; i < AT_COUNT(keys); i++) {
        const at_tree *t = at_tree_get(p->config, keys[i]);
        char *where = at_arena_printf(&net->arena, "%s/adapter_config.json: %s", p->folder, keys[i]);
        if (!where) return AT_E_NOMEM;
        const at_option_reader reader = {&net->arena, config_key, where};
        for (const at_option *x = at_options_lora.list; t && x->key; x++)
            if (at_option_is(x, x->key, keys[i]))
                AT_TRY(at_option_read(&reader, x, keys[i], t, (char *)o + x->offset));
    }
    return AT_OK;
}

/* Every tensor must be an A or B of these sites or a parameter of the network. */
static at_status check_surplus(const at_peft *p, const at_net *net, at_site *const *sites, int n,
                               const char *prefix)
{
    static const char *const parts[] = {"lora_A.weight", "lora_B.weight"};
    char name[AT_PEFT_NAME];
    for (int64_t k = 0; k < p->tensors->n; k++) {
        const char *found = p->tensors->tensors[k].name;
        bool known = false;
        for (int i = 0; i < 2 * n && !known; i++)
            known = strcmp(found, at_peft_name(name, sites[i / 2], prefix, parts[i % 2])) == 0;
        for (int i = 0; i < net->n_params && !known; i++)
            known = strcmp(found, at_peft_param_name(name, net->params[i], prefix)) == 0;
        AT_REQUIRE(net->ctx, known, AT_E_FORMAT,
                   "%s/adapter_model.safetensors: tensor \"%s\" belongs to nothing in this network: the "
                   "adapter is another's",
                   p->folder, found);
    }
    return AT_OK;
}

/* The folder says which sites, whatever was selected. */
static at_status open_folder(at_net *net, at_site **sites, int *n_sites, at_adapter_setup *setup,
                             at_lora_options *o)
{
    at_peft *p;
    char name[AT_PEFT_NAME];
    AT_TRY(at_peft_open(&p, net->ctx, o->from, "LORA"));
    setup->file = p; /* end closes it */
    AT_TRY(check_config(p, net));
    AT_TRY(read_config(p, net, o));
    *n_sites = 0;
    for (int i = 0; i < net->n_sites; i++) {
        at_site *site = net->sites[i];
        if (site->part[AT_WEIGHT] &&
            at_safetensors_find(p->tensors, at_peft_name(name, site, setup->prefix, "lora_A.weight")))
            sites[(*n_sites)++] = site;
    }
    AT_TRY(check_surplus(p, net, sites, *n_sites, setup->prefix));
    AT_REQUIRE(net->ctx, *n_sites > 0, AT_E_FORMAT, "%s/adapter_model.safetensors: holds no LoRA", p->folder);
    return at_peft_take_modules(p, net, setup->prefix);
}

/* ---- Attaching ---- */

static at_status check_rank(const at_net *net, at_site *const *sites, int n, const at_adapter_setup *setup,
                            const at_lora_options *o)
{
    const at_site *widest = sites[0];
    for (int i = 1; i < n; i++)
        if (rank_of(sites[i]) > rank_of(widest)) widest = sites[i];
    AT_REQUIRE(net->ctx, o->r <= rank_of(widest), AT_E_RANGE,
               "%s: lora.r is %lld, larger than the layers: %s, the largest of those selected, has rank %lld",
               setup->where, (long long)o->r, widest->name, (long long)rank_of(widest));
    return AT_OK;
}

static at_status begin(at_net *net, at_site **sites, int *n_sites, at_adapter_setup *setup)
{
    at_lora_options *o = at_arena_alloc(&net->arena, sizeof *o);
    if (!o) return AT_E_NOMEM;
    if (setup->options)
        *o = *(const at_lora_options *)setup->options;
    else
        AT_TRY(at_options_default(&net->arena, &at_options_lora, o));
    setup->options = o;
    if (o->from) return open_folder(net, sites, n_sites, setup, o);
    return check_rank(net, sites, *n_sites, setup, o);
}

static void end(at_net *net, at_adapter_setup *setup)
{
    (void)net;
    at_peft_close(setup->file);
    setup->file = NULL;
}

static at_status declare(at_net *net, at_site *site, lora *l)
{
    const at_shape *w = &site->part[AT_WEIGHT]->state->shape;
    const int64_t a[] = {l->r, w->dim[1], w->dim[2], w->dim[3]}, b[] = {outs_of(site), l->r};
    const int rank = is_pointwise(site) ? 2 : w->rank;
    AT_TRY(at_net_adapter_param(&l->a, net, site, "lora_A.weight", rank, a));
    return at_net_adapter_param(&l->b, net, site, "lora_B.weight", 2, b);
}

/* The shapes of A and B in files: those of a convolution have four dimensions. */
typedef struct shapes {
    int rank;
    int64_t a[4], b[4];
} shapes;

static shapes shapes_of(const at_site *site, int64_t r)
{
    const at_shape *w = &site->part[AT_WEIGHT]->state->shape;
    return (shapes){w->rank, {r, w->dim[1], w->dim[2], w->dim[3]}, {w->dim[0], r, 1, 1}};
}

static at_status draw(at_net *net, const lora *l, uint64_t seed, at_real *a)
{
    const at_state *s = l->a->state;
    const double bound = 1 / sqrt((double)s->cols);
    const at_rng_key key = at_rng_make(seed, at_hash_name(s->name), 0);
    for (int64_t i = 0; i < s->count; i++)
        a[i] = (at_real)(bound * (2 * at_rng_uniform(key, 0, 0, (uint64_t)i) - 1));
    return at_state_set(net->store, l->a->state, a);
}

static at_status load(at_net *net, const at_site *site, const lora *l, const at_adapter_setup *setup,
                      at_real *a, at_real *b)
{
    char name[AT_PEFT_NAME];
    const shapes s = shapes_of(site, l->r);
    AT_TRY(
        at_peft_get(setup->file, at_peft_name(name, site, setup->prefix, "lora_A.weight"), s.rank, s.a, a));
    AT_TRY(
        at_peft_get(setup->file, at_peft_name(name, site, setup->prefix, "lora_B.weight"), s.rank, s.b, b));
    return at_state_set(net->store, l->a->state, a);
}

static at_status fill(at_net *net, const at_site *site, const lora *l, const at_adapter_setup *setup)
{
    at_real *a = at_alloc_array(net->ctx, l->a->state->count, sizeof *a);
    at_real *b = at_alloc_array(net->ctx, l->b->state->count, sizeof *b); /* zeros */
    at_status s = a && b ? AT_OK : AT_E_NOMEM;
    if (s == AT_OK) s = setup->file ? load(net, site, l, setup, a, b) : draw(net, l, setup->seed, a);
    if (s == AT_OK) s = at_state_set(net->store, l->b->state, b);
    at_free(net->ctx, a);
    at_free(net->ctx, b);
    return s;
}

/* Rank and scale of a site as its folder has them. */
static at_status read_pattern(const at_site *site, const at_adapter_setup *setup, lora *l)
{
    const at_lora_options *o = l->options;
    char module[AT_PEFT_NAME];
    double r = (double)o->r, alpha = o->alpha;
    at_peft_module(module, site, setup->prefix);
    AT_TRY(at_peft_pattern(setup->file, "rank_pattern", module, &r));
    AT_TRY(at_peft_pattern(setup->file, "alpha_pattern", module, &alpha));
    const at_peft *p = setup->file;
    AT_REQUIRE(p->ctx, r >= 1 && r <= 65536 && r == floor(r), AT_E_FORMAT,
               "%s/adapter_config.json: the rank_pattern of %s is %g, must be a whole number from 1 to 65536",
               p->folder, module, r);
    l->r = (int64_t)r;
    l->scale = scale_of(alpha, l->r, o->use_rslora);
    return AT_OK;
}

static at_status attach(at_net *net, at_site *site, const at_adapter_setup *setup, void **self)
{
    const at_lora_options *o = setup->options;
    lora *l = at_arena_alloc(&net->arena, sizeof *l);
    if (!l) return AT_E_NOMEM;
    l->options = o;
    l->r = at_min(o->r, rank_of(site));
    l->scale = scale_of(o->alpha, o->r, o->use_rslora);
    if (setup->file) AT_TRY(read_pattern(site, setup, l));
    AT_TRY(declare(net, site, l));
    *self = l;
    return fill(net, site, l, setup);
}

/* ---- In the graph ---- */

static at_value *down(at_graph *g, const at_site *site, at_value *x, at_value *a)
{
    if (site->kind == AT_SITE_LINEAR || is_pointwise(site)) return at_linear(g, x, a, NULL);
    return at_site_conv_with(g, site, x, a);
}

static at_value *apply(at_graph *g, const at_site *site, at_value *x, at_value *y, void *self)
{
    const lora *l = self;
    at_graph_site(g, "%s.lora", site->name);
    if (g->mode == AT_TRAIN && l->options->dropout > 0)
        x = at_dropout(g, x, at_graph_input(g, "sample_id"), l->options->dropout);
    at_value *h = at_scale(g, down(g, site, x, at_read(g, l->a->state)), l->scale);
    y = at_add(g, y, at_linear(g, h, at_read(g, l->b->state), NULL));
    at_graph_site(g, "%s", site->name);
    return y;
}

/* ---- Merging ---- */

static void add_product(at_real *w, const at_real *a, const at_real *b, const lora *l)
{
    const int64_t ins = l->a->state->cols, outs = l->b->state->rows;
    for (int64_t o = 0; o < outs; o++)
        for (int64_t i = 0; i < ins; i++) {
            double sum = 0;
            for (int64_t k = 0; k < l->r; k++) sum += (double)b[o * l->r + k] * (double)a[k * ins + i];
            w[o * ins + i] = (at_real)((double)w[o * ins + i] + l->scale * sum);
        }
}

static at_status merge(const at_net *net, const at_site *site, at_part part, at_real *values, void *self)
{
    (void)site;
    const lora *l = self;
    if (part != AT_WEIGHT) return AT_OK;
    at_real *a = at_alloc_array(net->ctx, l->a->state->count, sizeof *a);
    at_real *b = at_alloc_array(net->ctx, l->b->state->count, sizeof *b);
    at_status s = a && b ? AT_OK : AT_E_NOMEM;
    if (s == AT_OK) s = at_state_get(net->store, l->a->state, a);
    if (s == AT_OK) s = at_state_get(net->store, l->b->state, b);
    if (s == AT_OK) add_product(values, a, b, l);
    at_free(net->ctx, a);
    at_free(net->ctx, b);
    return s;
}

/* ---- Writing ---- */

static at_tree *number(at_arena *a, double x)
{
    return x == floor(x) && fabs(x) < 1e15 ? at_tree_whole(a, (int64_t)x) : at_tree_number(a, x);
}

typedef struct patterns { /* where a site differs from the first one */
    at_tree *rank, *alpha, *modules;
    const lora *first;
} patterns;

static at_status add_site(const at_net *net, const at_adapter_folder *f, const at_site *site, const lora *l,
                          at_arena *a, patterns *p, at_peft_tensors *t)
{
    char name[AT_PEFT_NAME];
    const at_lora_options *o = p->first->options;
    const shapes s = shapes_of(site, l->r);
    at_peft_module(name, site, f->prefix);
    at_tree_add(a, p->modules, NULL, at_tree_string(a, name));
    if (l->r != o->r) at_tree_add(a, p->rank, name, at_tree_whole(a, l->r));
    if (l->scale != scale_of(o->alpha, l->r, o->use_rslora))
        at_tree_add(a, p->alpha, name, number(a, l->scale / scale_of(1, l->r, o->use_rslora)));
    AT_TRY(at_peft_put(t, a, net, at_peft_name(name, site, f->prefix, "lora_A.weight"), l->a->state, s.rank,
                       s.a));
    return at_peft_put(t, a, net, at_peft_name(name, site, f->prefix, "lora_B.weight"), l->b->state, s.rank,
                       s.b);
}

/* Its keys in order, as PEFT writes them. */
static at_status write_config(const at_net *net, const at_adapter_folder *f, at_arena *a, const patterns *p,
                              at_peft_tensors *t)
{
    const at_lora_options *o = p->first->options;
    at_tree *c = at_tree_new(a, AT_MAP);
    at_tree_add(a, c, "alpha_pattern", p->alpha);
    at_tree_add(a, c, "auto_mapping", at_tree_new(a, AT_NULL));
    at_tree_add(a, c, "base_model_name_or_path", at_tree_string(a, f->base));
    at_tree_add(a, c, "bias", at_tree_string(a, "none"));
    at_tree_add(a, c, "fan_in_fan_out", at_tree_flag(a, false));
    at_tree_add(a, c, "inference_mode", at_tree_flag(a, true));
    at_tree_add(a, c, "init_lora_weights", at_tree_flag(a, true));
    at_tree_add(a, c, "lora_alpha", number(a, o->alpha));
    at_tree_add(a, c, "lora_dropout", number(a, o->dropout));
    AT_TRY(at_peft_put_modules(t, a, net, f->prefix, c));
    at_tree_add(a, c, "peft_type", at_tree_string(a, "LORA"));
    at_tree_add(a, c, "r", at_tree_whole(a, o->r));
    at_tree_add(a, c, "rank_pattern", p->rank);
    at_tree_add(a, c, "revision", at_tree_new(a, AT_NULL));
    at_tree_add(a, c, "target_modules", p->modules);
    at_tree_add(a, c, "task_type", at_tree_new(a, AT_NULL));
    at_tree_add(a, c, "use_dora", at_tree_flag(a, false));
    at_tree_add(a, c, "use_rslora", at_tree_flag(a, o->use_rslora));
    AT_TRY(at_last_status(net->ctx));
    return at_peft_write(net->ctx, f->path, c, t);
}

static at_status write_all(const at_net *net, const at_adapter_folder *f, at_arena *a)
{
    at_peft_tensors t = {0};
    patterns p = {at_tree_new(a, AT_MAP), at_tree_new(a, AT_MAP), at_tree_new(a, AT_LIST), NULL};
    for (int i = 0; i < net->n_sites; i++) {
        const lora *l = at_adapter_of(net->sites[i], "lora");
        if (!l) continue;
        if (!p.first) p.first = l;
        AT_TRY(add_site(net, f, net->sites[i], l, a, &p, &t));
    }
    AT_REQUIRE(net->ctx, p.first, AT_E_STATE, "%s: the network has no LoRA to write", f->path);
    return write_config(net, f, a, &p, &t);
}

static at_status write(const at_net *net, const at_adapter_folder *f)
{
    at_arena a;
    at_arena_init(&a, net->ctx);
    const at_status s = write_all(net, f, &a);
    at_arena_deinit(&a);
    return s;
}

/* ---- Descriptors ---- */

static const at_option options[] = {
    {"sites", AT_OPTION_TREE, AT_OPTION(at_lora_options, sites), "\"*\"", .aliases = "target_modules",
     .help = "layers, as edits name them; those that learn themselves and grouped convolutions are left out"},
    {"r", AT_OPTION_WHOLE, AT_OPTION(at_lora_options, r), "8", 1, 65536, .aliases = "lora_r lora_rank",
     .help = "rank of the product B A; a layer's own where that is smaller"},
    {"alpha", AT_OPTION_REAL, AT_OPTION(at_lora_options, alpha), "16", 0, 1e6, .aliases = "lora_alpha",
     .help = "B A is scaled by alpha / r"},
    {"dropout", AT_OPTION_REAL, AT_OPTION(at_lora_options, dropout), "0", 0, 0.999, .aliases = "lora_dropout",
     .help = "probability of dropout before A"},
    {"use_rslora", AT_OPTION_FLAG, AT_OPTION(at_lora_options, use_rslora), "false", .aliases = "use_rslora",
     .help = "scale by alpha / sqrt(r)"},
    {"from", AT_OPTION_TEXT, AT_OPTION(at_lora_options, from),
     .help =
         "adapter folder of PEFT or of a run to go on from; it says sites, r, alpha, dropout and use_rslora"},
    {0},
};

const at_options at_options_lora = {"lora", options, sizeof(at_lora_options)};

const at_adapter at_adapter_lora = {.name = "lora",
                                    .doc = "low-rank adapters: y + alpha / r B A x (Hu et al. 2021)",
                                    .options = &at_options_lora,
                                    .takes = takes,
                                    .begin = begin,
                                    .end = end,
                                    .attach = attach,
                                    .apply = apply,
                                    .merge = merge,
                                    .write = write};
