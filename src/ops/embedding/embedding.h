/* embedding.h: builder of embedding. Layer: ops. */
#ifndef AT_EMBEDDING_H
#define AT_EMBEDDING_H

#include "engine/graph.h"

typedef struct at_embedding_param {
    int64_t first; /* the row that id 0 means */
} at_embedding_param;

typedef struct at_embedding_dtable_param {
    int64_t V; /* rows of the table */
    int64_t first;
} at_embedding_dtable_param;

extern const at_op at_op_embedding, at_op_embedding_dtable;

/* y[r] = table[first + ids[r]]: table [V,C] acc, ids [R] int on an extent with 0 <= id < V - first; y [R,C]
 * act. */
at_value *at_embedding(at_graph *g, at_value *table, at_value *ids, int64_t first);

#endif
