/* attention.h: builder of attention. Layer: ops. */
#ifndef AT_ATTENTION_H
#define AT_ATTENTION_H

#include "engine/graph.h"

typedef struct at_attention_options {
    int heads;
    double scale;        /* of query key^T; 0 = 1 / sqrt(columns of a head) */
    int64_t window;      /* row i attends to rows j with |i - j| <= window / 2; 0 = to all */
    bool causal;         /* and with j <= i */
    double dropout;      /* of probabilities; in training */
    at_value *sample_id; /* INT [S] on the extent of samples: what draws are keyed by; NULL without dropout */
} at_attention_options;

typedef struct at_attention_param {
    int64_t heads, window, causal;
    double scale, dropout;
} at_attention_param;

typedef struct at_attention_dx_param {
    at_attention_param of;
    int64_t occurrence; /* of the forward node, among the stochastic nodes of its site */
} at_attention_dx_param;

extern const at_op at_op_attention, at_op_attention_dropout, at_op_attention_dx;

/* Scaled dot-product attention of each sample's rows among themselves: query, key, value [R,heads D] act on
 * the extent of ragged rows, offsets INT [Smax+1] with offsets[s] the first row of sample s and offsets[S] =
 * R. */
at_value *at_attention(at_graph *g, at_value *query, at_value *key, at_value *value, at_value *offsets,
                       const at_attention_options *o);

/* ---- What the reference and the kernels share ---- */

enum { AT_ATTENTION_QUERY, AT_ATTENTION_KEY, AT_ATTENTION_VALUE, AT_ATTENTION_OFFSETS };

/* Samples of this step: those whose rows begin below R. What stands behind offsets[S] is not read. */
static inline int64_t at_attention_samples(const at_call *c)
{
    const int32_t *offsets = at_int_row(c, AT_ATTENTION_OFFSETS, 0);
    int64_t n = 0;
    while (n + 1 < c->in[AT_ATTENTION_OFFSETS].cols && offsets[n] < c->in[AT_ATTENTION_QUERY].rows) n++;
    return n;
}

/* Row i of a sample of n rows attends to rows [first, last). */
static inline int64_t at_attention_first(const at_attention_param *p, int64_t i)
{
    return p->window ? at_max(0, i - p->window / 2) : 0;
}

static inline int64_t at_attention_last(const at_attention_param *p, int64_t i, int64_t n)
{
    if (p->causal) return i + 1;
    return p->window ? at_min(n, i + p->window / 2 + 1) : n;
}

/* Where a probability's draw stands: sample and head are one stream, query and key (counted within the
 * sample) its index, so that packing changes no draw. */
static inline uint64_t at_attention_stream(int32_t sample_id, int64_t head)
{
    return (uint32_t)sample_id | (uint64_t)head << 32;
}

static inline uint64_t at_attention_index(int64_t i, int64_t j)
{
    return (uint64_t)i << 17 | (uint64_t)j;
}

#endif
