/* attention_simd.c: attention in blocks: a block of queries meets one block of keys after another; sums are
 * rescaled when a row finds a new maximum (Milakov and Gimelshein 2018; Dao et al. 2022). A task is one head
 * of one sample. */
#include "ops/attention/blocks_simd.h"
#include <float.h>
#include <math.h>

enum { SAMPLE_ID = 4 };

/* A block of queries in the making; all in the thread's scratch. */
typedef struct work {
    float *query, *key_t, *key, *value; /* key_t: the keys transposed */
    float *score;                       /* then probabilities, [BLOCK][BLOCK] */
    float *y;                           /* sums of weighted values */
    float *max, *sum;                   /* of each query */
} work;

static int64_t work_floats(int64_t width)
{
    return BLOCK * (5 * width + BLOCK + 2);
}

static work work_in(float *scratch, int64_t width)
{
    const int64_t n = BLOCK * width;
    work w = {.query = scratch, .key_t = scratch + n, .key = scratch + 2 * n, .value = scratch + 3 * n};
    w.y = scratch + 4 * n;
    w.score = scratch + 5 * n;
    w.max = w.score + BLOCK * BLOCK;
    w.sum = w.max + BLOCK;
    return w;
}

static void load_keys(const one_head *t, const work *w, rows_of keys)
{
    load_rows(t, w->key, &t->c->in[AT_ATTENTION_KEY], keys, 1.0f);
    transpose(t, w->key_t, w->key, keys.n);
    load_rows(t, w->value, &t->c->in[AT_ATTENTION_VALUE], keys, 1.0f);
}

/* Scores that do not count become -inf; returns the largest. A NaN may be passed over: the sum will meet it.
 */
static float mask_row(float *score, lane_range range, int64_t n)
{
    const vf none = vf_set(-INFINITY);
    vf best = none;
    for (int64_t j = 0; j < n; j += VL) {
        const vf v = vf_select(is_in(range, j), vf_load(score + j), none);
        vf_store(score + j, v);
        best = vf_select(v > best, v, best);
    }
    float max = best[0];
    for (int i = 1; i < VL; i++) max = best[i] > max ? best[i] : max;
    return max;
}

/* score = exp(score - max); returns their sum. */
static float exp_row(float *score, float max, int64_t n)
{
    vf sum = {0};
    for (int64_t j = 0; j < n; j += VL) {
        const vf v = vf_exp(vf_load(score + j) - vf_set(max));
        vf_store(score + j, v);
        sum += v;
    }
    return vf_sum(sum);
}

static void drop_row(const one_head *t, int64_t query, rows_of keys, float *p)
{
    uint32_t words[BLOCK + AT_RNG_GROUP];
    draw(t, query, keys, words);
    for (int64_t j = 0; j < keys.n; j += VL) vf_store(p + j, vf_load(p + j) * kept(t, words, j));
}

static void scale_row(float *x, float factor, int64_t n)
{
    for (int64_t i = 0; i < n; i += VL) vf_store(x + i, vf_load(x + i) * vf_set(factor));
}

/* From the scores of query i of the block to its probabilities, without the division by their sum. */
static void softmax_row(const one_head *t, const work *w, rows_of queries, int64_t i, rows_of keys)
{
    float *row = w->score + i * BLOCK;
    const int64_t query = queries.at + i;
    const float found = mask_row(row, range_of(t, query, keys), keys.n);
    if (found > w->max[i]) {
        const float shrink = expf(w->max[i] - found);
        w->sum[i] *= shrink;
        scale_row(w->y + i * t->width, shrink, t->width);
        w->max[i] = found;
    }
    w->sum[i] += exp_row(row, w->max[i], keys.n);
    if (t->p->dropout > 0) drop_row(t, query, keys, row);
}

static void meet(const one_head *t, const work *w, rows_of queries, rows_of keys)
{
    load_keys(t, w, keys);
    product(w->score, BLOCK, (strided){w->query, t->width, 1}, w->key_t, BLOCK, queries.n, keys.n, t->D,
            false);
    for (int64_t i = 0; i < queries.n; i++) softmax_row(t, w, queries, i, keys);
    product(w->y, t->width, (strided){w->score, BLOCK, 1}, w->value, t->width, queries.n, t->width, keys.n,
            true);
}

static void finish(const one_head *t, const work *w, rows_of queries)
{
    for (int64_t i = 0; i < queries.n; i++) {
        scale_row(w->y + i * t->width, 1 / w->sum[i], t->width);
        at_real *log_sum = t->c->out[1].data ? at_out_row(t->c, 1, t->first + queries.at + i) : NULL;
        if (log_sum) at_put(t->c, 1, log_sum + t->head, (double)w->max[i] + log((double)w->sum[i]));
    }
    if (t->c->out[0].data) store_rows(t, 0, queries, w->y, 1.0f);
}

static void forward_head(void *arg, int64_t task, int thread)
{
    const at_call *c = arg;
    const one_head t = head_of_task(c, c->param, task, SAMPLE_ID, c->occurrence);
    const work w = work_in(at_thread_scratch(c, thread), t.width);
    for (int64_t at = 0; at < t.rows; at += BLOCK) {
        const rows_of queries = block_at(&t, at);
        load_rows(&t, w.query, &c->in[AT_ATTENTION_QUERY], queries, (float)t.p->scale);
        memset(w.y, 0, (size_t)(BLOCK * t.width) * sizeof(float));
        for (int64_t i = 0; i < BLOCK; i++) w.max[i] = -FLT_MAX, w.sum[i] = 0.0f;
        for (int64_t from = 0; from < t.rows; from += BLOCK)
            if (is_seen(&t, queries, block_at(&t, from))) meet(&t, &w, queries, block_at(&t, from));
        finish(&t, &w, queries);
    }
}

static void need(const at_problem *p, at_need *out)
{
    const at_attention_param *param = p->param;
    const int64_t width = at_round_up(p->in[0].dim[1] / param->heads, VL);
    out->thread_scratch = (size_t)work_floats(width) * sizeof(float);
}

static at_status forward(const at_call *c)
{
    const int64_t heads = ((const at_attention_param *)c->param)->heads;
    at_parallel_for(c->pool, at_attention_samples(c) * heads, forward_head, (void *)(uintptr_t)c);
    return AT_OK;
}

const at_kernel AT_SIMD(at_kernel_attention) = {.name = "attention." AT_SIMD_VARIANT,
                                                .op = &at_op_attention,
                                                .isa = AT_SIMD_LEVEL,
                                                .act = AT_SIMD_ACT,
                                                .need = need,
                                                .run = forward};

const at_kernel AT_SIMD(at_kernel_attention_dropout) = {.name = "attention_dropout." AT_SIMD_VARIANT,
                                                        .op = &at_op_attention_dropout,
                                                        .isa = AT_SIMD_LEVEL,
                                                        .act = AT_SIMD_ACT,
                                                        .need = need,
                                                        .run = forward};
