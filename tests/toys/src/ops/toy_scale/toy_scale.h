/* toy_scale.h: builder of toy_scale. */
#ifndef AT_TOY_SCALE_H
#define AT_TOY_SCALE_H

#include "engine/graph.h"

extern const at_op at_op_toy_scale;

/* y = s x: x [...,C] act, s [1] acc. */
at_value *at_toy_scale(at_graph *g, at_value *x, at_value *s);

#endif
