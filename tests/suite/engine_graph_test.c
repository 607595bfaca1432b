/* engine_graph_test.c: building graphs: the first mistake is kept with its site, nothing is promoted, shapes
 * are 64-bit and checked, views alias, sums of gradients have one order, states are assigned once. */
#include "engine/view.h"
#include "ops/add/add.h"
#include "ops/lerp/lerp.h"
#include "ops/linear/linear.h"
#include "ops/relu/relu.h"
#include "ops/toy_scale/toy_scale.h"
#include "tests/harness/bare.h"
#include "tests/harness/report.h"

static double ramp(int64_t i)
{
    return 0.25 * (double)(i % 7) - 0.5;
}

/* ---- Errors ---- */

AT_TEST(test_graph__keeps_the_first_error_with_its_site)
{
    at_ctx *ctx = at_test_ctx();
    at_bare t;
    at_bare_open(&t, ctx, "cpu", AT_TRAIN, 4);
    at_state *w = at_bare_state(&t, "w", AT_FROZEN, 2, (const int64_t[]){3, 5}, ramp);
    at_value *x = at_bare_rows(&t, "x", AT_ACT, 4);
    at_graph_site(t.g, "layers.%d.up", 3);
    at_value *y = at_linear(t.g, x, at_read(t.g, w), NULL);
    at_graph_site(t.g, "layers.4.down");
    y = at_relu(t.g, at_add(t.g, y, x)); /* takes what failed and goes on */
    assert_non_null(y);
    assert_int_equal(t.g->n_nodes, 0);
    at_status s = at_graph_finish(t.g);
    at_expect_error(ctx, s, AT_E_SHAPE, "layers.3.up: linear: w must be [out,in=4]");
    at_expect_error(ctx, at_plan_create(&t.plan, t.g, NULL), AT_E_SHAPE, "");
    assert_null(t.plan);
    at_bare_close(&t);
    at_test_done(ctx);
}

AT_TEST(test_graph__promotes_nothing)
{
    at_ctx *ctx = at_test_ctx();
    at_bare t;
    at_bare_open(&t, ctx, "cpu", AT_TRAIN, 4);
    at_value *x = at_bare_rows(&t, "x", AT_ACT, 4), *ids = at_bare_rows(&t, "ids", AT_INT, 4);
    at_graph_site(t.g, "mix");
    at_add(t.g, x, ids);
    at_status s = at_graph_finish(t.g);
    at_expect_error(ctx, s, AT_E_DTYPE, "mix: add: input 1 is int, must be act (casts are ops)");
    at_bare_close(&t);
    at_bare_open(&t, ctx, "cpu", AT_TRAIN, 4);
    at_linear(t.g, at_bare_rows(&t, "x", AT_ACT, 4), at_bare_rows(&t, "w", AT_ACT, 4), NULL);
    s = at_graph_finish(t.g);
    at_expect_error(ctx, s, AT_E_DTYPE, "input 1 is act, must be acc");
    at_bare_close(&t);
    at_test_done(ctx);
}

AT_TEST(test_graph__refuses_a_gradient_where_there_is_none)
{
    at_ctx *ctx = at_test_ctx();
    at_bare t;
    at_bare_open(&t, ctx, "cpu", AT_TRAIN, 4);
    at_state *a = at_bare_state(&t, "a", AT_TRAINABLE, 1, (const int64_t[]){4}, ramp);
    at_graph_site(t.g, "mean");
    at_value *y = at_lerp(t.g, at_read(t.g, a), at_read(t.g, a), 0.5);
    at_value *seed = at_input(t.g, "dy", AT_ACC, NULL, 1, (const int64_t[]){4});
    at_gradients(t.g, &y, &seed, 1);
    at_status s = at_graph_finish(t.g);
    at_expect_error(ctx, s, AT_E_UNSUPPORTED, "mean: lerp has no gradient: statistics do not learn");
    at_bare_close(&t);
    at_test_done(ctx);
}

AT_TEST(test_graph__refuses_a_state_that_no_gradient_reaches)
{
    at_ctx *ctx = at_test_ctx();
    at_bare t;
    at_bare_open(&t, ctx, "cpu", AT_TRAIN, 4);
    at_bare_state(&t, "alone", AT_TRAINABLE, 1, (const int64_t[]){4}, ramp);
    at_expect_error(ctx, at_store_layout(t.store, t.g), AT_E_ARG,
                    "alone is to be trained but no gradient reaches it");
    at_bare_close(&t);
    at_test_done(ctx);
}

/* ---- Shapes ---- */

AT_TEST(test_graph__counts_elements_beyond_32_bits)
{
    at_ctx *ctx = at_test_ctx();
    at_bare t;
    const int64_t G = INT64_C(1) << 30;
    int64_t count;
    assert_true(at_shape_count(&count, 3, (const int64_t[]){6, G, 2}));
    assert_true(count == 12 * G);
    assert_false(at_shape_count(&count, 3, (const int64_t[]){G, G, 16}));
    assert_false(at_shape_count(&count, 2, (const int64_t[]){-1, 3}));
    at_bare_open(&t, ctx, "cpu", AT_TRAIN, 3 * G);
    at_value *x = at_input(t.g, "x", AT_ACT, t.rows, 3, (const int64_t[]){2, 4, 8});
    at_value *y = at_relu(t.g, at_reshape(t.g, x, 2, (const int64_t[]){0, 8}));
    at_expect_ok(ctx, at_graph_finish(t.g));
    assert_true(at_meta_max_rows(&y->meta) == 24 * G);
    assert_true(y->meta.dim[0] == 24 * G);
    assert_true(at_meta_leading(&y->meta, G + 1) == 8 * (G + 1));
    at_bare_close(&t);
    at_test_done(ctx);
}

AT_TEST(test_graph__refuses_counts_beyond_64_bits)
{
    at_ctx *ctx = at_test_ctx();
    at_bare t;
    const int64_t G = INT64_C(1) << 30;
    at_state *s;
    at_bare_open(&t, ctx, "cpu", AT_TRAIN, G);
    at_expect_error(ctx, at_store_add(&s, t.store, "huge", AT_FROZEN, 3, (const int64_t[]){G, G, G}),
                    AT_E_SHAPE, "huge: the element count does not fit 64 bits");
    at_input(t.g, "x", AT_ACT, t.rows, 3, (const int64_t[]){1, G, G});
    at_status status = at_graph_finish(t.g);
    at_expect_error(ctx, status, AT_E_SHAPE, "input x: the element count does not fit 64 bits");
    at_bare_close(&t);
    at_test_done(ctx);
}

/* Counts that fit where bytes do not: the plan must refuse, not allocate what is left after wrapping around.
 */
AT_TEST(test_graph__refuses_bytes_beyond_64_bits)
{
    at_ctx *ctx = at_test_ctx();
    at_bare t;
    const int64_t G = INT64_C(1) << 30;
    at_bare_open(&t, ctx, "cpu", AT_EVAL, G);
    at_value *x = at_input(t.g, "x", AT_ACT, t.rows, 3, (const int64_t[]){1, G, 4});
    at_value *y = at_relu(t.g, x);
    const at_status s = at_plan_create(&t.plan, t.g, &(at_plan_options){.fetches = &y, .n_fetches = 1});
    at_expect_error(ctx, s, AT_E_NOMEM, "x: a value of 1152921504606846976 rows of 4 numbers fits no memory");
    at_bare_close(&t);
    at_test_done(ctx);
}

/* ---- Views ---- */

AT_TEST(test_graph__views_alias_and_refuse_what_they_cannot)
{
    at_ctx *ctx = at_test_ctx();
    at_bare t;
    at_real got[24], want[24], x_data[40];
    at_report r = {0};
    at_bare_open(&t, ctx, "cpu", AT_EVAL, 4);
    at_value *x = at_input(t.g, "x", AT_ACT, t.rows, 3, (const int64_t[]){1, 2, 5});
    at_value *flat = at_reshape(t.g, x, 2, (const int64_t[]){0, 5}); /* [8, 5] */
    at_value *middle = at_columns(t.g, flat, 1, 3);
    at_value *y = at_add(t.g, middle, middle);
    at_bare_plan(&t, &y, 1, NULL);
    for (int i = 0; i < 40; i++) x_data[i] = (at_real)i;
    at_plan_write(t.plan, x, x_data, 4);
    at_bare_run(&t, 4, 0);
    at_bare_fetch(&t, y, got);
    for (int m = 0; m < 8; m++)
        for (int c = 0; c < 3; c++) want[m * 3 + c] = 2 * x_data[m * 5 + 1 + c];
    at_report_same(&r, "columns 1 to 3, doubled", got, want, sizeof got);
    at_expect_clean(&r);
    int cursor = 0;
    at_plan_line line;
    while (at_plan_next(t.plan, &cursor, &line))
        assert_false(line.node->op->view); /* nothing runs for them */
    at_columns(t.g, flat, 3, 3);
    at_expect_error(ctx, at_graph_finish(t.g), AT_E_SHAPE, "columns: [3, 6) is outside the 5 columns");
    at_bare_close(&t);
    at_bare_open(&t, ctx, "cpu", AT_EVAL, 4);
    at_reshape(t.g, at_bare_rows(&t, "x", AT_ACT, 6), 2, (const int64_t[]){0, 4});
    at_expect_error(ctx, at_graph_finish(t.g), AT_E_SHAPE, "reshape:");
    at_bare_close(&t);
    at_test_done(ctx);
}

/* ---- Gradients of views: two op outputs cut from one memory ---- */

static at_status join_infer(at_ctx *ctx, const void *p, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)ctx, (void)p, (void)saved;
    out[0] = in[0];
    out[0].dim[1] += in[1].dim[1];
    return AT_OK;
}

/* dx are column slices of dy: gradients that are views. */
static void join_grad(at_graph *g, const at_node *n, at_value *const *dy, at_value **dx)
{
    const int64_t left = n->in[0]->meta.dim[1];
    if (dx[0]) dx[0] = at_columns(g, dy[0], 0, left);
    if (dx[1]) dx[1] = at_columns(g, dy[0], left, n->in[1]->meta.dim[1]);
}

static at_status join_ref(const at_call *c)
{
    for (int64_t m = 0; m < c->out[0].rows; m++)
        for (int64_t i = 0; i < c->out[0].cols; i++) {
            const int64_t k = i - c->in[0].cols;
            at_put(c, 0, &at_out_row(c, 0, m)[i], (double)(k < 0 ? at_row(c, 0, m)[i] : at_row(c, 1, m)[k]));
        }
    return AT_OK;
}

static const at_op join = {.name = "join",
                           .doc = "columns side by side",
                           .n_in = 2,
                           .n_out = 1,
                           .extent_in = 3,
                           .infer = join_infer,
                           .grad = join_grad,
                           .ref = join_ref};

/* x is read three times; what its consumers contribute are views of other gradients, at another row pitch. */
AT_TEST(test_gradients__sum_views_without_disturbing_what_they_show)
{
    enum { ROWS = 3, LEFT = 8, RIGHT = 5, ALL = LEFT + RIGHT }; /* rows of z lie 8 apart, of both 16 */
    at_ctx *ctx = at_test_ctx();
    at_bare t;
    at_real x_data[ROWS * LEFT], z_data[ROWS * RIGHT], d1[ROWS * ALL], d2[ROWS * ALL], d3[ROWS * LEFT],
        dx[ROWS * LEFT], dz[ROWS * RIGHT], want_x[ROWS * LEFT], want_z[ROWS * RIGHT];
    at_report r = {0};
    at_bare_open(&t, ctx, "cpu", AT_TRAIN, ROWS);
    at_value *x = at_bare_rows(&t, "x", AT_ACT, LEFT), *z = at_bare_rows(&t, "z", AT_ACT, RIGHT);
    x->want_grad = z->want_grad = true;
    at_value *relu = at_relu(t.g, x);
    at_value *outputs[] = {at_op1(t.g, &join, NULL, x, z), at_op1(t.g, &join, NULL, x, z), relu};
    at_value *seeds[] = {at_relu(t.g, at_bare_rows(&t, "d1", AT_ACT, ALL)),
                         at_relu(t.g, at_bare_rows(&t, "d2", AT_ACT, ALL)),
                         at_relu(t.g, at_bare_rows(&t, "d3", AT_ACT, LEFT))};
    at_gradients(t.g, outputs, seeds, 3);
    at_value *fetch[] = {x->grad, z->grad};
    at_bare_plan(&t, fetch, 2, "ref");
    for (int i = 0; i < ROWS * LEFT; i++) x_data[i] = 1, d3[i] = (at_real)(1000 + i);
    for (int i = 0; i < ROWS * RIGHT; i++) z_data[i] = 2;
    for (int i = 0; i < ROWS * ALL; i++) d1[i] = (at_real)(1 + i), d2[i] = (at_real)(100 + i);
    at_plan_write(t.plan, x, x_data, ROWS);
    at_plan_write(t.plan, z, z_data, ROWS);
    for (int i = 0; i < 3; i++)
        at_plan_write(t.plan, seeds[i]->node->in[0], i == 0 ? d1 : i == 1 ? d2 : d3, ROWS);
    at_bare_run(&t, ROWS, 0);
    at_bare_fetch(&t, x->grad, dx);
    at_bare_fetch(&t, z->grad, dz);
    for (int m = 0; m < ROWS; m++) {
        for (int c = 0; c < LEFT; c++)
            want_x[m * LEFT + c] = d1[m * ALL + c] + d2[m * ALL + c] + d3[m * LEFT + c];
        for (int c = 0; c < RIGHT; c++)
            want_z[m * RIGHT + c] = d1[m * ALL + LEFT + c] + d2[m * ALL + LEFT + c];
    }
    at_report_same(&r, "dx", dx, want_x, sizeof dx);
    at_report_same(&r, "dz", dz, want_z, sizeof dz);
    at_expect_clean(&r);
    at_bare_close(&t);
    at_test_done(ctx);
}

/* ---- States ---- */

/* An op whose gradient is a state itself: y = sum of w x, dx = w. The sum of two such gradients must not be
 * made in the state's memory. */
static at_status dot_infer(at_ctx *ctx, const void *p, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)ctx, (void)p, (void)saved, (void)in;
    out[0] = at_meta_vector(AT_ACC, 1);
    return AT_OK;
}

static void dot_grad(at_graph *g, const at_node *n, at_value *const *dy, at_value **dx)
{
    (void)g, (void)dy;
    if (dx[0]) dx[0] = n->in[1];
}

static at_status dot_ref(const at_call *c)
{
    double sum = 0;
    for (int64_t i = 0; i < c->in[0].cols; i++)
        sum += (double)at_row(c, 0, 0)[i] * (double)at_row(c, 1, 0)[i];
    at_put(c, 0, at_out_row(c, 0, 0), sum);
    return AT_OK;
}

static const at_op dot = {.name = "dot",
                          .doc = "sum of products, whose gradient is taken as for a seed of 1",
                          .n_in = 2,
                          .n_out = 1,
                          .acc_in = 3,
                          .constant_in = 2,
                          .loss = true,
                          .infer = dot_infer,
                          .grad = dot_grad,
                          .ref = dot_ref};

AT_TEST(test_gradients__never_add_into_a_state)
{
    at_ctx *ctx = at_test_ctx();
    at_bare t;
    at_real x_data[] = {1, 2, 3}, dx[3], after[2][3];
    at_bare_open(&t, ctx, "cpu", AT_TRAIN, 1);
    at_state *u = at_bare_state(&t, "u", AT_FROZEN, 1, (const int64_t[]){3}, ramp);
    at_state *w = at_bare_state(&t, "w", AT_FROZEN, 1, (const int64_t[]){3}, ramp);
    at_value *x = at_input(t.g, "x", AT_ACC, NULL, 1, (const int64_t[]){3});
    x->want_grad = true;
    at_value *outputs[] = {at_op1(t.g, &dot, NULL, x, at_read(t.g, u)),
                           at_op1(t.g, &dot, NULL, x, at_read(t.g, w))};
    at_gradients(t.g, outputs, (at_value *[]){NULL, NULL}, 2);
    at_bare_plan(&t, &x->grad, 1, NULL);
    at_plan_write(t.plan, x, x_data, 1);
    for (int i = 0; i < 2; i++) {
        at_bare_run(&t, 1, 0);
        at_bare_fetch(&t, x->grad, dx);
        for (int k = 0; k < 3; k++) assert_true((double)dx[k] == 2 * ramp(k));
    }
    at_expect_ok(ctx, at_state_get(t.store, u, after[0]));
    at_expect_ok(ctx, at_state_get(t.store, w, after[1]));
    for (int k = 0; k < 6; k++) assert_true((double)after[k / 3][k % 3] == ramp(k % 3));
    at_bare_close(&t);
    at_test_done(ctx);
}

/* A state that two sites use: one value, one gradient that is the sum, one place in the flat range. Fetching
 * it changes nothing of that. */
static void check_shared(at_ctx *ctx, bool fetched)
{
    enum { ROWS = 3, C = 4 };
    at_bare t;
    at_real x_data[ROWS * C], d[ROWS * C], flat[64], dw;
    at_bare_open(&t, ctx, "cpu", AT_TRAIN, ROWS);
    at_state *s = at_bare_state(&t, "shared", AT_TRAINABLE, 1, (const int64_t[]){1}, ramp);
    at_value *x = at_bare_rows(&t, "x", AT_ACT, C), *seeds[2];
    at_value *one = at_toy_scale(t.g, x, at_read(t.g, s)), *two = at_toy_scale(t.g, one, at_read(t.g, s));
    assert_ptr_equal(at_read(t.g, s), at_read(t.g, s));
    seeds[0] = at_bare_rows(&t, "dy", AT_ACT, C);
    at_gradients(t.g, &two, seeds, 1);
    at_expect_ok(ctx, at_graph_finish(t.g));
    at_expect_ok(ctx, at_store_layout(t.store, t.g));
    assert_int_equal(t.store->n_ranges, 1);
    at_value *fetch[] = {two, at_read(t.g, s)->grad};
    at_bare_plan(&t, fetch, fetched ? 2 : 1, NULL);
    double sum = 0;
    for (int i = 0; i < ROWS * C; i++) {
        x_data[i] = (at_real)(i % 5) - 2;
        d[i] = (at_real)(i % 3) - 1;
        sum += 2 * ramp(0) * (double)x_data[i] * (double)d[i]; /* y = s^2 x */
    }
    at_plan_write(t.plan, x, x_data, ROWS);
    at_plan_write(t.plan, seeds[0], d, ROWS);
    for (int micro = 0; micro < 2; micro++) {
        at_bare_run(&t, ROWS, micro);
        at_expect_ok(ctx, at_state_get(t.store, t.store->gradient, flat));
        if ((double)flat[s->offset] != (micro + 1) * sum) /* multiples of 1/2: no rounding */
            fail_msg("pass %d, %s: %g, expected %g", micro, fetched ? "fetched" : "not fetched",
                     (double)flat[s->offset], (micro + 1) * sum);
        if (!fetched) continue;
        at_bare_fetch(&t, fetch[1], &dw);
        assert_true(dw == flat[s->offset]);
    }
    at_bare_close(&t);
}

AT_TEST(test_gradients__of_a_shared_state_are_one)
{
    at_ctx *ctx = at_test_ctx();
    check_shared(ctx, false);
    check_shared(ctx, true);
    at_test_done(ctx);
}

AT_TEST(test_graph__assigns_a_running_state_once_and_lets_no_later_node_read_it)
{
    at_ctx *ctx = at_test_ctx();
    at_bare t;
    at_bare_open(&t, ctx, "cpu", AT_TRAIN, 2);
    at_state *s = at_bare_state(&t, "mean", AT_RUNNING, 1, (const int64_t[]){3}, ramp);
    at_value *x = at_input(t.g, "x", AT_ACC, NULL, 1, (const int64_t[]){3});
    at_graph_site(t.g, "norm");
    at_assign(t.g, s, at_lerp(t.g, at_read(t.g, s), x, 0.5));
    at_assign(t.g, s, at_lerp(t.g, at_read(t.g, s), x, 0.25));
    at_expect_error(ctx, at_graph_finish(t.g), AT_E_STATE, "norm: assign: mean has its next value already");
    at_bare_close(&t);

    at_bare_open(&t, ctx, "cpu", AT_TRAIN, 2);
    s = at_bare_state(&t, "mean", AT_RUNNING, 1, (const int64_t[]){3}, ramp);
    x = at_input(t.g, "x", AT_ACC, NULL, 1, (const int64_t[]){3});
    at_graph_site(t.g, "norm");
    at_assign(t.g, s, at_lerp(t.g, at_read(t.g, s), x, 0.5));
    at_graph_site(t.g, "later");
    at_value *late =
        at_lerp(t.g, at_read(t.g, s), x, 0.5); /* would see its own pass's value, from the second pass on */
    at_expect_ok(ctx, at_graph_finish(t.g));
    at_expect_ok(ctx, at_store_layout(t.store, t.g));
    at_expect_error(ctx, at_plan_create(&t.plan, t.g, &(at_plan_options){.fetches = &late, .n_fetches = 1}),
                    AT_E_STATE, "later (lerp): reads mean after norm (lerp) assigned it");
    at_bare_close(&t);
    at_test_done(ctx);
}

AT_TEST(test_graph__lets_no_node_of_a_pass_read_what_adds_up_over_passes)
{
    at_ctx *ctx = at_test_ctx();
    at_bare t;
    at_bare_open(&t, ctx, "cpu", AT_TRAIN, 2);
    at_value *x = at_input(t.g, "x", AT_ACC, NULL, 1, (const int64_t[]){3});
    at_value *sum = at_lerp(t.g, x, x, 0.5), *y = at_lerp(t.g, sum, x, 0.5);
    at_step_sum(t.g, sum);
    at_expect_error(ctx, at_plan_create(&t.plan, t.g, &(at_plan_options){.fetches = &y, .n_fetches = 1}),
                    AT_E_STATE, "lerp: reads a value that adds up over the micro passes");
    at_bare_close(&t);
    at_test_done(ctx);
}
