/* random_graphs_exact_test.c: random graphs of the ops that learn: several consumers of a value, shared
 * parameters, views, outputs that are read again, fewer rows than the maximum. In double precision their
 * gradients are held to finite differences, in float32 the kernels to the references; and the bits may not
 * depend on where the plan puts values, on the device or on threads. */
#include "engine/fuse.h"
#include "engine/recompute.h"
#include "ops/add/add.h"
#include "ops/batchnorm/batchnorm.h"
#include "ops/bn_fold/bn_fold.h"
#include "ops/channel_affine/channel_affine.h"
#include "ops/conv2d/conv2d.h"
#include "ops/depthwise/depthwise.h"
#include "ops/dropout/dropout.h"
#include "ops/gelu/gelu.h"
#include "ops/global_avgpool/global_avgpool.h"
#include "ops/layernorm/layernorm.h"
#include "ops/linear/linear.h"
#include "ops/mul/mul.h"
#include "ops/relu/relu.h"
#include "ops/relu6/relu6.h"
#include "ops/scale/scale.h"
#include "ops/softmax_xent/softmax_xent.h"
#include "ops/tanh/tanh.h"
#include "tests/harness/report.h"
#include "tests/harness/test.h"
#include "tests/harness/tolerance.h"
#include <math.h>
#include <stdlib.h>

enum {
    SEEDS = 200,
    SAMPLES = 3,
    MAX_ACTS = 40,
    MAX_LEAVES = 48,
    MAX_OUTPUTS = 16,
    MAX_ROWS = 64,
    KINDS = 19, /* of apply */
    KEEP_FROM_KINK = 50
};

/* Later seeds that found mistakes: one value as the gradient of both operands of add_relu, added onto what
 * one of them had; the gradient of x + linear(x), added up where it was read. */
static const int far_seeds[] = {203, 205, 1229, 1910};

enum { GRAPHS = SEEDS + AT_COUNT(far_seeds) };

static int seed_of(int graph)
{
    return graph < SEEDS ? graph : far_seeds[graph - SEEDS];
}

typedef struct leaf { /* something with a gradient: an input, or a state (then state is set) */
    at_value *value;
    at_state *state;
    at_real *data;
    int64_t count;
    double low, high;
} leaf;

typedef struct net {
    at_ctx *ctx;
    at_device *device;
    at_store *store;
    at_graph *g;
    at_plan *plan;
    const at_extent *extent;
    at_value *sample_id, *labels;
    at_value *acts[MAX_ACTS], *kinked[MAX_ACTS];
    bool used[MAX_ACTS];
    int n_acts, n_kinked, n_leaves, n_outputs;
    leaf leaves[MAX_LEAVES];
    at_value *outputs[MAX_OUTPUTS], *seeds[MAX_OUTPUTS]; /* seed NULL: a loss */
    at_real *seed_data[MAX_OUTPUTS], *results[MAX_OUTPUTS];
    at_rng_key key;
    uint64_t draws;
    int64_t n_classes;
    int64_t n; /* samples of a run */
    at_recomputed recomputed;
} net;

static int64_t pick(net *t, int64_t n)
{
    return (int64_t)at_rng_below(t->key, 1, 0, t->draws++, (uint64_t)n);
}

static int64_t elements(const at_meta *m)
{
    return at_meta_max_rows(m) * at_meta_cols(m);
}

/* ---- Leaves ---- */

static at_value *new_input(net *t, int rank, const int64_t *dim, bool act)
{
    at_value *v = at_input(t->g, "x", act ? AT_ACT : AT_ACC, act ? t->extent : NULL, rank, dim);
    v->want_grad = true;
    return v;
}

static at_value *new_state(net *t, leaf *l, int rank, const int64_t *dim)
{
    const at_real zeros[1024] = {0};
    char name[16] = "state.A";
    name[6] = (char)(name[6] + t->n_leaves);
    at_expect_ok(t->ctx, at_store_add(&l->state, t->store, name, AT_TRAINABLE, rank, dim));
    assert_true(l->state->count <= AT_COUNT(zeros));
    at_expect_ok(t->ctx, at_state_set(t->store, l->state, zeros));
    return at_read(t->g, l->state);
}

static at_value *new_leaf(net *t, int rank, const int64_t *dim, bool act, double low, double high)
{
    assert_true(t->n_leaves < MAX_LEAVES);
    leaf *l = &t->leaves[t->n_leaves];
    *l = (leaf){.low = low, .high = high};
    l->value = !act && pick(t, 3) == 0 ? new_state(t, l, rank, dim) : new_input(t, rank, dim, act);
    l->count = elements(&l->value->meta);
    l->data = malloc((size_t)l->count * sizeof *l->data);
    t->n_leaves++;
    return l->value;
}

/* A parameter uniform in [low, high): one of that kind that is there already, the sum of two, or a new one.
 */
static at_value *param(net *t, int rank, const int64_t *dim, double low, double high)
{
    at_value *same = NULL;
    for (int i = 0; i < t->n_leaves; i++) {
        const leaf *l = &t->leaves[i];
        const at_meta *m = &l->value->meta;
        bool fits = !m->extent && m->rank == rank && l->low == low && l->high == high;
        for (int k = 0; k < rank && fits; k++) fits = m->dim[k] == dim[k];
        if (fits && (!same || pick(t, 2))) same = l->value;
    }
    if (same && pick(t, 3) == 0) return same;
    at_value *fresh = new_leaf(t, rank, dim, false, low, high);
    return same && pick(t, 3) == 0 && low < 0 ? at_add(t->g, same, fresh) : fresh;
}

static at_value *vector(net *t, int64_t n, double low, double high)
{
    return param(t, 1, &n, low, high);
}

static at_value *weight(net *t, int rank, const int64_t *dim, int64_t fan_in)
{
    const double a = sqrt(3.0 / (double)fan_in);
    return param(t, rank, dim, -a, a);
}

/* ---- Nodes ---- */

static void put(net *t, at_value *v)
{
    assert_true(t->n_acts < MAX_ACTS);
    t->acts[t->n_acts++] = v;
}

static at_value *take(net *t, int i)
{
    t->used[i] = true;
    return t->acts[i];
}

static int64_t columns_of(const at_value *x)
{
    return at_meta_cols(&x->meta);
}

/* Draws stand in statements of their own: compilers order those of one expression as they like, and every
 * seed is to give one graph. */
static at_conv2d_param window(net *t, int64_t groups)
{
    at_conv2d_param p = {.dilation_y = 1, .groups = groups};
    p.stride_y = 1 + pick(t, 2);
    p.stride_x = 1 + pick(t, 2);
    p.dilation_x = 1 + pick(t, 2);
    p.pad_top = pick(t, 3);
    p.pad_left = 1 + pick(t, 2);
    p.pad_bottom = 1 + pick(t, 2);
    p.pad_right = pick(t, 3);
    return p;
}

/* NULL when the window does not fit into x. */
static at_value *convolve(net *t, at_value *x, bool depthwise)
{
    const int64_t C = columns_of(x), groups = !depthwise && C % 2 == 0 && pick(t, 2) ? 2 : 1,
                  outs = groups * (1 + pick(t, 2));
    const int64_t kh = 1 + pick(t, 2), kw = 1 + pick(t, 2);
    at_conv2d_param p = window(t, groups);
    if (x->meta.dim[1] + p.pad_top + p.pad_bottom < kh ||
        x->meta.dim[2] + p.pad_left + p.pad_right < (kw - 1) * p.dilation_x + 1)
        return NULL;
    if (depthwise) return at_depthwise(t->g, x, weight(t, 4, (const int64_t[]){C, 1, kh, kw}, kh * kw), &p);
    at_value *w = weight(t, 4, (const int64_t[]){outs, C / groups, kh, kw}, C / groups * kh * kw);
    at_value *bias = pick(t, 2) ? vector(t, outs, -1, 1) : NULL;
    return at_conv2d(t->g, x, w, bias, &p);
}

static at_value *kinked(net *t, at_value *x, bool six)
{
    t->kinked[t->n_kinked++] = x;
    return six ? at_relu6(t->g, x) : at_relu(t->g, x);
}

/* x and the latest other value of its shape, else x twice. */
static at_value *with_another(net *t, at_value *x, at_value *(*op)(at_graph *, at_value *, at_value *))
{
    for (int i = t->n_acts - 1; i >= 0; i--)
        if (t->acts[i] != x && at_same_shape(&t->acts[i]->meta, &x->meta)) return op(t->g, x, take(t, i));
    return op(t->g, x, x);
}

static at_value *normalise(net *t, at_value *x, bool stored)
{
    const int64_t C = columns_of(x);
    at_value *gamma = vector(t, C, 0.5, 1.5), *beta = vector(t, C, -1, 1);
    if (!stored) return at_batchnorm(t->g, x, gamma, beta, 0.1).y;
    at_value *mean = vector(t, C, -1, 1), *var = vector(t, C, 0.5, 1.5);
    const at_scale_shift f = at_bn_fold(t->g, gamma, beta, mean, var, 1e-3);
    return at_channel_affine(t->g, x, f.scale, f.shift);
}

static at_value *linear(net *t, at_value *x, int64_t outs)
{
    const int64_t C = columns_of(x);
    at_value *w = weight(t, 2, (const int64_t[]){outs, C}, C),
             *bias = pick(t, 2) ? vector(t, outs, -1, 1) : NULL;
    return at_linear(t->g, x, w, bias);
}

/* The node's result, or NULL when the kind does not fit x. */
static at_value *apply(net *t, int64_t kind, at_value *x)
{
    const int64_t C = columns_of(x), outs = 1 + pick(t, 4);
    at_value *first, *second;
    switch (kind) {
    case 0:
        return kinked(t, x, false);
    case 1:
        return kinked(t, x, true);
    case 2:
        return with_another(t, x, at_add);
    case 3:
        return normalise(t, x, false);
    case 4:
        return normalise(t, x, true);
    case 5:
        first = vector(t, C, 0.5, 1.5);
        second = pick(t, 2) ? vector(t, C, -1, 1) : NULL;
        return at_channel_affine(t->g, x, first, second);
    case 6:
        return linear(t, x, outs);
    case 7:
        return C > 1 ? at_columns(t->g, x, pick(t, 2), C - 1) : NULL;
    case 8:
        return at_dropout(t->g, x, t->sample_id, 0.3);
    case 9:
        return x->meta.rank == 4 ? at_global_avgpool(t->g, x) : NULL;
    case 10:
        return at_reshape(t->g, x, 2, (const int64_t[]){0, C});
    case 11:
        return x->meta.rank == 4 ? convolve(t, x, true) : NULL;
    case 12:
    case 13:
        return x->meta.rank == 4 ? convolve(t, x, false) : NULL;
    case 14:
        if (pick(t, 2)) x = linear(t, x, outs);
        return at_gelu(t->g, x, pick(t, 2) ? AT_GELU_ERF : AT_GELU_TANH);
    case 15:
        return at_tanh(t->g, x);
    case 16:
        if (pick(t, 2)) x = with_another(t, x, at_add);
        first = vector(t, C, 0.5, 1.5);
        second = pick(t, 2) ? vector(t, C, -1, 1) : NULL;
        return at_layernorm(t->g, x, first, second, 0.1);
    case 17:
        return at_scale(t->g, x, 0.7);
    default:
        return with_another(t, x, at_mul);
    }
}

static void grow(net *t)
{
    const int steps = 6 + (int)pick(t, 8);
    for (int s = 0; s < steps;) {
        const int i = pick(t, 3) ? t->n_acts - 1 : (int)pick(t, t->n_acts);
        if (at_meta_max_rows(&t->acts[i]->meta) > MAX_ROWS) continue;
        const int64_t kind = pick(t, KINDS);
        at_value *y = apply(t, kind, t->acts[i]);
        at_expect_ok(t->ctx, at_graph_finish(t->g));
        if (!y) continue;
        t->used[i] = true;
        put(t, y);
        s++;
    }
}

/* ---- Outputs ---- */

static void add_output(net *t, at_value *y, bool loss)
{
    int64_t dim[AT_MAX_RANK];
    assert_true(t->n_outputs < MAX_OUTPUTS);
    const int o = t->n_outputs++;
    memcpy(dim, y->meta.dim, sizeof dim);
    if (y->meta.extent) dim[0] /= SAMPLES;
    t->outputs[o] = y;
    t->seeds[o] = loss ? NULL : at_input(t->g, "dy", AT_ACT, t->extent, y->meta.rank, dim);
    t->seed_data[o] = malloc((size_t)elements(&y->meta) * sizeof(at_real));
    t->results[o] = malloc((size_t)elements(&y->meta) * sizeof(at_real));
}

static void add_loss(net *t, at_value *z)
{
    const int64_t rows = z->meta.dim[0] / SAMPLES, K = columns_of(z);
    t->labels = at_input(t->g, "labels", AT_INT, t->extent, 1, &rows);
    t->n_classes = K;
    at_value *class_weight = NULL;
    if (pick(t, 2)) {
        class_weight = new_input(t, 1, &K, false);
        class_weight->want_grad = false;
        t->leaves[t->n_leaves] = (leaf){.value = class_weight, .count = K, .low = 0.5, .high = 1.5};
        t->leaves[t->n_leaves++].data = malloc((size_t)K * sizeof(at_real));
    }
    add_output(t, at_softmax_xent(t->g, z, t->labels, class_weight, pick(t, 2) ? 0.1 : 0).sum, true);
}

/* What nobody reads is an output, and so is now and then what somebody reads. */
static void find_outputs(net *t)
{
    bool any_loss = false;
    for (int i = 0; i < t->n_acts; i++) {
        at_value *y = t->acts[i];
        if (!y->node || (t->used[i] && pick(t, 5))) continue;
        if (!any_loss && y->meta.rank == 2 && !t->used[i] && pick(t, 2)) {
            any_loss = true;
            add_loss(t, y);
        } else {
            add_output(t, y, false);
        }
    }
}

/* ---- Life ---- */

typedef struct options {
    const char *device, *kernels;
    int threads;
    bool fetch_all; /* every value has memory of its own */
    bool fuse;
    bool recompute; /* as much as helps */
} options;

static void make_plan(net *t, const options *o)
{
    at_value **fetches = malloc((size_t)(t->g->n_values + MAX_LEAVES + MAX_OUTPUTS) * sizeof *fetches);
    int n = 0;
    for (int i = 0; i < t->n_outputs; i++) fetches[n++] = t->outputs[i];
    for (int i = 0; i < t->n_leaves; i++)
        if (!t->leaves[i].state && t->leaves[i].value->grad) fetches[n++] = t->leaves[i].value->grad;
    for (int i = 0; i < t->g->n_values && o->fetch_all; i++)
        if (t->g->values[i]->node) fetches[n++] = t->g->values[i];
    const at_plan_options p = {.kernels = o->kernels, .fetches = fetches, .n_fetches = n};
    if (o->recompute) at_expect_ok(t->ctx, at_graph_recompute(t->g, &p, 0, 0.0, &t->recomputed));
    at_expect_ok(t->ctx, at_plan_create(&t->plan, t->g, &p));
    free(fetches);
}

static void open_net(net *t, at_ctx *ctx, int seed, const options *o)
{
    *t = (net){.ctx = ctx, .key = at_rng_make((uint64_t)seed, 1, 1)};
    t->n = seed % 2 ? SAMPLES : SAMPLES - 1;
    at_expect_ok(ctx, at_ctx_set_threads(ctx, o->threads));
    at_expect_ok(ctx, at_device_open(&t->device, ctx, o->device));
    at_expect_ok(ctx, at_store_create(&t->store, ctx, t->device));
    at_expect_ok(ctx, at_graph_create(&t->g, ctx, t->store, AT_TRAIN));
    at_graph_site(t->g, "net");
    t->extent = at_graph_extent(t->g, "samples", SAMPLES);
    t->sample_id = at_input(t->g, "sample_id", AT_INT, t->extent, 1, (const int64_t[]){1});
    int64_t dim[4] = {1, 1 + pick(t, 5)};
    put(t, new_leaf(t, 2, dim, true, -1, 1));
    dim[1] = 1 + pick(t, 4);
    dim[2] = 1 + pick(t, 4);
    dim[3] = 1 + pick(t, 5);
    put(t, new_leaf(t, 4, dim, true, -1, 1));
    grow(t);
    find_outputs(t);
    if (o->fuse) at_graph_fuse(t->g, t->outputs, t->n_outputs);
    at_gradients(t->g, t->outputs, t->seeds, t->n_outputs);
    if (o->fuse) at_graph_fuse(t->g, t->outputs, t->n_outputs);
    at_expect_ok(ctx, at_graph_finish(t->g));
    at_expect_ok(ctx, at_store_layout(t->store, t->g));
    make_plan(t, o);
}

static void close_net(net *t)
{
    at_plan_destroy(t->plan);
    at_graph_destroy(t->g);
    at_store_destroy(t->store);
    at_device_close(t->device);
    for (int i = 0; i < t->n_leaves; i++) free(t->leaves[i].data);
    for (int i = 0; i < t->n_outputs; i++) free(t->seed_data[i]), free(t->results[i]);
}

/* ---- Data ---- */

/* Draws of the same data number are equal in every net of a seed. */
static void fill(net *t, int data)
{
    const at_rng_key key = at_rng_make(t->key.k[0], t->key.k[1], (uint64_t)data + 7);
    for (int i = 0; i < t->n_leaves; i++) {
        const leaf *l = &t->leaves[i];
        for (int64_t e = 0; e < l->count; e++)
            l->data[e] =
                (at_real)(l->low + (l->high - l->low) * at_rng_uniform(key, (uint64_t)i, 0, (uint64_t)e));
    }
    for (int o = 0; o < t->n_outputs; o++)
        for (int64_t e = 0; e < elements(&t->outputs[o]->meta); e++)
            t->seed_data[o][e] =
                t->seeds[o] ? (at_real)(2 * at_rng_uniform(key, (uint64_t)o, 1, (uint64_t)e) - 1) : 1;
}

static void write_leaf(net *t, const leaf *l)
{
    if (!l->state) {
        at_plan_write(t->plan, l->value, l->data, t->n);
        return;
    }
    at_expect_ok(t->ctx, at_state_set(t->store, l->state, l->data));
    at_store_touch(t->store);
}

/* Run with the data as they are. */
static void run(net *t)
{
    int32_t ids[SAMPLES], labels[MAX_ROWS * 8];
    for (int i = 0; i < SAMPLES; i++) ids[i] = 11 * i + 3;
    at_plan_write(t->plan, t->sample_id, ids, t->n);
    if (t->labels) {
        for (int64_t i = 0; i < t->labels->meta.dim[0]; i++)
            labels[i] = i % 5 == 4 ? AT_NO_LABEL : (int32_t)(i % t->n_classes);
        at_plan_write(t->plan, t->labels, labels, t->n);
    }
    for (int i = 0; i < t->n_leaves; i++) write_leaf(t, &t->leaves[i]);
    for (int o = 0; o < t->n_outputs; o++)
        if (t->seeds[o]) at_plan_write(t->plan, t->seeds[o], t->seed_data[o], t->n);
    at_plan_run(t->plan, &(at_pass){.seed = 5, .attempt = 2, .extents = &t->n});
    at_expect_ok(t->ctx, at_plan_sync(t->plan));
}

static int64_t current(const net *t, const at_meta *m)
{
    return at_meta_rows_at(m, at_meta_leading(m, t->n)) * at_meta_cols(m);
}

static void read_outputs(net *t)
{
    for (int o = 0; o < t->n_outputs; o++) at_plan_fetch(t->plan, t->outputs[o], t->results[o]);
    at_expect_ok(t->ctx, at_plan_sync(t->plan));
}

/* The gradient of a leaf, rows of this run; NULL when it has none (data). The caller frees. */
static at_real *read_gradient(net *t, const leaf *l)
{
    at_store *s = t->store;
    if (!l->value->grad) return NULL;
    at_real *out = calloc((size_t)l->count, sizeof *out);
    if (!l->state) {
        at_plan_fetch(t->plan, l->value->grad, out);
        at_expect_ok(t->ctx, at_plan_sync(t->plan));
        return out;
    }
    at_real *flat = malloc((size_t)s->gradient->count * sizeof *flat);
    at_expect_ok(t->ctx, at_state_get(s, s->gradient, flat));
    memcpy(out, flat + l->state->offset, (size_t)l->count * sizeof *out);
    free(flat);
    return out;
}

/* Data that keep what goes into relu and relu6 away from their kinks by more than differences reach. t
 * fetches all. */
static int tame_data(net *t)
{
    for (int data = 0; data < 200; data++) {
        double nearest = INFINITY;
        fill(t, data);
        run(t);
        for (int k = 0; k < t->n_kinked; k++) {
            at_real *x = malloc((size_t)elements(&t->kinked[k]->meta) * sizeof *x);
            const bool is_leaf = !t->kinked[k]->node;
            for (int i = 0; i < t->n_leaves && is_leaf; i++)
                if (t->leaves[i].value == t->kinked[k])
                    memcpy(x, t->leaves[i].data, (size_t)t->leaves[i].count * sizeof *x);
            if (!is_leaf) at_plan_fetch(t->plan, t->kinked[k], x);
            at_expect_ok(t->ctx, at_plan_sync(t->plan));
            for (int64_t e = 0; e < current(t, &t->kinked[k]->meta); e++)
                if (x[e] != 0 && x[e] != 6) /* what is exact is the constant side of a kink before */
                    nearest = fmin(nearest, fmin(fabs((double)x[e]), fabs((double)x[e] - 6)));
            free(x);
        }
        if (nearest > KEEP_FROM_KINK * AT_GRADIENT_STEP) return data;
    }
    fail_msg("no data keep the graph away from kinks");
    return 0;
}

/* ---- Finite differences ---- */

static double difference(net *t, const leaf *l, int64_t e, at_real *up[MAX_OUTPUTS])
{
    const double h = AT_GRADIENT_STEP;
    const at_real kept = l->data[e];
    double sum = 0;
    l->data[e] = (at_real)((double)kept + h);
    run(t);
    read_outputs(t);
    for (int o = 0; o < t->n_outputs; o++)
        memcpy(up[o], t->results[o], (size_t)elements(&t->outputs[o]->meta) * sizeof **up);
    l->data[e] = (at_real)((double)kept - h);
    run(t);
    read_outputs(t);
    l->data[e] = kept;
    for (int o = 0; o < t->n_outputs; o++)
        for (int64_t i = 0; i < current(t, &t->outputs[o]->meta); i++)
            sum += (double)t->seed_data[o][i] * ((double)up[o][i] - (double)t->results[o][i]);
    return sum / (2 * h);
}

/* max |a| is taken over the whole graph: a shift before a batch norm has no gradient at all. */
static void check_differences(net *t, at_report *r)
{
    at_real *analytic[MAX_LEAVES], *up[MAX_OUTPUTS];
    double largest = 0;
    run(t);
    for (int i = 0; i < t->n_leaves; i++) {
        const leaf *l = &t->leaves[i];
        analytic[i] = read_gradient(t, l);
        for (int64_t e = 0; analytic[i] && e < current(t, &l->value->meta); e++)
            largest = fmax(largest, fabs((double)analytic[i][e]));
    }
    for (int o = 0; o < t->n_outputs; o++)
        up[o] = malloc((size_t)elements(&t->outputs[o]->meta) * sizeof **up);
    for (int i = 0; i < t->n_leaves; i++) {
        const leaf *l = &t->leaves[i];
        for (int64_t e = 0; analytic[i] && e < current(t, &l->value->meta); e++) {
            const double a = (double)analytic[i][e], n = difference(t, l, e, up);
            at_report_check(r, fabs(a - n) <= AT_TOL_GRADIENT * fmax(fmax(fabs(a), fabs(n)), 1e-3 * largest),
                            "leaf %d, element %lld: analytic %.12g, numeric %.12g", i, (long long)e, a, n);
        }
        free(analytic[i]);
    }
    for (int o = 0; o < t->n_outputs; o++) free(up[o]);
}

AT_TEST(test_random_graphs_exact__gradients_equal_finite_differences)
{
    if (sizeof(at_real) != sizeof(double)) return; /* counted in the double-precision program */
    at_ctx *ctx = at_test_ctx();
    at_report r = {0};
    for (int graph = 0; graph < GRAPHS; graph++) {
        const int seed = seed_of(graph);
        net all, t;
        open_net(&all, ctx, seed, &(options){"cpu", "ref", 2, true, false, false});
        open_net(&t, ctx, seed, &(options){"cpu", "ref", 2, false, false, false});
        fill(&t, tame_data(&all));
        at_report_at(&r, "seed %d, %d nodes", seed, t.g->n_nodes);
        check_differences(&t, &r);
        close_net(&all);
        close_net(&t);
    }
    at_expect_clean(&r);
    at_test_done(ctx);
}

/* ---- Comparisons of two nets of one seed on the same data ---- */

static double largest_gradient(net *t)
{
    double largest = 0;
    for (int i = 0; i < t->n_leaves; i++) {
        at_real *g = read_gradient(t, &t->leaves[i]);
        for (int64_t e = 0; g && e < current(t, &t->leaves[i].value->meta); e++)
            largest = fmax(largest, fabs((double)g[e]));
        free(g);
    }
    return largest;
}

/* tol 0: the same bits. Where a gradient is zero by cancellation, what is left is the rounding of terms that
 * are as large as other gradients, 6e-8 each in float32: differences below 1e-6 of the largest do not count.
 */
static void compare(net *got, net *want, double tol, at_report *r)
{
    const double least = 1e-2 * largest_gradient(want);
    read_outputs(got);
    read_outputs(want);
    for (int o = 0; o < want->n_outputs; o++) {
        const int64_t n = current(want, &want->outputs[o]->meta);
        if (tol == 0)
            at_report_same(r, "output", got->results[o], want->results[o], (size_t)n * sizeof(at_real));
        else
            at_report_close(r, "output", got->results[o], want->results[o], n, tol);
    }
    for (int i = 0; i < want->n_leaves; i++) {
        const int64_t n = current(want, &want->leaves[i].value->meta);
        at_real *a = read_gradient(got, &got->leaves[i]), *b = read_gradient(want, &want->leaves[i]);
        if (b && tol == 0)
            at_report_same(r, "gradient", a, b, (size_t)n * sizeof *a);
        else if (b)
            at_report_close_to(r, "gradient", a, b, n, tol, least);
        free(a), free(b);
    }
}

/* Returns how many of the nets have another number of nodes than their reference. */
static int check_against(at_ctx *ctx, const options *o, const options *reference, const char *what,
                         double tol, at_report *r)
{
    int differ = 0;
    for (int graph = 0; graph < GRAPHS; graph++) {
        const int seed = seed_of(graph);
        net got, want;
        at_report_at(r, "seed %d, %s", seed, what);
        open_net(&want, ctx, seed, reference);
        fill(&want, 0);
        run(&want);
        run(&want); /* again: nothing of the first run may show */
        open_net(&got, ctx, seed, o);
        fill(&got, 0);
        run(&got);
        compare(&got, &want, tol, r);
        differ += got.g->n_nodes != want.g->n_nodes;
        close_net(&got);
        close_net(&want);
    }
    return differ;
}

AT_TEST(test_random_graphs_exact__bits_do_not_depend_on_memory_device_or_threads)
{
    at_ctx *ctx = at_test_ctx();
    at_report r = {0};
    const options apart = {"cpu", "auto", 1, true, false, false};
    check_against(ctx, &(options){"cpu", "auto", 1, false, false, false}, &apart, "memory shared", 0, &r);
    check_against(ctx, &(options){"cpu", "auto", 2, false, false, false}, &apart, "2 threads", 0, &r);
    check_against(ctx, &(options){"cpu", "auto", 5, false, false, false}, &apart, "5 threads", 0, &r);
    check_against(ctx, &(options){"far", "auto", 2, false, false, false}, &apart, "far device", 0, &r);
    at_expect_clean(&r);
    at_test_done(ctx);
}

AT_TEST(test_random_graphs_exact__bits_do_not_depend_on_what_is_computed_again)
{
    at_ctx *ctx = at_test_ctx();
    at_report r = {0};
    const options stored = {"cpu", "auto", 2, false, true, false};
    options again = stored;
    again.recompute = true;
    const int changed = check_against(ctx, &again, &stored, "recomputed", 0, &r);
    assert_true(changed >= 10);
    at_expect_clean(&r);
    at_test_done(ctx);
}

AT_TEST(test_random_graphs_exact__kernels_equal_the_references)
{
    static const char *const kernels[] = {"base", "avx2", "avx512"};
    at_ctx *ctx = at_test_ctx();
    at_report r = {0};
    for (int k = 0; k <= (int)ctx->isa; k++)
        check_against(ctx, &(options){"cpu", kernels[k], 2, false, false, false},
                      &(options){"cpu", "ref", 2, false, false, false}, kernels[k], AT_TOL_MODEL, &r);
    at_expect_clean(&r);
    at_test_done(ctx);
}

static bool has_op(const at_graph *g, const at_op *op)
{
    bool has = false;
    for (int i = 0; i < g->n_nodes; i++) has |= g->nodes[i]->op == op;
    return has;
}

/* No rule goes without a graph in which it serves. */
AT_TEST(test_random_graphs_exact__every_fusion_serves)
{
    at_ctx *ctx = at_test_ctx();
    at_report r = {0};
    const at_fusion *f;
    int cursor = 0;
    while ((f = at_registry_next(ctx, "fusion", &cursor))) {
        int n = 0;
        for (int graph = 0; graph < GRAPHS; graph++) {
            net t;
            open_net(&t, ctx, seed_of(graph), &(options){"cpu", "auto", 1, false, true, false});
            n += has_op(t.g, f->fused);
            close_net(&t);
        }
        at_report_at(&r, "%s", f->name);
        at_report_check(&r, n > 0, "%d graphs", n);
    }
    at_expect_clean(&r);
    at_test_done(ctx);
}

AT_TEST(test_random_graphs_exact__fused_graphs_equal_composed_ones)
{
    const double tol = sizeof(at_real) == sizeof(double) ? AT_TOL_EXACT : AT_TOL_MODEL;
    at_ctx *ctx = at_test_ctx();
    at_report r = {0};
    const int fused = check_against(ctx, &(options){"cpu", "auto", 2, false, true, false},
                                    &(options){"cpu", "auto", 2, false, false, false}, "fused", tol, &r);
    assert_true(fused >= 5);
    at_expect_clean(&r);
    at_test_done(ctx);
}
