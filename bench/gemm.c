/* gemm.c: the product of float32 or bf16, as plan nodes of the linear map, against oneDNN: by turns, in one
 * process.
 *
 *   bench_gemm [--rounds 9] [--seconds 0.2] [--threads N] [--isa I] [--kernels K] [--precision f32|bf16]
 *              [MxKxN ...]
 *
 * A round runs each side for `seconds`; a ratio is oneDNN's seconds over ours within one round, so above 1 we
 * are faster. Of matmul and inner product the one that proves faster here stands for oneDNN. Results of both
 * are compared with sums in double at random places. Prints one JSON object a product. */
#include "base/rng.h"
#include "bench/onednn.h"
#include "bench/turns.h"
#include "engine/plan.h"
#include "ops/linear/linear.h"
#include "run/figures.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_SHAPES = 64, PLACES = 256 };

typedef struct shape {
    int64_t M, K, N;
} shape;

static const shape usual[] = {
    {2048, 2048, 2048},
    {1024, 2048, 5632},
    {4096, 384, 1536},
    {1000, 1000, 24},
    /* odd sizes that nobody tuned for */
    {1013, 509, 251},
    {333, 1777, 555},
    {97, 131, 4099},
    {6271, 97, 23},
};

static const char *const product_names[BENCH_PRODUCTS] = {"forward", "dx", "dw"};
static const char *const primitive_names[BENCH_PRIMITIVES] = {"matmul", "inner product"};

typedef struct wishes {
    bench_wishes common;
    shape shapes[MAX_SHAPES];
    int n_shapes;
} wishes;

/* ---- Our side: a plan of one node ---- */

typedef struct ours {
    at_device *device;
    at_store *store;
    at_graph *g;
    at_plan *plan;
    at_value *result;
    int64_t M;
} ours;

static at_status build_node(ours *o, at_value *in[2], at_ctx *ctx, bench_product product, const shape *s,
                            const float *b)
{
    static const at_op *const ops[] = {&at_op_linear, &at_op_linear_dx, &at_op_linear_dw};
    at_state *w = NULL;
    o->M = s->M;
    AT_TRY(at_device_open(&o->device, ctx, "cpu"));
    AT_TRY(at_store_create(&o->store, ctx, o->device));
    AT_TRY(at_graph_create(&o->g, ctx, o->store, AT_EVAL));
    const at_extent *rows = at_graph_extent(o->g, "rows", s->M);
    const int64_t x[] = {1, s->K}, y[] = {1, s->N}, weights[] = {s->N, s->K};
    in[0] = at_input(o->g, "a", AT_ACT, rows, 2, product == BENCH_FORWARD ? x : y);
    if (product == BENCH_DW) {
        in[1] = at_input(o->g, "b", AT_ACT, rows, 2, x);
    } else {
        AT_TRY(at_store_add(&w, o->store, "w", AT_FROZEN, 2, weights));
        AT_TRY(at_state_set(o->store, w, b));
        in[1] = at_read(o->g, w);
    }
    o->result = at_apply(o->g, ops[product], NULL, in, 2)->out[0];
    return at_graph_finish(o->g);
}

static at_status create_ours(ours *o, at_ctx *ctx, bench_product product, const shape *s,
                             const bench_wishes *w, const float *a, const float *b)
{
    at_value *in[2];
    AT_TRY(build_node(o, in, ctx, product, s, b));
    AT_TRY(at_plan_create(&o->plan, o->g,
                          &(at_plan_options){.kernels = w->kernels,
                                             .act = w->bf16 ? AT_BF16 : AT_F32,
                                             .fetches = &o->result,
                                             .n_fetches = 1,
                                             .fetch_only = true}));
    at_plan_write(o->plan, in[0], a, s->M);
    if (product == BENCH_DW) at_plan_write(o->plan, in[1], b, s->M);
    return at_plan_sync(o->plan);
}

static void destroy_ours(ours *o)
{
    at_plan_destroy(o->plan);
    at_graph_destroy(o->g);
    at_store_destroy(o->store);
    at_device_close(o->device);
}

static bool run_ours(ours *o)
{
    at_plan_run(o->plan, &(at_pass){.extents = &o->M});
    return at_plan_sync(o->plan) == AT_OK;
}

/* ---- Turns ---- */

static bool call_ours(void *self)
{
    return run_ours(self);
}

static bool call_onednn(void *self)
{
    return bench_onednn_run(self);
}

/* ---- Right? ---- */

/* Products that are summed for one element. */
static int64_t n_terms(bench_product product, const shape *s)
{
    return product == BENCH_FORWARD ? s->K : product == BENCH_DX ? s->N : s->M;
}

/* Sums in double at random places; the error of a sum of n products in float32, in any order, is at most n
 * 2^-24 times the sum of their magnitudes, and a bf16 result is rounded by 2^-8 of its size. Returns the
 * largest share of that bound: above 1 something is wrong. */
static double worst_error(bench_product product, const shape *s, bool bf16, const float *a, const float *b,
                          const float *c)
{
    const double rounding = bf16 && product != BENCH_DW ? 0x1p-8 : 0.0;
    const int64_t rows = product == BENCH_DW ? s->N : s->M, cols = product == BENCH_FORWARD ? s->N : s->K;
    const int64_t n = n_terms(product, s);
    const at_rng_key key = at_rng_make(1, at_hash_name("places"), 0);
    double worst = 0;
    for (int p = 0; p < PLACES; p++) {
        /* the first and last element of the result, then random ones */
        const int64_t i = p == 0   ? 0
                          : p == 1 ? rows - 1
                                   : (int64_t)at_rng_below(key, 0, 0, (uint64_t)p, (uint64_t)rows);
        const int64_t j = p == 0   ? 0
                          : p == 1 ? cols - 1
                                   : (int64_t)at_rng_below(key, 1, 0, (uint64_t)p, (uint64_t)cols);
        double sum = 0, size = 0;
        for (int64_t k = 0; k < n; k++) {
            const double x = product == BENCH_DW ? (double)a[k * s->N + i] : (double)a[i * n + k];
            const double term =
                x * (product == BENCH_FORWARD ? (double)b[j * n + k] : (double)b[k * s->K + j]);
            sum += term;
            size += fabs(term);
        }
        const double allowed = (double)n * 0x1p-24 * size + rounding * fabs(sum);
        const double error = fabs((double)c[i * cols + j] - sum) / allowed;
        if (error > worst || isnan(error)) worst = error; /* a NaN stays */
    }
    return worst;
}

/* ---- One product ---- */

typedef struct bench {
    at_ctx *ctx;
    const wishes *w;
    const shape *s;
    bench_product product;
    float *a, *b, *c, *peer_c;
    int64_t n_c;
    ours mine;
    bench_onednn *peer;
    bench_primitive primitive;
    double error, peer_error, difference;
} bench;

/* The primitive that is faster in a short trial. */
static void choose_primitive(bench *b)
{
    double best = INFINITY;
    for (int k = 0; k < BENCH_PRIMITIVES; k++) {
        bench_onednn *p = bench_onednn_create(b->product, (bench_primitive)k, b->s->M, b->s->K, b->s->N,
                                              b->w->common.bf16, b->a, b->b);
        double seconds[5] = {0};
        bench_side s = {call_onednn, p, 0, seconds};
        bool ok = p && bench_onednn_run(p) && bench_calibrate(&s, b->w->common.seconds / 4);
        for (int i = 0; i < AT_COUNT(seconds) && ok; i++) ok = bench_take_turn(&s, i);
        const double median = at__median(seconds, AT_COUNT(seconds));
        if (ok && median < best) {
            bench_onednn_destroy(b->peer);
            b->peer = p;
            b->primitive = (bench_primitive)k;
            best = median;
        } else {
            bench_onednn_destroy(p);
        }
    }
}

static at_status check(bench *b)
{
    at_plan_fetch(b->mine.plan, b->mine.result, b->c);
    AT_TRY(at_plan_sync(b->mine.plan));
    AT_REQUIRE(b->ctx, bench_onednn_result(b->peer, b->peer_c), AT_E_DEVICE, "oneDNN gives no result");
    b->error = worst_error(b->product, b->s, b->w->common.bf16, b->a, b->b, b->c);
    b->peer_error = worst_error(b->product, b->s, b->w->common.bf16, b->a, b->b, b->peer_c);
    b->difference = bench_difference(b->c, b->peer_c, b->n_c);
    const double rounding = b->w->common.bf16 && b->product != BENCH_DW ? 0x1p-7 : 0.0; /* of both sides */
    const double allowed = 2 * sqrt((double)n_terms(b->product, b->s)) * 0x1p-24 + rounding;
    AT_REQUIRE(b->ctx, b->error <= 1 && b->peer_error <= 1 && b->difference <= allowed, AT_E_INTERNAL,
               "%s %lldx%lldx%lld is wrong: errors %g (attune) and %g (oneDNN) of what rounding allows, "
               "difference %g of "
               "%g",
               product_names[b->product], (long long)b->s->M, (long long)b->s->K, (long long)b->s->N,
               b->error, b->peer_error, b->difference, allowed);
    return AT_OK;
}

static void print(const bench *b, double *mine, double *peer)
{
    double ratio[BENCH_MAX_ROUNDS];
    const int n = b->w->common.rounds;
    const double gflop = 2e-9 * (double)b->s->M * (double)b->s->K * (double)b->s->N;
    for (int i = 0; i < n; i++) ratio[i] = peer[i] / mine[i];
    const double median = at__median(ratio, n);
    at_plan_line line = {0};
    at_plan_next(b->mine.plan, &(int){0}, &line);
    printf("{\"product\":\"%s\",\"precision\":\"%s\",\"M\":%lld,\"K\":%lld,\"N\":%lld,\"threads\":%d,"
           "\"rounds\":%d,"
           "\"ratio\":%.4f,\"ratio_least\":%.4f,\"ratio_most\":%.4f,"
           "\"gflops\":%.2f,\"peer_gflops\":%.2f,\"kernel\":\"%s\",\"peer\":\"oneDNN "
           "%s\",\"primitive\":\"%s, %s\","
           "\"error_share\":%.4f,\"peer_error_share\":%.4f,\"difference\":%.3g}\n",
           product_names[b->product], b->w->common.bf16 ? "bf16" : "f32", (long long)b->s->M,
           (long long)b->s->K, (long long)b->s->N, b->ctx->threads, n, median, ratio[0], ratio[n - 1],
           gflop / at__median(mine, n), gflop / at__median(peer, n),
           line.kernel ? line.kernel->name : "reference", bench_onednn_version(),
           primitive_names[b->primitive], bench_onednn_implementation(b->peer), b->error, b->peer_error,
           b->difference);
    fflush(stdout);
}

static at_status measure(bench *b)
{
    double mine[BENCH_MAX_ROUNDS], peer[BENCH_MAX_ROUNDS];
    AT_TRY(create_ours(&b->mine, b->ctx, b->product, b->s, &b->w->common, b->a, b->b));
    choose_primitive(b);
    AT_REQUIRE(b->ctx, b->peer, AT_E_UNSUPPORTED, "oneDNN offers no such product");
    bench_side sides[] = {{call_ours, &b->mine, 0, mine}, {call_onednn, b->peer, 0, peer}};
    AT_REQUIRE(b->ctx, bench_take_turns(&sides[0], &sides[1], b->w->common.rounds, b->w->common.seconds),
               AT_E_DEVICE, "a product failed");
    AT_TRY(check(b));
    print(b, mine, peer);
    return AT_OK;
}

static at_status run_product(at_ctx *ctx, const wishes *w, const shape *s, bench_product product)
{
    bench b = {.ctx = ctx, .w = w, .s = s, .product = product};
    const int64_t n_a = s->M * (product == BENCH_FORWARD ? s->K : s->N),
                  n_b = (product == BENCH_DW ? s->M : s->N) * s->K;
    b.n_c = product == BENCH_FORWARD ? s->M * s->N : product == BENCH_DX ? s->M * s->K : s->N * s->K;
    AT_NEW(ctx, b.a, n_a);
    AT_NEW(ctx, b.b, n_b);
    AT_NEW(ctx, b.c, b.n_c);
    AT_NEW(ctx, b.peer_c, b.n_c);
    bench_fill(b.a, n_a, w->common.bf16, "a");
    bench_fill(b.b, n_b, w->common.bf16, "b");
    const at_status status = measure(&b);
    bench_onednn_destroy(b.peer);
    destroy_ours(&b.mine);
    at_free(ctx, b.a);
    at_free(ctx, b.b);
    at_free(ctx, b.c);
    at_free(ctx, b.peer_c);
    return status;
}

static at_status run_all(at_ctx *ctx, const wishes *w)
{
    for (int i = 0; i < w->n_shapes; i++)
        for (int p = 0; p < BENCH_PRODUCTS; p++) AT_TRY(run_product(ctx, w, &w->shapes[i], (bench_product)p));
    return AT_OK;
}

/* ---- The command line ---- */

static bool take_line(wishes *w, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        long long M, K, N;
        if (sscanf(argv[i], "%lldx%lldx%lld", &M, &K, &N) == 3 && M > 0 && K > 0 && N > 0 &&
            w->n_shapes < MAX_SHAPES)
            w->shapes[w->n_shapes++] = (shape){M, K, N};
        else if (i + 1 == argc || !bench_take_wish(&w->common, argv[i], argv[i + 1]))
            return false;
        else
            i++;
    }
    const int given = w->n_shapes;
    for (int i = 0; given == 0 && i < AT_COUNT(usual); i++) w->shapes[w->n_shapes++] = usual[i];
    return bench_can_fulfil(&w->common);
}

int main(int argc, char **argv)
{
    wishes w = {.common = {.rounds = 9, .seconds = 0.2, .kernels = "strict"}};
    at_ctx *ctx;
    if (!take_line(&w, argc, argv) ||
        at_ctx_create(&ctx, &(at_ctx_options){.threads = w.common.threads, .isa = w.common.isa}) != AT_OK) {
        fprintf(stderr, "usage: bench_gemm [--rounds N] [--seconds S] [--threads N] [--isa I] [--kernels K] "
                        "[--precision P] "
                        "[MxKxN ...]\n");
        return 2;
    }
    bench_settle_openmp(ctx->threads, argv);
    const at_status s = run_all(ctx, &w);
    if (s != AT_OK) fprintf(stderr, "bench_gemm: %s\n", at_last_error(ctx));
    at_ctx_destroy(ctx);
    return s == AT_OK ? 0 : 1;
}
