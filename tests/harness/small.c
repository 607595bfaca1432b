/* small.c: a small training. */
#include "tests/harness/small.h"
#include "ops/add/add.h"
#include "ops/global_avgpool/global_avgpool.h"
#include "ops/optim/adamw.h"
#include "ops/relu/relu.h"
#include "ops/relu6/relu6.h"
#include "ops/softmax_xent/softmax_xent.h"
#include "tests/harness/test.h"
#include <math.h>
#include <stdlib.h>

enum { SIDE = 12, WIDTH = 24, WIDE = 704 };

static at_status init(at_net *net, at_param *p)
{
    at_real *x = at_alloc_array(net->ctx, p->state->count, sizeof *x);
    if (!x) return AT_E_NOMEM;
    const at_rng_key key = at_rng_make(1, at_hash_name(p->state->name), 0);
    for (int64_t i = 0; i < p->state->count; i++) {
        const double draw = at_rng_normal(key, 0, 0, (uint64_t)i);
        const bool one = p->part == AT_NORM_GAMMA || p->part == AT_NORM_VARIANCE;
        x[i] = (at_real)(one ? 1 + 0.1 * fabs(draw) : 0.1 * draw);
    }
    const at_status s = at_state_set(net->store, p->state, x);
    at_free(net->ctx, x);
    return s;
}

at_status at_hang_on(const at_adapter *adapter, at_net *net, at_site *site)
{
    at_adapter_setup setup = {.where = adapter->name};
    at_site **sites;
    AT_NEW(net->ctx, sites, net->n_sites);
    sites[0] = site;
    const at_status s = at_adapter_hang(adapter, net, sites, 1, &setup);
    at_free(net->ctx, sites);
    return s;
}

static at_status declare(at_small *t)
{
    at_net *n = &t->net;
    const at_conv_shape full = {.in = 3, .out = WIDTH, .kernel = 3, .stride = 1, .dilation = 1, .groups = 1};
    const at_conv_shape each = {
        .in = WIDTH, .out = WIDTH, .kernel = 3, .stride = 1, .dilation = 1, .groups = WIDTH};
    AT_TRY(at_net_group(n, "all"));
    AT_TRY(at_net_conv(&t->conv, n, "conv", "conv", &full));
    AT_TRY(at_net_batchnorm(&t->norm, n, "norm", "norm", WIDTH, 1e-5, 0.1));
    AT_TRY(at_net_conv(&t->depthwise, n, "depthwise", "depthwise", &each));
    AT_TRY(at_net_batchnorm(&t->affine, n, "affine", "affine", WIDTH, 1e-5, 0.1));
    AT_TRY(at_net_linear(&t->wide, n, "wide", "wide", WIDTH, WIDE, true));
    AT_TRY(at_net_linear(&t->head, n, "head", "head", WIDE, AT_SMALL_CLASSES, true));
    t->affine->norm.mode = AT_NORM_AFFINE;
    for (int i = 0; i < n->n_params; i++) {
        at_param *p = n->params[i];
        if (p->part == AT_NORM_BATCHES) continue;
        p->trainable = p->site != t->depthwise && p->part != AT_NORM_MEAN && p->part != AT_NORM_VARIANCE;
        AT_TRY(init(n, p));
    }
    for (int i = 0; i < n->n_sites && t->options.adapter; i++)
        if (t->options.adapter->takes(n->sites[i])) AT_TRY(at_hang_on(t->options.adapter, n, n->sites[i]));
    at_net_assign_roles(n);
    return AT_OK;
}

static void build_network(at_small *t)
{
    at_graph *g = t->g;
    const at_extent *samples = at_graph_extent(g, "samples", AT_SMALL_BATCH);
    const int64_t image[] = {1, SIDE, SIDE, 3}, one[] = {1};
    t->image = at_input(g, "image", AT_ACT, samples, 4, image);
    t->label = at_input(g, "label", AT_INT, samples, 1, one);
    t->sample_id = at_input(g, "sample_id", AT_INT, samples, 1, one);
    at_value *x = at_site_norm(g, t->norm, at_site_conv(g, t->conv, t->image));
    x = at_relu6(g, at_site_dropout(g, "thin", x, t->sample_id, 0.1));
    x = at_add(g, x, at_relu(g, at_site_norm(g, t->affine, at_site_conv(g, t->depthwise, x))));
    x = at_site_dropout(g, "drop", at_global_avgpool(g, x), t->sample_id, 0.2);
    t->logits = at_site_linear(g, t->head, at_relu(g, at_site_linear(g, t->wide, x)));
    const at_loss l = at_softmax_xent(g, t->logits, t->label, NULL, 0.1);
    t->loss = l.sum;
    t->count = l.weight;
}

static at_status build(at_small *t)
{
    static const at_adamw_options adamw = {0.9, 0.999, 1e-8};
    const at_small_options *o = &t->options;
    AT_TRY(at_device_open(&t->device, t->ctx, o->device ? o->device : "cpu"));
    AT_TRY(at_net_init(&t->net, t->ctx, t->device));
    AT_TRY(declare(t));
    at_store *s = t->net.store;
    if (o->no_prepared) s->prepared_budget = 0;
    AT_TRY(at_graph_create(&t->g, t->ctx, s, AT_TRAIN));
    build_network(t);
    at_gradients(t->g, &t->loss, &(at_value *){NULL}, 1);
    at_step_sum(t->g, t->loss);
    at_step_sum(t->g, t->count);
    AT_TRY(at_graph_finish(t->g));
    AT_TRY(at_store_layout(s, t->g));
    for (int i = 0; i < s->n_ranges; i++) {
        s->ranges[i].rate = i % 2 ? 1.0 : 0.5;
        s->ranges[i].decay = s->ranges[i].state->shape.rank > 1 ? 0.01 : 0;
    }
    const at_optimizer *optimizer = o->optimizer ? o->optimizer : &at_optimizer_adamw;
    AT_TRY(at_build_commit(&t->commit, t->g, t->loss, t->count, 1.0, optimizer,
                           o->optimizer ? o->optimizer_options : &adamw));
    t->fetch[0] = t->commit.norm;
    t->fetch[1] = t->commit.ok;
    t->fetch[2] = t->logits;
    const at_plan_options p = {.kernels = o->kernels, .act = o->act, .fetches = t->fetch, .n_fetches = 3};
    if (o->most_bytes) AT_TRY(at_graph_recompute(t->g, &p, o->most_bytes, o->thrift, &t->recomputed));
    AT_TRY(at_plan_create(&t->plan, t->g, &p));
    if (o->spoil) o->spoil(t);
    t->pixels = at_alloc_array(t->ctx, (int64_t)AT_SMALL_BATCH * SIDE * SIDE * 3, sizeof *t->pixels);
    return t->pixels ? AT_OK : AT_E_NOMEM;
}

at_status at_small_open(at_small *t, at_ctx *ctx, const at_small_options *options)
{
    *t = (at_small){.ctx = ctx};
    if (options) t->options = *options;
    return build(t);
}

void at_small_close(at_small *t)
{
    at_free(t->ctx, t->pixels);
    at_plan_destroy(t->plan);
    at_graph_destroy(t->g);
    at_net_deinit(&t->net);
    at_device_close(t->device);
}

/* Fill every row with what must not be read. */
static void poison_batch(at_small *t)
{
    int32_t wrong[AT_SMALL_BATCH];
    for (int64_t i = 0; i < (int64_t)AT_SMALL_BATCH * SIDE * SIDE * 3; i++) t->pixels[i] = (at_real)NAN;
    for (int64_t s = 0; s < AT_SMALL_BATCH; s++) wrong[s] = INT32_MIN;
    at_plan_write(t->plan, t->image, t->pixels, AT_SMALL_BATCH);
    at_plan_write(t->plan, t->label, wrong, AT_SMALL_BATCH);
    at_plan_write(t->plan, t->sample_id, wrong, AT_SMALL_BATCH);
}

/* Pictures whose brightest channel tells the class, with noise; drawn from (attempt, micro). */
static void write_batch(at_small *t, int attempt, int micro, int64_t n, bool spoil)
{
    int32_t label[AT_SMALL_BATCH], id[AT_SMALL_BATCH];
    const at_rng_key key = at_rng_make(2, (uint64_t)micro, (uint64_t)attempt);
    for (int64_t s = 0; s < n; s++) {
        id[s] = (int32_t)(attempt * 100 + micro * AT_SMALL_BATCH + s);
        label[s] = (int32_t)(s % AT_SMALL_CLASSES);
        for (int64_t k = 0; k < SIDE * SIDE * 3; k++) {
            const double noise = at_rng_uniform(key, (uint64_t)s, 0, (uint64_t)k);
            t->pixels[s * SIDE * SIDE * 3 + k] = (at_real)(noise + (k % 3 == label[s] % 3 ? 0.5 : -0.5));
        }
    }
    if (spoil) t->pixels[7] = (at_real)NAN;
    at_plan_write(t->plan, t->image, t->pixels, n);
    at_plan_write(t->plan, t->label, label, n);
    at_plan_write(t->plan, t->sample_id, id, n);
}

static at_pass pass_of(int attempt, int micro, const int64_t *n)
{
    return (at_pass){.seed = 5, .attempt = (uint64_t)attempt, .micro = micro, .extents = n};
}

void at_small_passes(at_small *t, int attempt, bool spoil)
{
    const int k = t->options.micro ? t->options.micro : 2;
    for (int micro = 0; micro < k; micro++) {
        const int64_t n = AT_SMALL_BATCH - 7 * micro; /* the last one is smaller */
        if (t->options.poison) poison_batch(t);
        write_batch(t, attempt, micro, n, spoil && micro == k - 1);
        const at_pass pass = pass_of(attempt, micro, &n);
        at_plan_run(t->plan, &pass);
    }
}

void at_small_commit(at_small *t, int attempt, at_small_scalars *out)
{
    const at_real rate = (at_real)0.01;
    const int64_t n = AT_SMALL_BATCH;
    const at_pass pass = pass_of(attempt, 0, &n);
    at_plan_write(t->plan, t->commit.rate, &rate, 1);
    at_plan_commit(t->plan, &pass);
    at_plan_fetch(t->plan, t->loss, &out->loss);
    at_plan_fetch(t->plan, t->count, &out->count);
    at_plan_fetch(t->plan, t->commit.norm, &out->norm);
    at_plan_fetch(t->plan, t->commit.ok, &out->ok);
}

static int states_of(const at_small *t, const at_state *list[AT_MAX_SLOTS + 3])
{
    const at_store *s = t->net.store;
    int n = 0;
    list[n++] = s->master;
    list[n++] = s->running;
    for (int i = 0; i < t->commit.n_slots; i++) list[n++] = t->commit.slots[i];
    list[n++] = t->commit.step;
    return n;
}

at_real *at_small_snapshot(at_small *t, int64_t *count)
{
    const at_state *list[AT_MAX_SLOTS + 3];
    const int n = states_of(t, list);
    int64_t total = 0, at = 0;
    for (int i = 0; i < n; i++) total += list[i]->count;
    at_real *out = calloc((size_t)total, sizeof *out);
    for (int i = 0; i < n; at += list[i++]->count)
        at_expect_ok(t->ctx, at_state_get(t->net.store, list[i], out + at));
    *count = total;
    return out;
}

at_real *at_small_train(at_ctx *ctx, const at_small_options *options, int64_t *count)
{
    at_small t;
    at_small_scalars read[2], all[AT_SMALL_STEPS];
    uint64_t fence[2];
    at_expect_ok(ctx, at_small_open(&t, ctx, options));
    for (int a = 0; a <= AT_SMALL_STEPS; a++) {
        if (a < AT_SMALL_STEPS) {
            at_small_passes(&t, a, false);
            at_small_commit(&t, a, &read[a & 1]);
            fence[a & 1] = t.device->kind->mark(t.device);
        }
        if (a == 0) continue;
        at_expect_ok(ctx, t.device->kind->wait(t.device, fence[(a - 1) & 1]));
        all[a - 1] = read[(a - 1) & 1];
        if (!((double)all[a - 1].ok > 0)) fail_msg("step %d is not finite", a - 1);
    }
    int64_t n;
    at_real *out = at_small_snapshot(&t, &n);
    at_real *longer = malloc((size_t)n * sizeof *out + sizeof all);
    memcpy(longer, out, (size_t)n * sizeof *out);
    memcpy(longer + n, all, sizeof all);
    free(out);
    *count = n + AT_SMALL_STEPS * (int64_t)(sizeof(at_small_scalars) / sizeof(at_real));
    at_small_close(&t);
    return longer;
}
