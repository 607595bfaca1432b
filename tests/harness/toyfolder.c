/* toyfolder.c: writing a toy network. */
#include "tests/harness/toyfolder.h"
#include "adapters/adapter.h"
#include "base/rng.h"
#include "formats/safetensors.h"
#include "models/model.h"
#include "tests/harness/test.h"
#include "tests/toys/toys.h"
#include <stdio.h>

void at_toys_add(at_ctx *ctx)
{
    at_expect_ok(ctx, at_ctx_add(ctx, "architecture", &at_architecture_toy_mlp));
    at_expect_ok(ctx, at_ctx_add(ctx, "storage", &at_storage_toy_u8));
    at_expect_ok(ctx, at_ctx_add(ctx, "storage", &at_storage_toy_int8));
    at_expect_ok(ctx, at_ctx_add(ctx, "kernel", &at_kernel_toy_bag_gather));
    at_expect_ok(ctx, at_ctx_add(ctx, "adapter", &at_adapter_toy_gain));
    at_expect_ok(ctx, at_ctx_add(ctx, "optimizer", &at_optimizer_toy_unit));
}

static void draw(float *x, int64_t n, uint64_t which)
{
    const at_rng_key key = at_rng_make(1, which, 0);
    for (int64_t i = 0; i < n; i++) x[i] = (float)(2 * at_rng_uniform(key, 0, 0, (uint64_t)i) - 1);
}

void at_toyfolder_model(at_ctx *ctx, const char *folder, bool plain)
{
    enum { ENCODE = AT_TOY_HIDDEN * AT_TOY_COLUMNS, TABLE = AT_TOY_VOCABULARY * AT_TOY_HIDDEN };
    char path[1100], config[256];
    float encode[ENCODE], bias[AT_TOY_HIDDEN], table[TABLE];
    unsigned char codes[TABLE];
    draw(encode, ENCODE, 1);
    draw(bias, AT_TOY_HIDDEN, 2);
    draw(table, TABLE, 3);
    for (int i = 0; i < TABLE; i++) codes[i] = (unsigned char)(128 + 64 * table[i]);
    const at_tensor tensors[] = {
        {.name = "encode.weight",
         .dtype = AT_F32,
         .rank = 2,
         .dim = {AT_TOY_HIDDEN, AT_TOY_COLUMNS},
         .data = encode},
        {.name = "encode.bias", .dtype = AT_F32, .rank = 1, .dim = {AT_TOY_HIDDEN}, .data = bias},
        {.name = "table.weight",
         .dtype = plain ? AT_F32 : AT_U8,
         .rank = 2,
         .dim = {AT_TOY_VOCABULARY, AT_TOY_HIDDEN},
         .data = plain ? (const void *)table : codes},
    };
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    at_expect_ok(ctx, at_safetensors_write(ctx, path, tensors, AT_COUNT(tensors), NULL));
    const int n =
        snprintf(config, sizeof config,
                 "{\"model_type\": \"toy_mlp\", \"columns\": %d, \"hidden\": %d, \"vocabulary\": %d}\n",
                 AT_TOY_COLUMNS, AT_TOY_HIDDEN, AT_TOY_VOCABULARY);
    snprintf(path, sizeof path, "%s/config.json", folder);
    at_expect_ok(ctx, at_file_write(ctx, path, config, (size_t)n));
}
