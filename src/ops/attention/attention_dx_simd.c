/* attention_dx_simd.c: the gradient of attention in blocks: a block of keys meets one block of queries after
 * another, and the pairs' probabilities are computed again from the saved log-sums. Gradients of the keys and
 * values at hand are summed in a block, those of the queries over all blocks of keys, in order, in one array
 * for the sample. */
#include "ops/attention/blocks_simd.h"
#include <math.h>

enum { Y = 4, LOG_SUM, DY, SAMPLE_ID };

/* All in the thread's scratch. */
typedef struct work {
    float *query, *dy, *key, *key_t, *value_t, *value;
    float *dkey, *dvalue;  /* of the block of keys */
    float *p, *ds;         /* P z and dS of its pairs, [BLOCK][BLOCK]; before that scores and dP */
    float *log_sum, *dy_y; /* of each query: L, and dy . y */
    float *dquery;         /* of the sample */
} work;

static int64_t work_floats(int64_t width, int64_t rows)
{
    return BLOCK * (8 * width + 2 * BLOCK + 2) + at_round_up(rows, GROUP) * width;
}

static work work_in(float *x, int64_t width)
{
    const int64_t n = BLOCK * width;
    work w = {.query = x, .dy = x + n, .key = x + 2 * n, .key_t = x + 3 * n, .value_t = x + 4 * n};
    w.value = x + 5 * n;
    w.dkey = x + 6 * n;
    w.dvalue = x + 7 * n;
    w.p = x + 8 * n;
    w.ds = w.p + BLOCK * BLOCK;
    w.log_sum = w.ds + BLOCK * BLOCK;
    w.dy_y = w.log_sum + BLOCK;
    w.dquery = w.dy_y + BLOCK;
    return w;
}

static void load_keys(const one_head *t, const work *w, rows_of keys)
{
    load_rows(t, w->key, &t->c->in[AT_ATTENTION_KEY], keys, 1.0f);
    transpose(t, w->key_t, w->key, keys.n);
    load_rows(t, w->value, &t->c->in[AT_ATTENTION_VALUE], keys, 1.0f);
    transpose(t, w->value_t, w->value, keys.n);
    const size_t bytes = (size_t)(at_round_up(keys.n, GROUP) * t->width) * sizeof(float);
    memset(w->dkey, 0, bytes);
    memset(w->dvalue, 0, bytes);
}

static void load_queries(const one_head *t, const work *w, rows_of queries)
{
    load_rows(t, w->query, &t->c->in[AT_ATTENTION_QUERY], queries, (float)t->p->scale);
    load_rows(t, w->dy, &t->c->in[DY], queries, 1.0f);
    for (int64_t i = 0; i < queries.n; i++) {
        const at_element *y = head_row(t, &t->c->in[Y], queries.at + i);
        vf sum = {0};
        for (int64_t d = 0; d < t->D; d += VL)
            sum += vf_load(w->dy + i * t->width + d) * va_load_n(y + d, at_min(VL, t->D - d));
        w->dy_y[i] = vf_total(sum);
        w->log_sum[i] = at_row(t->c, LOG_SUM, t->first + queries.at + i)[t->head];
    }
}

/* From scores and dP of query i of the block to P z and dS. */
static void pair_row(const one_head *t, const work *w, rows_of queries, int64_t i, rows_of keys)
{
    float *p = w->p + i * BLOCK, *ds = w->ds + i * BLOCK;
    const int64_t query = queries.at + i;
    const lane_range range = range_of(t, query, keys);
    const vf log_sum = vf_set(w->log_sum[i]), dy_y = vf_set(w->dy_y[i]), zero = {0};
    uint32_t words[BLOCK + AT_RNG_GROUP];
    if (t->p->dropout > 0) draw(t, query, keys, words);
    for (int64_t j = 0; j < keys.n; j += VL) {
        const vi counts = is_in(range, j);
        const vf P = vf_exp(vf_load(p + j) - log_sum);
        vf z = vf_set(1.0f);
        if (t->p->dropout > 0) z = kept(t, words, j);
        vf_store(ds + j, vf_select(counts, P * (vf_load(ds + j) * z - dy_y), zero));
        vf_store(p + j, vf_select(counts, P * z, zero));
    }
}

static void meet(const one_head *t, const work *w, rows_of queries, rows_of keys)
{
    const at_arg *out = t->c->out;
    const int64_t width = t->width;
    load_queries(t, w, queries);
    product(w->p, BLOCK, (strided){w->query, width, 1}, w->key_t, BLOCK, queries.n, keys.n, t->D, false);
    product(w->ds, BLOCK, (strided){w->dy, width, 1}, w->value_t, BLOCK, queries.n, keys.n, t->D, false);
    for (int64_t i = 0; i < queries.n; i++) pair_row(t, w, queries, i, keys);
    if (out[0].data)
        product(w->dquery + queries.at * width, width, (strided){w->ds, BLOCK, 1}, w->key, width, queries.n,
                width, keys.n, true);
    if (out[1].data)
        product(w->dkey, width, (strided){w->ds, 1, BLOCK}, w->query, width, keys.n, width, queries.n, true);
    if (out[2].data)
        product(w->dvalue, width, (strided){w->p, 1, BLOCK}, w->dy, width, keys.n, width, queries.n, true);
}

static void gradient_head(const one_head *t, const work *w)
{
    const at_arg *out = t->c->out;
    memset(w->dquery, 0, (size_t)(at_round_up(t->rows, GROUP) * t->width) * sizeof(float));
    for (int64_t from = 0; from < t->rows; from += BLOCK) {
        const rows_of keys = block_at(t, from);
        load_keys(t, w, keys);
        for (int64_t at = 0; at < t->rows; at += BLOCK)
            if (is_seen(t, block_at(t, at), keys)) meet(t, w, block_at(t, at), keys);
        if (out[1].data) store_rows(t, 1, keys, w->dkey, 1.0f); /* the queries had the scale */
        if (out[2].data) store_rows(t, 2, keys, w->dvalue, 1.0f);
    }
    if (out[0].data) store_rows(t, 0, (rows_of){0, t->rows}, w->dquery, (float)t->p->scale);
}

static void gradient_task(void *arg, int64_t task, int thread)
{
    const at_call *c = arg;
    const at_attention_dx_param *p = c->param;
    int64_t n;
    one_head t = heads_of_task(&n, c, &p->of, task);
    const work w = work_in(at_thread_scratch(c, thread), t.width);
    if (n > 1) prefetch_rows(&t, AT_ATTENTION_QUERY, AT_ATTENTION_OFFSETS);
    if (n > 1) prefetch_rows(&t, Y, LOG_SUM);
    if (n > 1) prefetch_rows(&t, DY, SAMPLE_ID);
    for (; n > 0; n--, t.head++) {
        key_draws(&t, SAMPLE_ID, (uint32_t)p->occurrence);
        gradient_head(&t, &w);
    }
}

static void need(const at_problem *p, at_need *out)
{
    const int64_t heads = ((const at_attention_dx_param *)p->param)->of.heads;
    const int64_t width = at_round_up(p->in[0].dim[1] / heads, VL);
    out->thread_scratch = (size_t)work_floats(width, at_meta_max_rows(&p->in[0])) * sizeof(float);
}

static at_status gradient(const at_call *c)
{
    const int64_t heads = ((const at_attention_dx_param *)c->param)->of.heads;
    at_parallel_for(c->pool, at_attention_samples(c) * heads, gradient_task, (void *)(uintptr_t)c);
    return AT_OK;
}

const at_kernel AT_SIMD(at_kernel_attention_dx) = {.name = "attention_dx." AT_SIMD_VARIANT,
                                                   .op = &at_op_attention_dx,
                                                   .isa = AT_SIMD_LEVEL,
                                                   .act = AT_SIMD_ACT,
                                                   .need = need,
                                                   .run = gradient};
