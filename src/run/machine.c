/* machine.c: what the machine can do at most: bytes a second to and from memory, by a triad over buffers that
 * no cache holds, and multiply-adds a second, by products of our own whose operands lie in a cache. Both with
 * all threads of the context; the best of many tries counts, because a limit is what is possible. */
#include "formats/system.h"
#include "ops/linear/linear.h"
#include "run/bench.h"

static const double SECONDS = 0.2; /* for each of the two */
enum { LEAST_TRIES = 3 };

/* ---- Memory: a = b + 3 c ---- */

enum { TRIAD_TILE = 1 << 16, TRIAD_LEAST = 192 << 20, TRIAD_MOST = 1 << 30 }; /* floats; bytes of all three */

typedef struct triad {
    at_block block;
    float *a, *b, *c;
    int64_t n;
} triad;

/* Pages get their memory, near the thread that works on them, when they are written. */
static void fill_tile(void *arg, int64_t tile, int thread)
{
    const triad *t = arg;
    (void)thread;
    for (int64_t i = tile * TRIAD_TILE; i < (tile + 1) * TRIAD_TILE; i++) {
        t->a[i] = 0.0F;
        t->b[i] = 1.0F;
        t->c[i] = 2.0F;
    }
}

static void triad_tile(void *arg, int64_t tile, int thread)
{
    const triad *t = arg;
    (void)thread;
    float *restrict a = t->a + tile * TRIAD_TILE;
    const float *restrict b = t->b + tile * TRIAD_TILE, *restrict c = t->c + tile * TRIAD_TILE;
    for (int64_t i = 0; i < TRIAD_TILE; i++) a[i] = b[i] + 3.0F * c[i];
}

static at_status measure_memory(at_machine *m, at_ctx *ctx, size_t most)
{
    triad t;
    const int64_t wanted = at_min(at_max(4 * m->last_cache, TRIAD_LEAST), TRIAD_MOST);
    const int64_t tiles = at_max(at_min(wanted, (int64_t)most) / (3 * TRIAD_TILE * 4), 1);
    t.n = tiles * TRIAD_TILE;
    AT_TRY(at_block_map(ctx, &t.block, (size_t)t.n * 3 * sizeof(float)));
    t.a = t.block.data;
    t.b = t.a + t.n;
    t.c = t.b + t.n;
    at_parallel_for(ctx->pool, tiles, fill_tile, &t);
    const double begin = at_clock();
    for (int i = 0; i < LEAST_TRIES || at_clock() - begin < SECONDS; i++) {
        const double before = at_clock();
        at_parallel_for(ctx->pool, tiles, triad_tile, &t);
        const double rate = 3.0 * sizeof(float) * (double)t.n / (at_clock() - before);
        if (rate > m->bytes_per_second) m->bytes_per_second = rate;
    }
    at_block_unmap(ctx, &t.block);
    return AT_OK;
}

/* ---- Multiply-adds: a plan of one product ---- */

/* A thread's share of the operands and the whole weights fit a second-level cache or nearly. */
enum { ROWS_A_THREAD = 128, MOST_ROWS = 1 << 15, PRODUCT_K = 384, PRODUCT_N = 256 };

typedef struct product {
    at_device *device;
    at_store *store;
    at_graph *g;
    at_plan *plan;
    at_value *x, *y;
    float *host; /* zeros are as fast as anything */
    int64_t rows;
} product;

static at_status build_product(product *p, at_ctx *ctx)
{
    at_state *w;
    const int64_t x[] = {1, PRODUCT_K}, weights[] = {PRODUCT_N, PRODUCT_K};
    p->rows = at_min((int64_t)ROWS_A_THREAD * ctx->threads, MOST_ROWS);
    AT_NEW(ctx, p->host, at_max(p->rows, PRODUCT_N) * PRODUCT_K);
    AT_TRY(at_device_open(&p->device, ctx, "cpu"));
    AT_TRY(at_store_create(&p->store, ctx, p->device));
    AT_TRY(at_graph_create(&p->g, ctx, p->store, AT_EVAL));
    AT_TRY(at_store_add(&w, p->store, "w", AT_FROZEN, 2, weights));
    AT_TRY(at_state_set(p->store, w, p->host));
    p->x = at_input(p->g, "x", AT_ACT, at_graph_extent(p->g, "rows", p->rows), 2, x);
    p->y = at_linear(p->g, p->x, at_read(p->g, w), NULL);
    return at_graph_finish(p->g);
}

static at_status time_product(at_machine *m, product *p)
{
    const at_plan_options o = {.act = m->product, .fetches = &p->y, .n_fetches = 1, .fetch_only = true};
    const at_pass pass = {.extents = &p->rows};
    AT_TRY(at_plan_create(&p->plan, p->g, &o));
    at_plan_write(p->plan, p->x, p->host, p->rows);
    at_plan_run(p->plan, &pass); /* packs the weights */
    AT_TRY(at_plan_sync(p->plan));
    const double begin = at_clock(), flops = 2.0 * PRODUCT_K * PRODUCT_N * (double)p->rows;
    for (int i = 0; i < LEAST_TRIES || at_clock() - begin < SECONDS; i++) {
        const double before = at_clock();
        at_plan_run(p->plan, &pass);
        AT_TRY(at_plan_sync(p->plan));
        const double rate = flops / (at_clock() - before);
        if (rate > m->flops_per_second) m->flops_per_second = rate;
    }
    return AT_OK;
}

static at_status measure_product(at_machine *m, at_ctx *ctx)
{
    product p = {0};
    at_status s = build_product(&p, ctx);
    if (s == AT_OK) s = time_product(m, &p);
    at_plan_destroy(p.plan);
    at_graph_destroy(p.g);
    at_store_destroy(p.store);
    at_device_close(p.device);
    at_free(ctx, p.host);
    return s;
}

at_status at__measure_machine(at_machine *out, at_ctx *ctx, at_dtype act, size_t most)
{
    *out = (at_machine){.product = act, .last_cache = at_last_cache()};
    AT_TRY(measure_memory(out, ctx, most));
    return measure_product(out, ctx);
}
