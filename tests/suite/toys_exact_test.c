/* toys_exact_test.c: the toys below the tasks, in both libraries: their ops pass the automatic suite; the toy
 * network, with two inputs, ragged rows and adapters, has the gradient that finite differences have; int8
 * states serve forward, backward, gather and files. */
#include "adapters/adapter.h"
#include "formats/safetensors.h"
#include "models/model.h"
#include "ops/linear/linear.h"
#include "ops/toy_bag/toy_bag.h"
#include "ops/toy_squared/toy_squared.h"
#include "tests/harness/bare.h"
#include "tests/harness/opcheck.h"
#include "tests/harness/small.h"
#include "tests/harness/tolerance.h"
#include "tests/harness/toyfolder.h"
#include "tests/toys/toys.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- Ops ---- */

AT_TEST(test_toys_exact__ops_pass_the_automatic_suite)
{
    static const at_op *const ops[] = {&at_op_toy_bag, &at_op_toy_scale, &at_op_toy_squared};
    at_ctx *ctx = at_test_ctx();
    at_report r = {0};
    at_toys_add(ctx);
    for (int i = 0; i < AT_COUNT(ops); i++) {
        at_check_refusals(ctx, ops[i], &r);
        for (const at_op_case *k = ops[i]->cases; k->name; k++) {
            at_check_kernels(ctx, ops[i], k, &r);
            if (sizeof(at_real) == sizeof(double)) at_check_gradient(ctx, ops[i], k, &r);
        }
    }
    at_expect_clean(&r);
    at_test_done(ctx);
}

/* An output that nobody uses is never materialised, and its dy is none. */
AT_TEST(test_toys_exact__an_unused_output_costs_nothing)
{
    at_ctx *ctx = at_test_ctx();
    at_report r = {0};
    size_t one = 0;                        /* bytes of one output */
    for (int used = 1; used < 4; used++) { /* bit 0: the sum, bit 1: the squares */
        at_bare t;
        at_real table[6] = {1, 2, 3, 4, 5, 6}, seeds[2][4], flat[6 + 16], want[6] = {0};
        const int32_t ids[] = {0, 2, 2, 1};
        at_bare_open(&t, ctx, "cpu", AT_TRAIN, 2);
        at_state *s;
        at_expect_ok(ctx, at_store_add(&s, t.store, "table", AT_TRAINABLE, 2, (const int64_t[]){3, 2}));
        at_expect_ok(ctx, at_state_set(t.store, s, table));
        at_value *codes = at_bare_rows(&t, "ids", AT_INT, 2), *dy[2], *outputs[2];
        const at_bag bag = at_toy_bag(t.g, at_read(t.g, s), codes);
        int n = 0;
        for (int o = 0; o < 2; o++) {
            if (!(used >> o & 1)) continue;
            outputs[n] = o ? bag.squares : bag.sum;
            dy[n++] = at_bare_rows(&t, o ? "d1" : "d0", AT_ACT, 2);
        }
        at_gradients(t.g, outputs, dy, n);
        const at_node *back = at_read(t.g, s)->grad->node;
        assert_int_equal(back->in[2] != NULL, used & 1);
        assert_int_equal(back->in[3] != NULL, used >> 1 & 1);
        at_expect_ok(ctx, at_store_layout(t.store, t.g));
        at_bare_plan(&t, outputs, n, NULL);
        if (used == 1) one = at_plan_memory(t.plan).activations;
        assert_int_equal(at_plan_memory(t.plan).activations, (size_t)n * one);
        for (int k = 0; k < n; k++)
            for (int i = 0; i < 4; i++) seeds[k][i] = (at_real)(10 * k + i + 1);
        at_plan_write(t.plan, codes, ids, 2);
        for (int k = 0; k < n; k++) at_plan_write(t.plan, dy[k], seeds[k], 2);
        at_bare_run(&t, 2, 0);
        at_expect_ok(ctx, at_state_get(t.store, t.store->gradient, flat));
        for (int k = 0; k < n; k++)
            for (int i = 0; i < 8; i++) { /* sample i/4, code i/2 % 2, column i % 2 */
                const int at = 2 * ids[i / 2] + i % 2;
                want[at] += seeds[k][i / 4 * 2 + i % 2] * (outputs[k] == bag.squares ? 2 * table[at] : 1);
            }
        at_report_same(&r, "dtable", flat + s->offset, want, sizeof want);
        at_bare_close(&t);
    }
    assert_true(one > 0);
    at_expect_clean(&r);
    at_test_done(ctx);
}

/* ---- The network ---- */

enum { SAMPLES = 5, MOST_ROWS = 12 };

typedef struct rig {
    at_ctx *ctx;
    at_device *device;
    at_model *model;
    at_graph *g;
    at_plan *plan;
    at_inputs in;
    at_value *target, *output;
    at_squared loss;
    int64_t extents[2]; /* samples, rows */
} rig;

static at_value *add_input(rig *t, const char *name, at_type type, const at_extent *extent, int64_t first,
                           int64_t columns)
{
    const int64_t dim[] = {first, columns};
    t->in.list[t->in.n].name = name;
    return t->in.list[t->in.n++].value = at_input(t->g, name, type, extent, extent ? 2 : 1, dim);
}

static void open_network(rig *t, at_ctx *ctx, const char *folder, bool adapt, at_mode mode)
{
    *t = (rig){.ctx = ctx};
    at_expect_ok(ctx, at_device_open(&t->device, ctx, "cpu"));
    at_expect_ok(ctx, at_model_open(&t->model, ctx, t->device, folder));
    at_expect_ok(ctx, t->model->head.in_file ? at_model_keep_head(t->model)
                                             : at_model_new_head(t->model, 1, NULL, 3));
    at_net *net = &t->model->net;
    const int n = net->n_sites;
    for (int i = 0; i < n && adapt; i++)
        if (strcmp(net->sites[i]->name, "table") != 0)
            at_expect_ok(ctx, at_hang_on(&at_adapter_toy_gain, net, net->sites[i]));
    for (int i = 0; i < net->n_params && mode == AT_TRAIN; i++) net->params[i]->trainable = true;
    at_net_assign_roles(net);
    at_expect_ok(ctx, at_graph_create(&t->g, ctx, net->store, mode));
    const at_extent *samples = at_graph_extent(t->g, "samples", SAMPLES),
                    *rows = at_graph_extent(t->g, "rows", MOST_ROWS);
    add_input(t, "measures", AT_ACT, rows, 1, AT_TOY_COLUMNS);
    add_input(t, "codes", AT_INT, samples, 1, AT_TOY_CODES);
    add_input(t, "offsets", AT_INT, NULL, SAMPLES + 1, 0);
    t->target = add_input(t, "target", AT_ACT, samples, 1, 1);
    t->output = t->model->architecture->build(t->model, t->g, &t->in);
}

static void close_network(rig *t)
{
    at_plan_destroy(t->plan);
    at_graph_destroy(t->g);
    at_model_close(t->model);
    at_device_close(t->device);
}

/* Samples of 3, 0, 4, 1 and 2 rows; the rows behind the last are never looked at. */
static void feed(rig *t)
{
    static const int32_t offsets[SAMPLES + 1] = {0, 3, 3, 7, 8, 10},
                                           codes[SAMPLES * AT_TOY_CODES] = {0, 1, 4, 4, 2, 3, 1, 0, 3, 3};
    at_real measures[MOST_ROWS * AT_TOY_COLUMNS], target[SAMPLES];
    for (int i = 0; i < MOST_ROWS * AT_TOY_COLUMNS; i++)
        measures[i] = (at_real)(i < 10 * AT_TOY_COLUMNS ? sin(3.0 * i + 1) : (double)NAN);
    for (int i = 0; i < SAMPLES; i++) target[i] = (at_real)(i - 2);
    t->extents[0] = SAMPLES;
    t->extents[1] = MOST_ROWS;
    at_plan_write(t->plan, t->in.list[0].value, measures, MOST_ROWS);
    t->extents[1] = 10;
    at_plan_write(t->plan, t->in.list[1].value, codes, SAMPLES);
    at_plan_write(t->plan, t->in.list[2].value, offsets, SAMPLES + 1);
    at_plan_write(t->plan, t->target, target, SAMPLES);
}

static double loss_of(rig *t)
{
    at_real loss;
    at_plan_run(t->plan, &(at_pass){.extents = t->extents});
    at_plan_fetch(t->plan, t->loss.sum, &loss);
    at_expect_ok(t->ctx, at_plan_sync(t->plan));
    return (double)loss;
}

/* Every parameter: encoder, table, head, and both adapters. */
static void compare_with_differences(rig *t, at_report *r)
{
    const at_store *s = t->model->net.store;
    at_real *flat = malloc((size_t)s->gradient->count * sizeof *flat),
            *x = malloc((size_t)s->master->count * sizeof *x);
    loss_of(t);
    at_expect_ok(t->ctx, at_state_get(t->model->net.store, s->gradient, flat));
    double largest = 0;
    for (int64_t i = 0; i < s->gradient->count; i++) largest = fmax(largest, fabs((double)flat[i]));
    for (int k = 0; k < s->n_ranges; k++) {
        at_state *p = at_store_find(s, s->ranges[k].state->name);
        at_expect_ok(t->ctx, at_state_get(t->model->net.store, p, x));
        for (int64_t i = 0; i < p->count; i++) {
            const at_real at = x[i];
            double side[2];
            for (int d = 0; d < 2; d++) {
                x[i] = at + (at_real)(d ? -AT_GRADIENT_STEP : AT_GRADIENT_STEP);
                at_expect_ok(t->ctx, at_state_set(t->model->net.store, p, x));
                side[d] = loss_of(t);
            }
            x[i] = at;
            const double numeric = (side[0] - side[1]) / (2 * AT_GRADIENT_STEP),
                         analytic = (double)flat[p->offset + i];
            const double scale = fmax(fmax(fabs(numeric), fabs(analytic)), 1e-3 * largest);
            at_report_check(r, fabs(numeric - analytic) / scale < AT_TOL_GRADIENT,
                            "%s[%lld]: %g, by differences %g", p->name, (long long)i, analytic, numeric);
        }
        at_expect_ok(t->ctx, at_state_set(t->model->net.store, p, x));
    }
    free(flat), free(x);
}

AT_TEST(test_toys_exact__the_network_has_the_gradient_of_finite_differences)
{
    if (sizeof(at_real) != sizeof(double)) return; /* counted in the double-precision program */
    at_ctx *ctx = at_test_ctx();
    char folder[1024];
    rig t;
    at_report r = {0};
    at_toys_add(ctx);
    at_toyfolder_model(ctx, at_test_folder(folder, "toy_network_f64"), true);
    open_network(&t, ctx, folder, true, AT_TRAIN);
    t.loss = at_toy_squared(t.g, t.output, t.target);
    at_gradients(t.g, &t.loss.sum, &(at_value *){NULL}, 1);
    at_step_sum(t.g, t.loss.sum);
    at_expect_ok(ctx, at_graph_finish(t.g));
    at_expect_ok(ctx, at_store_layout(t.model->net.store, t.g));
    assert_int_equal(t.model->net.store->n_ranges, 7); /* two weights and biases, the table, two gains */
    at_expect_ok(ctx, at_plan_create(&t.plan, t.g, NULL));
    feed(&t);
    compare_with_differences(&t, &r);
    at_expect_clean(&r);
    close_network(&t);
    at_test_done(ctx);
}

/* ---- Adapters ---- */

static void forward(rig *t, at_real out[SAMPLES])
{
    at_expect_ok(t->ctx, at_graph_finish(t->g));
    at_expect_ok(t->ctx,
                 at_plan_create(&t->plan, t->g, &(at_plan_options){.fetches = &t->output, .n_fetches = 1}));
    feed(t);
    at_plan_run(t->plan, &(at_pass){.extents = t->extents});
    at_plan_fetch(t->plan, t->output, out);
    at_expect_ok(t->ctx, at_plan_sync(t->plan));
}

static void set_gain(rig *t, const char *site, double gain)
{
    char name[64];
    const at_real value = (at_real)gain;
    snprintf(name, sizeof name, "%s.toy_gain", site);
    at_expect_ok(t->ctx, at_state_set(t->model->net.store, at_store_find(t->model->net.store, name), &value));
}

AT_TEST(test_toys_exact__an_adapter_is_neutral_at_first_and_merges)
{
    at_ctx *ctx = at_test_ctx();
    char folder[1024], saved[1024], name[64];
    rig t;
    at_report r = {0};
    at_real plain[SAMPLES], neutral[SAMPLES], adapted[SAMPLES], merged[SAMPLES];
    const char *suffix = sizeof(at_real) == sizeof(double) ? "f64" : "f32";
    at_toys_add(ctx);
    snprintf(name, sizeof name, "toy_adapter_%s", suffix);
    at_toyfolder_model(ctx, at_test_folder(folder, name), false);
    open_network(&t, ctx, folder, false, AT_EVAL);
    forward(&t, plain);
    close_network(&t);
    open_network(&t, ctx, folder, true, AT_EVAL);
    forward(&t, neutral);
    close_network(&t);
    at_report_same(&r, "at neutral strength", neutral, plain, sizeof plain);

    open_network(&t, ctx, folder, true, AT_EVAL);
    set_gain(&t, "encode", 1.5);
    set_gain(&t, "value", -0.75);
    forward(&t, adapted);
    snprintf(name, sizeof name, "toy_merged_%s", suffix);
    at_expect_ok(ctx, at_model_save(t.model, at_test_folder(saved, name)));
    at_report_check(&r, memcmp(adapted, plain, sizeof plain) != 0, "the adapter does nothing");
    t.model->head.site->intercepts->merge = NULL;
    at_expect_error(ctx, at_model_save(t.model, saved), AT_E_UNSUPPORTED,
                    "value: the adapter toy-gain cannot be merged");
    at_expect_error(ctx, at_hang_on(&at_adapter_toy_gain, &t.model->net, t.model->head.site), AT_E_STATE,
                    "value: toy-gain is attached already");
    close_network(&t);
    open_network(&t, ctx, saved, false, AT_EVAL); /* a plain network that has the same output */
    forward(&t, merged);
    at_report_close(&r, "merged", merged, adapted, SAMPLES, AT_TOL_KERNEL);
    close_network(&t);
    at_expect_clean(&r);
    at_test_done(ctx);
}

/* ---- int8 states ---- */

enum { ROWS = 6, COLUMNS = 10 };

/* A file with codes and scales, as saving a quantised state writes it. */
static void save_codes(at_ctx *ctx, const char *path, const int8_t *codes, const float *scales)
{
    const at_tensor tensors[] = {
        {.name = "w.scale", .dtype = AT_F32, .rank = 1, .dim = {ROWS}, .data = scales},
        {.name = "w", .dtype = AT_I8, .rank = 2, .dim = {ROWS, COLUMNS}, .data = codes}};
    at_expect_ok(ctx, at_safetensors_write(ctx, path, tensors, 2, NULL));
}

/* y = x W^T, dx = dy W and a bag of W's rows, through W's loader or from the dense numbers that it stands
 * for. */
static void use_weight(at_ctx *ctx, at_safetensors *file, const at_real *dense, const char *kernels,
                       bool budget, at_real *out)
{
    at_bare t;
    at_state *w;
    at_real x_data[4 * COLUMNS], d[4 * ROWS];
    const int32_t ids[] = {0, 5, 3, 3, 2, 1, 4, 0};
    at_bare_open(&t, ctx, "cpu", AT_TRAIN, 4);
    if (!budget) t.store->prepared_budget = 0;
    at_expect_ok(ctx, at_store_add(&w, t.store, "w", AT_FROZEN, 2, (const int64_t[]){ROWS, COLUMNS}));
    if (dense) {
        at_expect_ok(ctx, at_state_set(t.store, w, dense));
    } else {
        const void *const host[] = {at_safetensors_find(file, "w")->data,
                                    at_safetensors_find(file, "w.scale")->data};
        at_expect_ok(ctx, at_state_bind(t.store, w, &at_storage_toy_int8, host));
    }
    at_value *x = at_bare_rows(&t, "x", AT_ACT, COLUMNS), *dy = at_bare_rows(&t, "dy", AT_ACT, ROWS);
    at_value *codes = at_bare_rows(&t, "ids", AT_INT, 2);
    x->want_grad = true;
    at_value *y = at_linear(t.g, x, at_read(t.g, w), NULL),
             *bag = at_toy_bag(t.g, at_read(t.g, w), codes).sum;
    at_gradients(t.g, &y, &dy, 1);
    at_value *fetch[] = {y, x->grad, bag};
    at_bare_plan(&t, fetch, 3, kernels);
    for (int i = 0; i < 4 * COLUMNS; i++) x_data[i] = (at_real)cos(i);
    for (int i = 0; i < 4 * ROWS; i++) d[i] = (at_real)sin(i);
    at_plan_write(t.plan, x, x_data, 4);
    at_plan_write(t.plan, dy, d, 4);
    at_plan_write(t.plan, codes, ids, 4);
    at_bare_run(&t, 4, 0);
    at_bare_fetch(&t, y, out);
    at_bare_fetch(&t, x->grad, out + 4 * ROWS);
    at_bare_fetch(&t, bag, out + 4 * ROWS + 4 * COLUMNS);
    at_bare_close(&t);
}

AT_TEST(test_toys_exact__int8_states_serve_forward_backward_gather_and_files)
{
    static const char *const kernels[] = {"auto", "ref", "base"};
    at_ctx *ctx = at_test_ctx();
    char folder[1024], path[1100];
    int8_t codes[ROWS * COLUMNS];
    float scales[ROWS];
    at_real values[ROWS * COLUMNS], dense[ROWS * COLUMNS];
    at_safetensors *file;
    at_report r = {0};
    at_toys_add(ctx);
    for (int i = 0; i < ROWS * COLUMNS; i++) values[i] = (at_real)(sin(i) * (1 + i / COLUMNS));
    for (int m = 0; m < ROWS; m++)
        at_storage_toy_int8.store((void *const[]){codes, scales}, values + m * COLUMNS, COLUMNS, m);
    at_test_folder(folder, sizeof(at_real) == sizeof(double) ? "toy_int8_f64" : "toy_int8_f32");
    snprintf(path, sizeof path, "%s/w.safetensors", folder);
    save_codes(ctx, path, codes, scales);
    at_expect_ok(ctx, at_safetensors_open(&file, ctx, path));
    const void *const host[] = {at_safetensors_find(file, "w")->data,
                                at_safetensors_find(file, "w.scale")->data};
    for (int m = 0; m < ROWS; m++) {
        at_storage_toy_int8.load(dense + m * COLUMNS, host, COLUMNS, m, 0, COLUMNS);
        for (int i = 0; i < COLUMNS; i++) /* half a step of the row's scale */
            at_report_check(&r,
                            fabs((double)(dense[m * COLUMNS + i] - values[m * COLUMNS + i])) <=
                                0.501 * (double)scales[m],
                            "code %d of row %d", i, m);
    }
    for (int k = 0; k < AT_COUNT(kernels); k++)
        for (int budget = 0; budget < 2; budget++) {
            at_real got[4 * (ROWS + 2 * COLUMNS)], want[4 * (ROWS + 2 * COLUMNS)];
            use_weight(ctx, file, NULL, kernels[k], budget, got);
            use_weight(ctx, NULL, dense, kernels[k], budget, want);
            at_report_at(&r, "kernels=%s, budget %d", kernels[k], budget);
            at_report_same(&r, "y, dx, bag", got, want, sizeof got);
        }
    at_expect_clean(&r);
    at_safetensors_close(ctx, file);
    at_test_done(ctx);
}

/* A state in a storage of bytes may be told to learn: it becomes a float master. */
AT_TEST(test_toys_exact__a_quantised_state_that_learns_becomes_a_master)
{
    at_ctx *ctx = at_test_ctx();
    char folder[1024];
    rig t;
    at_toys_add(ctx);
    at_toyfolder_model(
        ctx, at_test_folder(folder, sizeof(at_real) == sizeof(double) ? "toy_u8_f64" : "toy_u8_f32"), false);
    open_network(&t, ctx, folder, false, AT_TRAIN);
    t.loss = at_toy_squared(t.g, t.output, t.target);
    at_state *table = at_store_find(t.model->net.store, "table.weight");
    assert_string_equal(table->storage->name, "toy-u8");
    at_real before[AT_TOY_VOCABULARY * AT_TOY_HIDDEN], after[AT_TOY_VOCABULARY * AT_TOY_HIDDEN];
    at_expect_ok(ctx, at_state_get(t.model->net.store, table, before));
    at_gradients(t.g, &t.loss.sum, &(at_value *){NULL}, 1);
    at_expect_ok(ctx, at_graph_finish(t.g));
    at_expect_ok(ctx, at_store_layout(t.model->net.store, t.g));
    assert_ptr_equal(table->storage, at_storage_of(ctx, AT_REAL));
    at_expect_ok(ctx, at_state_get(t.model->net.store, table, after));
    assert_memory_equal(before, after, sizeof before);
    close_network(&t);
    at_test_done(ctx);
}
