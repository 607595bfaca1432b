/* ops_golden_exact_test.c: every op folder has a golden.safetensors that PyTorch made (golden.py beside it),
 * every tensor of it is used, and every op that has a gradient is in one. The double-precision program checks
 * the references, the other one the kernels. */
#include "engine/view.h"
#include "formats/safetensors.h"
#include "tests/harness/opcheck.h"
#include "tests/harness/rig.h"
#include "tests/harness/test.h"
#include <stdio.h>
#include <stdlib.h>

enum { GOLDEN_LIMIT = 30 * 1000, MAX_OPS = 512 };

/* They move memory and compute nothing; their folder is the engine. */
static const at_op *const without_golden[] = {&at_op_reshape, &at_op_columns, &at_op_columns_dx, &at_op_copy};

typedef struct scan {
    at_ctx *ctx;
    at_report *r;
    const at_op *seen[MAX_OPS];
    int n_seen;
} scan;

static const at_op_case *find_case(const at_op *op, const char *name)
{
    const at_op_case *k = op ? op->cases : NULL;
    while (k && k->name && strcmp(k->name, name) != 0) k++;
    return k && k->name ? k : NULL;
}

/* Does the check of this case read the tensor KINDi? */
static bool is_used(const at_op *op, const at_op_case *k, const char *kind, int i)
{
    const bool has_dy = op->grad && !op->loss;
    if (strcmp(kind, "in") == 0) return i < op->n_in && k->in[i].rank > 0;
    if (strcmp(kind, "out") == 0) return i < op->n_out + op->n_saved;
    if (strcmp(kind, "dy") == 0) return has_dy && i < op->n_out;
    if (strcmp(kind, "dx") == 0) return op->grad && (at_rig_real_inputs(op, k) >> i & 1);
    return false;
}

static void check_tensor(scan *s, const char *path, const char *name)
{
    char op_name[64], case_name[64], kind[8], rest[2];
    int i;
    at_report_at(s->r, "%s", path);
    const int n = sscanf(name, "%63[^/]/%63[^/]/%7[a-z]%d%1s", op_name, case_name, kind, &i, rest);
    at_report_check(s->r, n == 4 && i >= 0 && i < AT_MAX_IN, "\"%s\" is not OP/CASE/KINDi", name);
    if (n != 4 || i < 0 || i >= AT_MAX_IN) return;
    const at_op *op = at_registry_find(s->ctx, "op", op_name);
    const at_op_case *k = find_case(op, case_name);
    at_report_check(s->r, k, "\"%s\" names no case of an op", name);
    if (!k) return;
    at_report_check(s->r, is_used(op, k, kind, i), "\"%s\" is not used", name);
    if (strcmp(kind, "in") != 0 || i != 0) return; /* one check a case: every case has a first input */
    at_check_golden(s->ctx, op, k, path, "auto", s->r);
    bool known = false;
    for (int j = 0; j < s->n_seen; j++) known |= s->seen[j] == op;
    if (!known && s->n_seen < MAX_OPS) s->seen[s->n_seen++] = op;
}

static void check_file(scan *s, const char *path)
{
    at_safetensors *file;
    at_report_at(s->r, "%s", path);
    const at_status status = at_safetensors_open(&file, s->ctx, path);
    at_report_check(s->r, status == AT_OK, "no golden (write golden.py, run tools/golden): %s",
                    at_last_error(s->ctx));
    at_clear_error(s->ctx);
    if (status != AT_OK) return;
    at_report_check(s->r, file->file.size < GOLDEN_LIMIT, "%zu bytes, allowed are %d", file->file.size,
                    GOLDEN_LIMIT);
    for (int64_t i = 0; i < file->n; i++) check_tensor(s, path, file->tensors[i].name);
    at_safetensors_close(s->ctx, file);
}

static void check_coverage(scan *s)
{
    const at_op *op;
    int cursor = 0;
    while ((op = at_registry_next(s->ctx, "op", &cursor))) {
        bool covered = !op->grad;
        for (int i = 0; i < AT_COUNT(without_golden); i++) covered |= without_golden[i] == op;
        for (int i = 0; i < s->n_seen; i++) covered |= s->seen[i] == op;
        at_report_at(s->r, "%s", op->name);
        at_report_check(s->r, covered, "has a gradient, but is in no golden");
    }
}

AT_TEST(test_ops_golden__outputs_and_gradients_equal_pytorch)
{
    at_ctx *ctx = at_test_ctx();
    at_report r = {0};
    scan s = {.ctx = ctx, .r = &r};
    at_arena arena;
    at_arena_init(&arena, ctx);
    const char **folders;
    int64_t n;
    at_expect_ok(ctx, at_folder_list(&arena, &folders, &n, AT_SOURCE_DIR "/src/ops"));
    for (int64_t i = 0; i < n; i++) {
        const char *folder = at_arena_printf(&arena, AT_SOURCE_DIR "/src/ops/%s", folders[i]);
        if (at_path_is_folder(folder))
            check_file(&s, at_arena_printf(&arena, "%s/golden.safetensors", folder));
    }
    check_coverage(&s);
    at_arena_deinit(&arena);
    at_expect_clean(&r);
    at_test_done(ctx);
}
