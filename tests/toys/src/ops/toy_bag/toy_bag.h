/* toy_bag.h: builder of toy_bag. */
#ifndef AT_TOY_BAG_H
#define AT_TOY_BAG_H

#include "engine/graph.h"

extern const at_op at_op_toy_bag;

typedef struct at_bag {
    at_value *sum, *squares; /* [S,H] */
} at_bag;

/* Sums over the rows of table [V,H] that ids INT [S,F] name, and over their squares. */
at_bag at_toy_bag(at_graph *g, at_value *table, at_value *ids);

#endif
