/* sparse_test.c: a table of which a training names few rows: gradient and moments of the others take no
 * memory, and their values still decay. */
#include "engine/plan.h"
#include "ops/embedding/embedding.h"
#include "ops/linear/linear.h"
#include "ops/optim/adamw.h"
#include "ops/softmax_xent/softmax_xent.h"
#include "tests/harness/resident.h"
#include "tests/harness/test.h"
#include <math.h>
#include <stdlib.h>

enum { ROWS = 32768, COLS = 64, BATCH = 8, TABLE_BYTES = ROWS * COLS * 4, STEPS = 3, FIRST = 3 };

typedef struct rig {
    at_ctx *ctx;
    at_device *device;
    at_store *store;
    at_graph *g;
    at_plan *plan;
    at_state *table;
    at_value *ids, *label;
    at_commit commit;
} rig;

static at_state *declare(rig *t, const char *name, int64_t rows)
{
    at_state *s;
    at_real *values = calloc((size_t)(rows * COLS), sizeof *values);
    at_expect_ok(t->ctx, at_store_add(&s, t->store, name, AT_TRAINABLE, 2, (const int64_t[]){rows, COLS}));
    for (int64_t i = 0; i < rows * COLS; i++) values[i] = (at_real)sin((double)i);
    at_expect_ok(t->ctx, at_state_set(t->store, s, values));
    free(values);
    return s;
}

/* logits = table[ids] W^T -> cross-entropy -> AdamW. tied: W is the table itself, so that every row learns.
 */
static void open_rig(rig *t, bool tied, const char *kernels)
{
    *t = (rig){.ctx = at_test_ctx()};
    at_expect_ok(t->ctx, at_device_open(&t->device, t->ctx, "cpu"));
    at_expect_ok(t->ctx, at_store_create(&t->store, t->ctx, t->device));
    t->table = declare(t, "table", ROWS);
    at_state *head = tied ? t->table : declare(t, "head", 5);
    at_expect_ok(t->ctx, at_graph_create(&t->g, t->ctx, t->store, AT_TRAIN));
    const at_extent *rows = at_graph_extent(t->g, "rows", BATCH);
    t->ids = at_input(t->g, "ids", AT_INT, rows, 1, (const int64_t[]){1});
    t->label = at_input(t->g, "label", AT_INT, rows, 1, (const int64_t[]){1});
    at_value *x = at_embedding(t->g, at_read(t->g, t->table), t->ids, 0);
    const at_loss loss =
        at_softmax_xent(t->g, at_linear(t->g, x, at_read(t->g, head), NULL), t->label, NULL, 0);
    at_gradients(t->g, &loss.sum, &(at_value *){NULL}, 1);
    at_step_sum(t->g, loss.sum);
    at_step_sum(t->g, loss.weight);
    at_expect_ok(t->ctx, at_graph_finish(t->g));
    at_expect_ok(t->ctx, at_store_layout(t->store, t->g));
    for (int i = 0; i < t->store->n_ranges; i++) t->store->ranges[i].decay = 0.1;
    const at_adamw_options adamw = {0.9, 0.999, 1e-8};
    at_expect_ok(t->ctx,
                 at_build_commit(&t->commit, t->g, loss.sum, loss.weight, 1, &at_optimizer_adamw, &adamw));
    at_expect_ok(t->ctx, at_plan_create(&t->plan, t->g, &(at_plan_options){.kernels = kernels}));
}

static void close_rig(rig *t)
{
    at_plan_destroy(t->plan);
    at_graph_destroy(t->g);
    at_store_destroy(t->store);
    at_device_close(t->device);
    at_test_done(t->ctx);
}

/* Step s names the rows 8 s + 3 to 8 s + 10. */
static void train(rig *t)
{
    const int64_t n = BATCH;
    const at_real rate = (at_real)0.01;
    for (int step = 0; step < STEPS; step++) {
        int32_t ids[BATCH], labels[BATCH];
        for (int i = 0; i < BATCH; i++) ids[i] = FIRST + step * BATCH + i, labels[i] = i % 5;
        at_plan_write(t->plan, t->ids, ids, BATCH);
        at_plan_write(t->plan, t->label, labels, BATCH);
        at_plan_run(t->plan, &(at_pass){.extents = &n});
        at_plan_write(t->plan, t->commit.rate, &rate, 1);
        at_plan_commit(t->plan, &(at_pass){.extents = &n});
    }
    at_expect_ok(t->ctx, at_plan_sync(t->plan));
}

static bool is_named(int64_t row)
{
    return row >= FIRST && row < FIRST + STEPS * BATCH;
}

/* KiB that the table's part of gradient and slots has in memory. The system may count a neighbour's mapping
 * with it: what a training adds is looked at. */
static long resident(const rig *t)
{
    const at_state *const flats[] = {t->store->gradient, t->commit.slots[0], t->commit.slots[1]};
    long kib = 0;
    for (int i = 0; i < AT_COUNT(flats); i++)
        kib += at_resident_kib((const at_real *)flats[i]->buffer[0].data + t->table->offset +
                               t->table->count / 2);
    return kib;
}

/* What a training adds to it. */
static long added(bool tied)
{
    rig t;
    open_rig(&t, tied, NULL);
    const long before = resident(&t);
    train(&t);
    const long kib = resident(&t) - before;
    assert_int_equal(t.table->sparse, !tied);
    close_rig(&t);
    return kib;
}

AT_TEST(test_sparse__rows_that_nothing_names_take_no_memory)
{
    assert_in_range(added(false), 0, 192);
}

AT_TEST(test_sparse__a_table_that_all_rows_of_learn_takes_all)
{
    assert_true(added(true) >= 3 * TABLE_BYTES / 1024);
}

/* As a checkpoint's values come back. */
AT_TEST(test_sparse__what_is_set_in_parts_stays_sparse)
{
    rig t;
    open_rig(&t, false, NULL);
    const at_state *slot = t.commit.slots[0];
    const int64_t row = t.table->offset + 3 * COLS, n = t.table->count;
    at_real *x = calloc((size_t)n, sizeof *x), *y = calloc((size_t)n, sizeof *y);
    for (int i = 0; i < COLS; i++) x[3 * COLS + i] = (at_real)(i + 1);
    const long before = resident(&t);
    at_state_set_part(t.store, slot, t.table->offset, n, x);
    assert_in_range(resident(&t) - before, 0, 64);
    at_expect_ok(t.ctx, at_state_get_part(t.store, slot, t.table->offset, n, y));
    assert_memory_equal(x, y, (size_t)n * sizeof *x);
    const at_real zeros[COLS] = {0}; /* what was not zero is overwritten */
    at_state_set_part(t.store, slot, row, COLS, zeros);
    at_expect_ok(t.ctx, at_state_get_part(t.store, slot, row, COLS, y));
    assert_memory_equal(zeros, y, sizeof zeros);
    free(x);
    free(y);
    close_rig(&t);
}

/* Table and moments behind a training, which begins with moments in a row that no step names. */
static at_real *trained(bool all_named, const char *kernels)
{
    rig t;
    open_rig(&t, false, kernels);
    const int64_t n = t.table->count, at = t.table->offset;
    at_real *x = calloc((size_t)(3 * n), sizeof *x), row[COLS];
    for (int i = 0; i < COLS; i++) row[i] = (at_real)(i + 1);
    if (all_named) memset(t.table->named, 1, ROWS);
    for (int i = 0; i < t.commit.n_slots; i++)
        at_state_set_part(t.store, t.commit.slots[i], at + 1000 * COLS, COLS, row);
    train(&t);
    for (int i = 0; i < ROWS; i++)
        if (t.table->named[i] != (all_named || is_named(i) || i == 1000)) fail_msg("row %d", i);
    at_expect_ok(t.ctx, at_state_get(t.store, t.table, x));
    for (int i = 0; i < 2; i++)
        at_expect_ok(t.ctx, at_state_get_part(t.store, t.commit.slots[i], at, n, x + (1 + i) * n));
    close_rig(&t);
    return x;
}

AT_TEST(test_sparse__a_slot_that_is_set_whole_names_all_rows)
{
    rig t;
    open_rig(&t, false, NULL);
    const at_state *slot = t.commit.slots[0];
    at_real *x = calloc((size_t)slot->count, sizeof *x);
    at_expect_ok(t.ctx, at_state_set(t.store, t.commit.slots[0], x));
    for (int i = 0; i < ROWS; i++)
        if (!t.table->named[i]) fail_msg("row %d", i);
    free(x);
    close_rig(&t);
}

/* By sums of some dozen float32 numbers. */
static void expect_near(const at_real *x, const at_real *y, int64_t n)
{
    double largest = 0, difference = 0;
    for (int64_t i = 0; i < n; i++) {
        largest = fmax(largest, fabs((double)y[i]));
        difference = fmax(difference, fabs((double)x[i] - (double)y[i]));
    }
    assert_true(largest > 0 && difference < 1e-5 * largest);
}

AT_TEST(test_sparse__what_is_not_read_changes_no_bit)
{
    at_real *x = trained(false, NULL), *y = trained(true, NULL), *z = trained(false, "ref");
    assert_memory_equal(x, y, (size_t)3 * ROWS * COLS * sizeof *x);
    for (int slot = 1; slot <= 2; slot++) /* moments, which are sums; updates magnify what they differ by */
        expect_near(x + slot * ROWS * COLS, z + slot * ROWS * COLS, (FIRST + STEPS * BATCH) * COLS);
    const double decayed = sin(1000.0 * COLS) * pow(1 - 0.01 * 0.1, STEPS);
    assert_true(fabs((double)x[1000 * COLS] - decayed) > 1e-3); /* it learns, by its moments */
    free(x);
    free(y);
    free(z);
}

AT_TEST(test_sparse__rows_decay_named_or_not)
{
    rig t;
    open_rig(&t, false, NULL);
    train(&t);
    at_real *x = calloc((size_t)ROWS * COLS, sizeof *x);
    at_expect_ok(t.ctx, at_state_get(t.store, t.table, x));
    const double decayed = (1 - 0.01 * 0.1) * (1 - 0.01 * 0.1) * (1 - 0.01 * 0.1);
    int moved = 0;
    for (int64_t i = 0; i < (int64_t)ROWS * COLS; i++) {
        const double difference = fabs((double)x[i] - sin((double)i) * decayed);
        if (is_named(i / COLS))
            moved += difference > 1e-3; /* and learn */
        else
            assert_true(difference < 1e-6);
    }
    assert_true(moved > STEPS * BATCH * COLS / 2);
    free(x);
    close_rig(&t);
}
