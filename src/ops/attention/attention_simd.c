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

/* Scores that do not count become -inf; the largest of each row to max. A NaN may be passed over: the sum
 * will meet it. */
static void mask_rows(float *score, const lane_range range[GROUP], int64_t n, float max[GROUP])
{
    const vf none = vf_set(-INFINITY);
    vf best[GROUP];
    for (int r = 0; r < GROUP; r++) best[r] = none;
    for (int64_t j = 0; j < n; j += VL)
        for (int r = 0; r < GROUP; r++) {
            const vf v = vf_select(is_in(range[r], j), vf_load(score + r * BLOCK + j), none);
            vf_store(score + r * BLOCK + j, v);
            best[r] = vf_at_least(best[r], v);
        }
    for (int r = 0; r < GROUP; r++) max[r] = vf_largest(best[r]);
}

/* score = exp(score - max); their sums are added to sum. */
static void exp_rows(float *score, const float max[GROUP], int64_t n, float sum[GROUP])
{
    vf part[GROUP] = {{0}};
    for (int64_t j = 0; j < n; j += VL) {
        vf v[GROUP];
#pragma GCC unroll 4
        for (int r = 0; r < GROUP; r++) v[r] = vf_load(score + r * BLOCK + j) - vf_set(max[r]);
        vf_exp_each(v, GROUP);
#pragma GCC unroll 4
        for (int r = 0; r < GROUP; r++) {
            vf_store(score + r * BLOCK + j, v[r]);
            part[r] += v[r];
        }
    }
    for (int r = 0; r < GROUP; r++) sum[r] += vf_total(part[r]);
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

/* What was summed by another maximum. */
static void raise_max(const one_head *t, const work *w, int64_t i, float max)
{
    if (w->sum[i] != 0.0f) {
        const float shrink = expf(w->max[i] - max);
        w->sum[i] *= shrink;
        scale_row(w->y + i * t->width, shrink, t->width);
    }
    w->max[i] = max;
}

/* From the scores of queries [i, i + GROUP) of the block to their probabilities, without the division by
 * their sum. */
static void softmax_rows(const one_head *t, const work *w, rows_of queries, int64_t i, rows_of keys)
{
    float *rows = w->score + i * BLOCK, found[GROUP];
    lane_range range[GROUP];
    for (int r = 0; r < GROUP; r++) range[r] = range_of(t, queries.at + i + r, keys);
    mask_rows(rows, range, keys.n, found);
    for (int r = 0; r < GROUP; r++)
        if (found[r] > w->max[i + r]) raise_max(t, w, i + r, found[r]);
    exp_rows(rows, w->max + i, keys.n, w->sum + i);
    for (int r = 0; r < GROUP && t->p->dropout > 0; r++)
        drop_row(t, queries.at + i + r, keys, rows + r * BLOCK);
}

static void meet(const one_head *t, const work *w, rows_of queries, rows_of keys)
{
    load_keys(t, w, keys);
    product(w->score, BLOCK, (strided){w->query, t->width, 1}, w->key_t, BLOCK, queries.n, keys.n, t->D,
            false);
    for (int64_t i = 0; i < queries.n; i += GROUP) softmax_rows(t, w, queries, i, keys);
    product(w->y, t->width, (strided){w->score, BLOCK, 1}, w->value, t->width, queries.n, t->width, keys.n,
            true);
}

static void finish(const one_head *t, const work *w, rows_of queries)
{
    for (int64_t i = 0; i < queries.n; i++) scale_row(w->y + i * t->width, 1 / w->sum[i], t->width);
    if (t->c->out[1].data) {
        for (int64_t i = 0; i < queries.n; i += VL)
            vf_store(w->sum + i, vf_load(w->max + i) + vf_log(vf_load(w->sum + i)));
        for (int64_t i = 0; i < queries.n; i++)
            at_put(t->c, 1, at_out_row(t->c, 1, t->first + queries.at + i) + t->head, (double)w->sum[i]);
    }
    if (t->c->out[0].data) store_rows(t, 0, queries, w->y, 1.0f);
}

static void forward_head(const one_head *t, const work *w)
{
    for (int64_t at = 0; at < t->rows; at += BLOCK) {
        const rows_of queries = block_at(t, at);
        load_rows(t, w->query, &t->c->in[AT_ATTENTION_QUERY], queries, (float)t->p->scale);
        memset(w->y, 0, (size_t)(at_round_up(queries.n, GROUP) * t->width) * sizeof(float));
        for (int64_t i = 0; i < BLOCK; i++) w->max[i] = -FLT_MAX, w->sum[i] = 0.0f;
        for (int64_t from = 0; from < t->rows; from += BLOCK)
            if (is_seen(t, queries, block_at(t, from))) meet(t, w, queries, block_at(t, from));
        finish(t, w, queries);
    }
}

static void forward_task(void *arg, int64_t task, int thread)
{
    const at_call *c = arg;
    int64_t n;
    one_head t = heads_of_task(&n, c, c->param, task);
    const work w = work_in(at_thread_scratch(c, thread), t.width);
    if (n > 1) prefetch_rows(&t, AT_ATTENTION_QUERY, AT_ATTENTION_OFFSETS);
    for (; n > 0; n--, t.head++) {
        key_draws(&t, SAMPLE_ID, c->occurrence);
        forward_head(&t, &w);
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
    at_parallel_for(c->pool, at_attention_samples(c) * heads, forward_task, (void *)(uintptr_t)c);
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
