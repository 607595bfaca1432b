/* conv.c: k x k convolutions of float32 or bf16, as plan nodes, against oneDNN: by turns, in one process.
 *
 *   bench_conv [--rounds 9] [--seconds 0.05] [--threads N] [--isa I] [--kernels K] [--precision f32|bf16]
 *              [SxHxWxC-OxKxSTRIDE ...]
 *
 * A round runs each side for `seconds`; a ratio is oneDNN's seconds over ours within one round, so above 1 we
 * are faster. Forward and dx are run with weights that stay as they are, whose packing counts on neither
 * side, and with weights that learn, where each run packs them anew; dw ends in the layout of files. Results
 * of both are compared with sums in double at random places. Prints one JSON object a row. */
#include "base/rng.h"
#include "bench/onednn.h"
#include "bench/turns.h"
#include "engine/plan.h"
#include "engine/state.h"
#include "ops/conv2d/conv2d.h"
#include "run/figures.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_SHAPES = 64, PLACES = 64 };

static const bench_conv usual[] = {
    /* ResNet-18: stem, the four stages, the steps between them */
    {32, 224, 224, 3, 64, 7, 2},
    {32, 56, 56, 64, 64, 3, 1},
    {32, 28, 28, 128, 128, 3, 1},
    {32, 14, 14, 256, 256, 3, 1},
    {32, 7, 7, 512, 512, 3, 1},
    {32, 56, 56, 64, 128, 3, 2},
    {32, 28, 28, 128, 256, 3, 2},
    {32, 14, 14, 256, 512, 3, 2},
    /* ResNet-50: a smaller batch; its steps are within the blocks */
    {16, 56, 56, 64, 64, 3, 1},
    {16, 56, 56, 128, 128, 3, 2},
    {16, 28, 28, 256, 256, 3, 2},
    {16, 14, 14, 512, 512, 3, 2},
    /* MobileNetV2's stem */
    {32, 224, 224, 3, 32, 3, 2},
    /* odd sizes that nobody tuned for */
    {3, 7, 7, 24, 24, 3, 1},
    {3, 33, 29, 45, 35, 5, 1},
};

static const char *const product_names[BENCH_PRODUCTS] = {"forward", "dx", "dw"};

typedef struct wishes {
    bench_wishes common;
    bench_conv shapes[MAX_SHAPES];
    int n_shapes;
} wishes;

typedef struct bench {
    at_ctx *ctx;
    const wishes *w;
    const bench_conv *s;
    int64_t Ho, Wo;
    bench_product product;
    bool learns; /* the weights */
    float *a, *b, *c, *peer_c;
    /* ours: a plan of one node */
    at_device *device;
    at_store *store;
    at_state *weights;
    at_graph *g;
    at_plan *plan;
    at_value *result;
    bench_onednn *peer;
    double error, peer_error, difference;
} bench;

/* ---- Our side ---- */

static at_status build_node(bench *b, at_value *in[2])
{
    static const at_op *const ops[] = {&at_op_conv2d, &at_op_conv2d_dx, &at_op_conv2d_dw};
    const bench_conv *s = b->s;
    const int64_t pad = s->k / 2;
    const at_conv2d_param p = {s->stride, s->stride, 1, 1, pad, pad, pad, pad, 1, s->H, s->W, s->k, s->k};
    AT_TRY(at_device_open(&b->device, b->ctx, "cpu"));
    AT_TRY(at_store_create(&b->store, b->ctx, b->device));
    AT_TRY(at_graph_create(&b->g, b->ctx, b->store, AT_EVAL));
    const at_extent *samples = at_graph_extent(b->g, "samples", s->S);
    const int64_t x[] = {1, s->H, s->W, s->C}, y[] = {1, b->Ho, b->Wo, s->O}, w[] = {s->O, s->C, s->k, s->k};
    in[0] = at_input(b->g, "a", AT_ACT, samples, 4, b->product == BENCH_FORWARD ? x : y);
    if (b->product == BENCH_DW) {
        in[1] = at_input(b->g, "b", AT_ACT, samples, 4, x);
    } else {
        AT_TRY(at_store_add(&b->weights, b->store, "w", AT_FROZEN, 4, w));
        AT_TRY(at_state_set(b->store, b->weights, b->b));
        in[1] = at_read(b->g, b->weights);
    }
    b->result = at_apply(b->g, ops[b->product], &p, in, 2)->out[0];
    return at_graph_finish(b->g);
}

static at_status create_ours(bench *b)
{
    at_value *in[2];
    AT_TRY(build_node(b, in));
    AT_TRY(at_plan_create(&b->plan, b->g,
                          &(at_plan_options){.kernels = b->w->common.kernels,
                                             .act = b->w->common.bf16 ? AT_BF16 : AT_F32,
                                             .fetches = &b->result,
                                             .n_fetches = 1,
                                             .fetch_only = true}));
    at_plan_write(b->plan, in[0], b->a, b->s->S);
    if (b->product == BENCH_DW) at_plan_write(b->plan, in[1], b->b, b->s->S);
    return at_plan_sync(b->plan);
}

static void destroy_ours(bench *b)
{
    at_plan_destroy(b->plan);
    at_graph_destroy(b->g);
    at_store_destroy(b->store);
    at_device_close(b->device);
}

static bool call_ours(void *self)
{
    bench *b = self;
    if (b->weights && b->learns) b->weights->version++; /* as after a step */
    at_plan_run(b->plan, &(at_pass){.extents = &b->s->S});
    return at_plan_sync(b->plan) == AT_OK;
}

static bool call_onednn(void *self)
{
    return bench_onednn_run(self);
}

/* ---- Right? Sums in double at random places ---- */

typedef struct sum {
    double value, size; /* size: of magnitudes */
    int64_t n;
} sum;

static void add(sum *t, float x, float y)
{
    t->value += (double)x * (double)y;
    t->size += fabs((double)x * (double)y);
    t->n++;
}

static float *pixel(float *data, int64_t s, int64_t y, int64_t x, int64_t H, int64_t W, int64_t C)
{
    return data + ((s * H + y) * W + x) * C;
}

/* An output pixel and the pixel it sees through a tap. */
typedef struct tap {
    int64_t s, y, x, oy, ox, ky, kx;
} tap;

/* The products of a tap that belong to element `at` of the result. */
static void visit(const bench *b, const tap *t, const int64_t at[4], sum *out)
{
    const bench_conv *s = b->s;
    const int64_t k2 = s->k * s->k, w = t->ky * s->k + t->kx;
    const float *y = pixel(b->a, t->s, t->oy, t->ox, b->Ho, b->Wo, s->O);
    if (b->product == BENCH_FORWARD) {
        const float *x = pixel(b->a, t->s, t->y, t->x, s->H, s->W, s->C);
        for (int64_t c = 0; c < s->C; c++) add(out, x[c], b->b[(at[3] * s->C + c) * k2 + w]);
    } else if (b->product == BENCH_DX) {
        for (int64_t o = 0; o < s->O; o++) add(out, y[o], b->b[(o * s->C + at[3]) * k2 + w]);
    } else {
        add(out, y[at[0]], pixel(b->b, t->s, t->y, t->x, s->H, s->W, s->C)[at[1]]);
    }
}

/* Every tap that element `at` of the result, [S,H,W,C] or [O,C,k,k], is made of. */
static sum sum_at(const bench *b, const int64_t at[4])
{
    const bench_conv *s = b->s;
    const bool forward = b->product == BENCH_FORWARD, dx = b->product == BENCH_DX;
    const int64_t one = at[2] * s->k + at[3], first = forward || dx ? 0 : one,
                  last = forward || dx ? s->k * s->k : one + 1; /* taps */
    sum out = {0};
    tap t;
    for (t.s = forward || dx ? at[0] : 0; t.s < (forward || dx ? at[0] + 1 : s->S); t.s++)
        for (t.oy = forward ? at[1] : 0; t.oy < (forward ? at[1] + 1 : b->Ho); t.oy++)
            for (t.ox = forward ? at[2] : 0; t.ox < (forward ? at[2] + 1 : b->Wo); t.ox++)
                for (int64_t w = first; w < last; w++) {
                    t.ky = w / s->k, t.kx = w % s->k;
                    t.y = t.oy * s->stride - s->k / 2 + t.ky;
                    t.x = t.ox * s->stride - s->k / 2 + t.kx;
                    if (t.y < 0 || t.y >= s->H || t.x < 0 || t.x >= s->W) continue;
                    if (dx && (t.y != at[1] || t.x != at[2])) continue;
                    visit(b, &t, at, &out);
                }
    return out;
}

static void result_dims(const bench *b, int64_t d[4])
{
    const bench_conv *s = b->s;
    const int64_t of[BENCH_PRODUCTS][4] = {
        {s->S, b->Ho, b->Wo, s->O}, {s->S, s->H, s->W, s->C}, {s->O, s->C, s->k, s->k}};
    memcpy(d, of[b->product], sizeof of[0]);
}

/* The error of a sum of n products in float32, in any order, is at most n 2^-24 times the sum of their
 * magnitudes, and a bf16 result is rounded by 2^-8 of its size. Returns the largest share of that bound:
 * above 1 something is wrong. */
static double worst_error(const bench *b, const float *c)
{
    const double rounding = b->w->common.bf16 && b->product != BENCH_DW ? 0x1p-8 : 0.0;
    const at_rng_key key = at_rng_make(1, at_hash_name("places"), 0);
    int64_t d[4], at[4];
    double worst = 0;
    result_dims(b, d);
    for (int p = 0; p < PLACES; p++) {
        for (int i = 0; i < 4; i++) /* the first and last element of the result, then random ones */
            at[i] = p == 0   ? 0
                    : p == 1 ? d[i] - 1
                             : (int64_t)at_rng_below(key, (uint64_t)i, 0, (uint64_t)p, (uint64_t)d[i]);
        const sum t = sum_at(b, at);
        const double got = (double)c[((at[0] * d[1] + at[1]) * d[2] + at[2]) * d[3] + at[3]];
        const double allowed = (double)t.n * 0x1p-24 * t.size + rounding * fabs(t.value);
        const double error = t.n ? fabs(got - t.value) / allowed : fabs(got);
        if (error > worst || isnan(error)) worst = error; /* a NaN stays */
    }
    return worst;
}

static at_status check(bench *b, int64_t n)
{
    const bench_conv *s = b->s;
    at_plan_fetch(b->plan, b->result, b->c);
    AT_TRY(at_plan_sync(b->plan));
    AT_REQUIRE(b->ctx, bench_onednn_result(b->peer, b->peer_c), AT_E_DEVICE, "oneDNN gives no result");
    b->error = worst_error(b, b->c);
    b->peer_error = worst_error(b, b->peer_c);
    b->difference = bench_difference(b->c, b->peer_c, n);
    const int64_t terms = b->product == BENCH_DW ? s->S * b->Ho * b->Wo
                                                 : (b->product == BENCH_FORWARD ? s->C : s->O) * s->k * s->k;
    const double rounding = b->w->common.bf16 && b->product != BENCH_DW ? 0x1p-7 : 0.0; /* of both sides */
    const double allowed = 2 * sqrt((double)terms) * 0x1p-24 + rounding;
    AT_REQUIRE(b->ctx, b->error <= 1 && b->peer_error <= 1 && b->difference <= allowed, AT_E_INTERNAL,
               "%s is wrong: errors %g (attune) and %g (oneDNN) of what rounding allows, difference %g of %g",
               product_names[b->product], b->error, b->peer_error, b->difference, allowed);
    return AT_OK;
}

/* ---- One row ---- */

static void print(const bench *b, double *mine, double *peer)
{
    const bench_conv *s = b->s;
    double ratio[BENCH_MAX_ROUNDS];
    const int n = b->w->common.rounds;
    const double gflop = 2e-9 * (double)(s->S * b->Ho * b->Wo) * (double)(s->O * s->C * s->k * s->k);
    for (int i = 0; i < n; i++) ratio[i] = peer[i] / mine[i];
    const double median = at__median(ratio, n);
    at_plan_line line = {0};
    at_plan_next(b->plan, &(int){0}, &line);
    printf("{\"product\":\"%s\",\"weights\":\"%s\",\"precision\":\"%s\",\"S\":%lld,\"H\":%lld,\"W\":%lld,"
           "\"C\":%lld,\"O\":%lld,\"k\":%lld,\"stride\":%lld,\"threads\":%d,\"rounds\":%d,\"ratio\":%.4f,"
           "\"ratio_least\":%.4f,\"ratio_most\":%.4f,\"gflops\":%.2f,\"peer_gflops\":%.2f,\"kernel\":\"%s\","
           "\"peer\":\"oneDNN %s\",\"primitive\":\"%s\",\"error_share\":%.4f,\"peer_error_share\":%.4f,"
           "\"difference\":%.3g}\n",
           product_names[b->product], b->learns ? "learn" : "stay", b->w->common.bf16 ? "bf16" : "f32",
           (long long)s->S, (long long)s->H, (long long)s->W, (long long)s->C, (long long)s->O,
           (long long)s->k, (long long)s->stride, b->ctx->threads, n, median, ratio[0], ratio[n - 1],
           gflop / at__median(mine, n), gflop / at__median(peer, n),
           line.kernel ? line.kernel->name : "reference", bench_onednn_version(),
           bench_onednn_implementation(b->peer), b->error, b->peer_error, b->difference);
    fflush(stdout);
}

static at_status measure(bench *b, int64_t n)
{
    double mine[BENCH_MAX_ROUNDS], peer[BENCH_MAX_ROUNDS];
    AT_TRY(create_ours(b));
    b->peer = bench_onednn_create_conv(b->product, b->s, b->learns, b->w->common.bf16, b->a, b->b);
    AT_REQUIRE(b->ctx, b->peer, AT_E_UNSUPPORTED, "oneDNN offers no such convolution");
    bench_side ours = {call_ours, b, 0, mine}, theirs = {call_onednn, b->peer, 0, peer};
    AT_REQUIRE(b->ctx, bench_take_turns(&ours, &theirs, b->w->common.rounds, b->w->common.seconds),
               AT_E_DEVICE, "a convolution failed");
    AT_TRY(check(b, n));
    print(b, mine, peer);
    return AT_OK;
}

static at_status run_row(at_ctx *ctx, const wishes *w, const bench_conv *s, bench_product product,
                         bool learns)
{
    bench b = {.ctx = ctx,
               .w = w,
               .s = s,
               .product = product,
               .learns = learns,
               .Ho = bench_conv_out(s, s->H),
               .Wo = bench_conv_out(s, s->W)};
    const int64_t n_x = s->S * s->H * s->W * s->C, n_y = s->S * b.Ho * b.Wo * s->O,
                  n_w = s->O * s->C * s->k * s->k;
    const int64_t n_a = product == BENCH_FORWARD ? n_x : n_y, n_b = product == BENCH_DW ? n_x : n_w,
                  n_c = product == BENCH_FORWARD ? n_y
                        : product == BENCH_DX    ? n_x
                                                 : n_w;
    AT_NEW(ctx, b.a, n_a);
    AT_NEW(ctx, b.b, n_b);
    AT_NEW(ctx, b.c, n_c);
    AT_NEW(ctx, b.peer_c, n_c);
    bench_fill(b.a, n_a, w->common.bf16, "a");
    bench_fill(b.b, n_b, w->common.bf16, "b");
    const at_status status = measure(&b, n_c);
    bench_onednn_destroy(b.peer);
    destroy_ours(&b);
    at_free(ctx, b.a);
    at_free(ctx, b.b);
    at_free(ctx, b.c);
    at_free(ctx, b.peer_c);
    return status;
}

static at_status run_all(at_ctx *ctx, const wishes *w)
{
    for (int i = 0; i < w->n_shapes; i++)
        for (int p = 0; p < BENCH_PRODUCTS; p++)
            for (int learns = p == BENCH_DW; learns < 2; learns++)
                AT_TRY(run_row(ctx, w, &w->shapes[i], (bench_product)p, learns));
    return AT_OK;
}

/* ---- The command line ---- */

static bool take_shape(wishes *w, const char *text)
{
    long long v[7];
    if (w->n_shapes == MAX_SHAPES ||
        sscanf(text, "%lldx%lldx%lldx%lld-%lldx%lldx%lld", v, v + 1, v + 2, v + 3, v + 4, v + 5, v + 6) != 7)
        return false;
    for (int i = 0; i < 7; i++)
        if (v[i] < 1) return false;
    w->shapes[w->n_shapes++] = (bench_conv){v[0], v[1], v[2], v[3], v[4], v[5], v[6]};
    return true;
}

static bool take_line(wishes *w, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (take_shape(w, argv[i])) continue;
        if (i + 1 == argc || !bench_take_wish(&w->common, argv[i], argv[i + 1])) return false;
        i++;
    }
    const int given = w->n_shapes;
    for (int i = 0; given == 0 && i < AT_COUNT(usual); i++) w->shapes[w->n_shapes++] = usual[i];
    return bench_can_fulfil(&w->common);
}

int main(int argc, char **argv)
{
    wishes w = {.common = {.rounds = 9, .seconds = 0.05, .kernels = "strict"}};
    at_ctx *ctx;
    if (!take_line(&w, argc, argv) ||
        at_ctx_create(&ctx, &(at_ctx_options){.threads = w.common.threads, .isa = w.common.isa}) != AT_OK) {
        fprintf(stderr, "usage: bench_conv [--rounds N] [--seconds S] [--threads N] [--isa I] [--kernels K] "
                        "[--precision P] [SxHxWxC-OxKxSTRIDE ...]\n");
        return 2;
    }
    bench_settle_openmp(ctx->threads, argv);
    const at_status s = run_all(ctx, &w);
    if (s != AT_OK) fprintf(stderr, "bench_conv: %s\n", at_last_error(ctx));
    at_ctx_destroy(ctx);
    return s == AT_OK ? 0 : 1;
}
