/* embedding_test.c: ids out of range are told, forward and backward; a table is read in whatever storage it
 * has. */
#include "ops/embedding/embedding.h"
#include "tests/harness/rig.h"
#include "tests/harness/test.h"

static const char *const every_kernel[] = {"ref", "base", "avx2", "avx512"};

static at_status run(at_ctx *ctx, const char *kernels, bool gradient, int64_t first, const int32_t ids[3])
{
    const at_op_case k = {
        .name = "here", .param = &(at_embedding_param){first}, .in = {{2, {4, 2}}, {1, {3}}}, .int_below = 1};
    at_real out[8];
    at_rig t;
    at_expect_ok(ctx, at_rig_build(&t, ctx, &at_op_embedding, &k,
                                   &(at_rig_options){.wanted = gradient, .seeded = 1, .kernels = kernels}));
    memcpy(t.data[1], ids, 3 * sizeof *ids);
    const at_status s = at_rig_run(&t, (at_real *const[]){out});
    at_rig_destroy(&t);
    at_clear_error(ctx);
    return s;
}

AT_TEST(test_embedding__ids_out_of_range_are_a_defect)
{
    at_ctx *ctx = at_test_ctx();
    for (int i = 0; i < AT_COUNT(every_kernel); i++)
        for (int gradient = 0; gradient < 2; gradient++) {
            const char *const kernels = every_kernel[i];
            assert_int_equal(run(ctx, kernels, gradient, 0, (const int32_t[]){0, 3, 1}), AT_OK);
            assert_int_equal(run(ctx, kernels, gradient, 0, (const int32_t[]){0, 4, 1}), AT_E_INTERNAL);
            assert_int_equal(run(ctx, kernels, gradient, 0, (const int32_t[]){0, 1, -1}), AT_E_INTERNAL);
            assert_int_equal(run(ctx, kernels, gradient, 2, (const int32_t[]){0, 1, 1}), AT_OK);
            assert_int_equal(run(ctx, kernels, gradient, 2, (const int32_t[]){0, 2, 1}), AT_E_INTERNAL);
        }
    at_test_done(ctx);
}

AT_TEST(test_embedding__the_reference_names_rows_too)
{
    const int32_t ids[] = {1, 3, 1};
    const at_real dy[6] = {1, 2, 3, 4, 5, 6};
    at_real table[12];
    uint8_t named[6] = {0};
    const at_call c = {.param = &(at_embedding_dtable_param){6, 2},
                       .in = {{.data = (void *)(uintptr_t)ids, .rows = 3, .cols = 1, .pitch = 1},
                              {.data = (void *)(uintptr_t)dy, .rows = 3, .cols = 2, .pitch = 2}},
                       .out = {{.data = table, .rows = 6, .cols = 2, .pitch = 2, .named = named}}};
    assert_int_equal(at_op_embedding_dtable.ref(&c), AT_OK);
    assert_memory_equal(named, ((const uint8_t[]){0, 0, 0, 1, 0, 1}), sizeof named);
}

AT_TEST(test_embedding__reads_a_table_of_bf16)
{
    at_ctx *ctx = at_test_ctx();
    const uint16_t table[] = {0x3f80, 0x4000, 0x4040, 0x4080}; /* 1 2, 3 4 */
    at_device *device;
    at_store *store;
    at_graph *g;
    at_plan *plan;
    at_state *frozen;
    at_expect_ok(ctx, at_device_open(&device, ctx, "cpu"));
    at_expect_ok(ctx, at_store_create(&store, ctx, device));
    at_expect_ok(ctx, at_store_add(&frozen, store, "table", AT_FROZEN, 2, (const int64_t[]){2, 2}));
    at_expect_ok(ctx,
                 at_state_bind(store, frozen, at_storage_of(ctx, AT_BF16), (const void *const[]){table}));
    at_expect_ok(ctx, at_graph_create(&g, ctx, store, AT_EVAL));
    at_value *ids = at_input(g, "ids", AT_INT, at_graph_extent(g, "rows", 3), 1, (const int64_t[]){1});
    at_value *y = at_embedding(g, at_read(g, frozen), ids, 0);
    at_expect_ok(ctx, at_graph_finish(g));
    at_expect_ok(ctx, at_plan_create(&plan, g, &(at_plan_options){.fetches = &y, .n_fetches = 1}));
    at_plan_write(plan, ids, (const int32_t[]){1, 0, 1}, 3);
    at_plan_run(plan, &(at_pass){.extents = (const int64_t[]){3}});
    at_real got[6];
    at_plan_fetch(plan, y, got);
    at_expect_ok(ctx, at_plan_sync(plan));
    const at_real want[] = {3, 4, 1, 2, 3, 4};
    assert_memory_equal(got, want, sizeof want);
    at_plan_destroy(plan);
    at_graph_destroy(g);
    at_store_destroy(store);
    at_device_close(device);
    at_test_done(ctx);
}
