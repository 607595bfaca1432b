/* cast.c: rows from one element type to another. */
#include "engine/cast.h"
#include "engine/rows.h"

static void widen(at_real *to, const uint16_t *from, int64_t n)
{
    for (int64_t i = 0; i < n; i++) to[i] = (at_real)at_bf16_to_f32(from[i]);
}

static void narrow(uint16_t *to, const at_real *from, int64_t n)
{
    for (int64_t i = 0; i < n; i++) to[i] = at_f32_to_bf16((float)from[i]);
}

static void span(const at_call *c, void *const *at, int64_t n)
{
    const at_dtype from = c->in[0].dtype;
    if (from == c->out[0].dtype)
        memcpy(at[1], at[0], (size_t)n * at_dtype_size(from));
    else if (from == AT_BF16)
        widen(at[1], at[0], n);
    else
        narrow(at[1], at[0], n);
}

at_status at__cast_rows(const at_call *c)
{
    at_for_spans(c, 1, 1, span);
    return AT_OK;
}
