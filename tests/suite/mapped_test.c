/* mapped_test.c: files larger than memory: what is frozen stays in the file, and what nobody reads is never
 * paged in.
 */
#include "formats/safetensors.h"
#include "ops/linear/linear.h"
#include "ops/optim/adamw.h"
#include "ops/softmax_xent/softmax_xent.h"
#include "tests/harness/bare.h"
#include "tests/harness/child.h"
#include "tests/harness/resident.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SIDE = 32, LAST_BYTES = SIDE * SIDE * 4, LIMIT_KIB = 300 * 1024 };
static const int64_t BIG = INT64_C(6) << 30; /* bytes */

/* A file of zeros that occupies next to nothing: "base" [BIG / 4], frozen, and "last" [32,32] in its last 4
 * KiB. */
static void make_sparse(char path[1100])
{
    char folder[1024], header[512];
    snprintf(path, 1100, "%s/model.safetensors", at_test_folder(folder, "mapped"));
    int n = snprintf(header + 8, sizeof header - 8,
                     "{\"base\":{\"dtype\":\"F32\",\"shape\":[%lld,1024],\"data_offsets\":[0,%lld]},"
                     "\"last\":{\"dtype\":\"F32\",\"shape\":[%d,%d],\"data_offsets\":[%lld,%lld]}}",
                     (long long)(BIG / 4096), (long long)BIG, SIDE, SIDE, (long long)BIG,
                     (long long)BIG + LAST_BYTES);
    while (n % 8) header[8 + n++] = ' ';
    const uint64_t size = (uint64_t)n;
    memcpy(header, &size, sizeof size);
    const int file = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    if (file < 0 || write(file, header, (size_t)n + 8) != n + 8 ||
        ftruncate(file, BIG + LAST_BYTES + n + 8) != 0)
        fail_msg("%s: errno %d", path, errno);
    close(file);
}

typedef struct job {
    const char *path;
    bool touch; /* 400 MiB of the base, after training */
    at_ctx *ctx;
} job;

/* y = x last^T -> cross-entropy -> AdamW: three steps. */
static at_status train(at_ctx *ctx, at_store *s, at_graph *g, at_real *moved)
{
    at_state *last = at_store_find(s, "last");
    const at_extent *rows = at_graph_extent(g, "rows", 8);
    at_value *x = at_input(g, "x", AT_ACT, rows, 2, (const int64_t[]){1, SIDE});
    at_value *label = at_input(g, "label", AT_INT, rows, 1, (const int64_t[]){1});
    const at_loss loss = at_softmax_xent(g, at_linear(g, x, at_read(g, last), NULL), label, NULL, 0);
    at_gradients(g, &loss.sum, &(at_value *){NULL}, 1);
    at_step_sum(g, loss.sum);
    at_step_sum(g, loss.weight);
    AT_TRY(at_graph_finish(g));
    AT_TRY(at_store_layout(s, g));
    at_commit commit;
    const at_adamw_options adamw = {0.9, 0.999, 1e-8};
    AT_TRY(at_build_commit(&commit, g, loss.sum, loss.weight, 1, &at_optimizer_adamw, &adamw));
    at_plan *p;
    AT_TRY(at_plan_create(&p, g, NULL));
    at_real data[8 * SIDE], weights[SIDE * SIDE], rate = (at_real)0.1;
    int32_t labels[8];
    for (int i = 0; i < 8 * SIDE; i++) data[i] = (at_real)sin(i);
    for (int i = 0; i < 8; i++) labels[i] = i;
    const int64_t n = 8;
    for (int step = 0; step < 3; step++) {
        at_plan_write(p, x, data, 8);
        at_plan_write(p, label, labels, 8);
        at_plan_run(p, &(at_pass){.extents = &n});
        at_plan_write(p, commit.rate, &rate, 1);
        at_plan_commit(p, &(at_pass){.extents = &n});
    }
    at_status status = at_plan_sync(p);
    if (status == AT_OK) status = at_state_get(s, last, weights);
    *moved = (at_real)fabs((double)weights[5]);
    at_plan_destroy(p);
    (void)ctx;
    return status;
}

static at_status open_and_train(at_ctx *ctx, const job *j, char message[512])
{
    at_device *d;
    at_store *s;
    at_graph *g;
    at_safetensors *f;
    at_real moved = 0;
    AT_TRY(at_safetensors_open(&f, ctx, j->path));
    AT_TRY(at_device_open(&d, ctx, "cpu"));
    AT_TRY(at_store_create(&s, ctx, d));
    for (int64_t i = 0; i < f->n; i++) {
        const at_tensor *t = &f->tensors[i];
        at_state *state;
        AT_TRY(at_store_add(&state, s, t->name, i ? AT_TRAINABLE : AT_FROZEN, t->rank, t->dim));
        AT_TRY(at_state_bind(s, state, at_storage_of(ctx, t->dtype), &t->data));
    }
    AT_TRY(at_graph_create(&g, ctx, s, AT_TRAIN));
    AT_TRY(train(ctx, s, g, &moved));
    const char *base = f->tensors[0].data;
    const long resident = at_resident_kib(base + (BIG / 2));
    int64_t sum = 0;
    for (int64_t i = 0; i < (INT64_C(400) << 20) && j->touch; i += 4096) sum += base[i];
    snprintf(message, 512, "elements %lld, moved %d, resident %ld KiB, sum %lld",
             (long long)at_store_find(s, "base")->count, moved > 0, resident, (long long)sum);
    at_graph_destroy(g);
    at_store_destroy(s);
    at_device_close(d);
    at_safetensors_close(ctx, f);
    return AT_OK;
}

static int in_child(void *arg, char message[512])
{
    at_ctx *ctx;
    if (at_ctx_create(&ctx, &(at_ctx_options){.threads = 2}) != AT_OK) return 1;
    const at_status s = open_and_train(ctx, arg, message);
    if (s != AT_OK) snprintf(message, 512, "%s", at_last_error(ctx));
    return s;
}

AT_TEST(test_mapped__six_gigabytes_are_trained_on_their_last_four_kilobytes)
{
    char path[1100];
    at_child c;
    long resident = -1;
    int moved = 0;
    make_sparse(path);
    at_child_run(&c, in_child, &(job){.path = path});
    if (c.status != AT_OK || c.signal) fail_msg("status %d, signal %d: %s", c.status, c.signal, c.message);
    long long elements = 0;
    assert_int_equal(sscanf(c.message, "elements %lld, moved %d, resident %ld", &elements, &moved, &resident),
                     3);
    assert_true(elements == BIG / 4);
    assert_int_equal(moved, 1);
    if (!(c.peak_kib > 0 && c.peak_kib < LIMIT_KIB)) fail_msg("%ld KiB resident at the peak", c.peak_kib);
    if (!(resident >= 0 && resident < 1024)) fail_msg("%ld KiB of the file are resident", resident);
    at_child_run(&c, in_child,
                 &(job){.path = path, .touch = true}); /* a control: reading is seen in the peak */
    assert_true(c.status == AT_OK && c.peak_kib > LIMIT_KIB);
    unlink(path);
}
