/* embedding_simd.c: rows gathered through the state's loader, whatever its storage; the gradient adds the
 * rows of dy to those rows of the table that are named; others are cleared if an earlier step has named them.
 *
 * Rows are brought into the order of their ids by counting, those of one id in the order of rows; tasks are
 * blocks of columns. So the order of additions is fixed. Sums of an id are carried into doubles. */
#include "base/simd.h"
#include "engine/rows.h"
#include "engine/state.h"
#include "ops/embedding/embedding.h"

static bool are_ids_valid(const at_call *c, int in, int64_t V)
{
    for (int64_t r = 0; r < c->in[in].rows; r++) {
        const int32_t id = at_int_row(c, in, r)[0];
        if (id < 0 || id >= V) return false; /* checked where the batch was filled */
    }
    return true;
}

/* ---- forward ---- */

enum { TILE_ELEMENTS = 16384 };

static int64_t tile_rows(int64_t cols)
{
    return at_max(1, TILE_ELEMENTS / at_max(cols, 1));
}

static const float *table_row(const at_call *c, int64_t v, float *room)
{
    const at_arg *t = &c->in[0];
    if (!t->storage) return (const float *)t->data + v * t->pitch;
    t->storage->load(room, t->buffers, t->cols, v, 0, t->cols);
    return room;
}

static void gather_tile(void *arg, int64_t tile, int thread)
{
    const at_call *c = arg;
    const int64_t first_row = ((const at_embedding_param *)c->param)->first;
    const int64_t C = c->out[0].cols, first = tile * tile_rows(C),
                  last = at_min(first + tile_rows(C), c->out[0].rows);
    const bool accumulate = c->accumulate & 1;
    for (int64_t r = first; r < last; r++) {
        const float *x = table_row(c, first_row + at_int_row(c, 1, r)[0], at_thread_scratch(c, thread));
        at_element *y = (at_element *)c->out[0].data + r * c->out[0].pitch;
        for (int64_t i = 0; i < C; i += VL) {
            const int64_t lanes = at_min(VL, C - i);
            vf v = vf_load_n(x + i, lanes);
            if (accumulate) v += va_load_n(y + i, lanes);
            va_store_n(y + i, v, lanes);
        }
    }
}

static void forward_need(const at_problem *p, at_need *out)
{
    out->thread_scratch = (size_t)p->in[0].dim[1] * sizeof(float);
}

static at_status forward(const at_call *c)
{
    if (!are_ids_valid(c, 1, c->in[0].rows - ((const at_embedding_param *)c->param)->first))
        return AT_E_INTERNAL;
    const int64_t tiles = at_ceil_div(c->out[0].rows, tile_rows(c->out[0].cols));
    at_parallel_for(c->pool, tiles, gather_tile, (void *)(uintptr_t)c);
    return AT_OK;
}

const at_kernel AT_SIMD(at_kernel_embedding) = {.name = "embedding." AT_SIMD_VARIANT,
                                                .op = &at_op_embedding,
                                                .isa = AT_SIMD_LEVEL,
                                                .act = AT_SIMD_ACT,
                                                .reads_storage = 1,
                                                .need = forward_need,
                                                .run = forward};

/* ---- gradient ---- */

enum {
    BLOCK = 64,  /* columns of a task */
    CARRY = 256, /* rows that are added in float before they are carried into doubles */
    CLEAR_ROWS = 64
};

typedef struct scatter {
    const at_call *c;
    int32_t *end;   /* [V + 1]: end[v]: behind the last row of id v in `order`; in scratch */
    int32_t *order; /* [R]: rows by id */
} scatter;

static void sort_rows(scatter *s)
{
    const at_call *c = s->c;
    const int64_t V = c->out[0].rows, R = c->in[0].rows;
    memset(s->end, 0, (size_t)(V + 1) * sizeof *s->end);
    for (int64_t r = 0; r < R; r++) s->end[at_int_row(c, 0, r)[0] + 1]++;
    for (int64_t v = 0; v < V; v++) s->end[v + 1] += s->end[v];
    for (int64_t r = 0; r < R; r++) s->order[s->end[at_int_row(c, 0, r)[0]]++] = (int32_t)r;
}

/* sum = the rows order[first .. last), columns [col, col + n). */
static void add_rows(const scatter *s, int64_t first, int64_t last, int64_t col, int64_t n, double sum[BLOCK])
{
    const at_arg *dy = &s->c->in[1];
    for (int64_t i = 0; i < BLOCK; i++) sum[i] = 0.0;
    for (int64_t from = first; from < last; from += CARRY) {
        float part[BLOCK] = {0};
        for (int64_t k = from; k < at_min(from + CARRY, last); k++) {
            const at_element *x = (const at_element *)dy->data + s->order[k] * dy->pitch + col;
            for (int64_t i = 0; i < n; i += VL)
                vf_store(part + i, vf_load(part + i) + va_load_n(x + i, at_min(VL, n - i)));
        }
        for (int64_t i = 0; i < BLOCK; i++) sum[i] += (double)part[i];
    }
}

static void scatter_block(void *arg, int64_t block, int thread)
{
    (void)thread;
    const scatter *s = arg;
    const at_call *c = s->c;
    const int64_t first_row = ((const at_embedding_dtable_param *)c->param)->first;
    const int64_t R = c->in[0].rows, col = block * BLOCK, n = at_min(BLOCK, c->out[0].cols - col);
    double sum[BLOCK];
    for (int64_t k = 0; k < R;) {
        const int64_t v = at_int_row(c, 0, s->order[k])[0];
        float *d = (float *)c->out[0].data + (first_row + v) * c->out[0].pitch + col;
        add_rows(s, k, s->end[v], col, n, sum);
        for (int64_t i = 0; i < n; i++) d[i] = (float)((double)d[i] + sum[i]);
        k = s->end[v];
    }
}

static void clear_rows(void *arg, int64_t block, int thread)
{
    (void)thread;
    const at_arg *d = &((const at_call *)arg)->out[0];
    const int64_t first = block * CLEAR_ROWS, end = at_min(first + CLEAR_ROWS, d->rows);
    for (int64_t r = first; r < end; r++)
        if (!d->named || d->named[r])
            memset((float *)d->data + r * d->pitch, 0, (size_t)d->pitch * sizeof(float));
}

static void name_rows(const at_call *c)
{
    const int64_t first_row = ((const at_embedding_dtable_param *)c->param)->first;
    for (int64_t r = 0; r < c->in[0].rows && c->out[0].named; r++)
        c->out[0].named[first_row + at_int_row(c, 0, r)[0]] = 1;
}

static void dtable_need(const at_problem *p, at_need *out)
{
    out->scratch = (size_t)(p->out[0].dim[0] + 1 + at_meta_max_rows(&p->in[0])) * sizeof(int32_t);
}

static at_status dtable(const at_call *c)
{
    const int64_t V = c->out[0].rows;
    if (!are_ids_valid(c, 0, V - ((const at_embedding_dtable_param *)c->param)->first)) return AT_E_INTERNAL;
    if (!(c->accumulate & 1))
        at_parallel_for(c->pool, at_ceil_div(V, CLEAR_ROWS), clear_rows, (void *)(uintptr_t)c);
    scatter s = {.c = c, .end = c->scratch};
    s.order = s.end + V + 1;
    sort_rows(&s);
    name_rows(c);
    at_parallel_for(c->pool, at_ceil_div(c->out[0].cols, BLOCK), scatter_block, &s);
    return AT_OK;
}

const at_kernel AT_SIMD(at_kernel_embedding_dtable) = {.name = "embedding_dtable." AT_SIMD_VARIANT,
                                                       .op = &at_op_embedding_dtable,
                                                       .isa = AT_SIMD_LEVEL,
                                                       .act = AT_SIMD_ACT,
                                                       .need = dtable_need,
                                                       .run = dtable};
