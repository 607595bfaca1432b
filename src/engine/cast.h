/* cast.h: activations of another element type than at_real, at the borders where at_real is expected: the
 * host's reads and writes, and references. Layer: engine, private to it. */
#ifndef AT_CAST_H
#define AT_CAST_H

#include "engine/op.h"

/* out[0] = in[0], row by row, whatever their dtypes (at_real or bf16). */
at_status at__cast_rows(const at_call *c);

#endif
