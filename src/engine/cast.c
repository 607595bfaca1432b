/* cast.c: rows from one element type to another. */
#include "engine/cast.h"
#include "engine/rows.h"

enum { TILE_ELEMENTS = 16384 };

typedef struct walk {
    const at_arg *from, *to;
    int64_t tile_rows;
} walk;

static const char *element_at(const at_arg *a, int64_t row)
{
    return (const char *)a->data + (size_t)(row * a->pitch) * at_dtype_size(a->dtype);
}

static void widen(at_real *to, const uint16_t *from, int64_t n)
{
    for (int64_t i = 0; i < n; i++) to[i] = (at_real)at_bf16_to_f32(from[i]);
}

static void narrow(uint16_t *to, const at_real *from, int64_t n)
{
    for (int64_t i = 0; i < n; i++) to[i] = at_f32_to_bf16((float)from[i]);
}

static void tile(void *arg, int64_t index, int thread)
{
    (void)thread;
    const walk *w = arg;
    const int64_t last = at_min((index + 1) * w->tile_rows, w->from->rows), n = w->from->cols;
    for (int64_t m = index * w->tile_rows; m < last; m++) {
        const void *from = element_at(w->from, m);
        void *to = (void *)(uintptr_t)element_at(w->to, m);
        if (w->from->dtype == w->to->dtype)
            memcpy(to, from, (size_t)n * at_dtype_size(w->from->dtype));
        else if (w->from->dtype == AT_BF16)
            widen(to, from, n);
        else
            narrow(to, from, n);
    }
}

at_status at__cast_rows(const at_call *c)
{
    walk w = {.from = &c->in[0], .to = &c->out[0]};
    if (w.from->rows == 0 || w.from->cols == 0) return AT_OK;
    w.tile_rows = at_max(1, TILE_ELEMENTS / w.from->cols);
    at_parallel_for(c->pool, at_ceil_div(w.from->rows, w.tile_rows), tile, &w);
    return AT_OK;
}
