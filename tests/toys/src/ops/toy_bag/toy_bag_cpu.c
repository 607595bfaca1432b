/* toy_bag_cpu.c: gathers the named rows through the state's loader, whatever its storage; others are not
 * touched. */
#include "engine/rows.h"
#include "engine/state.h"
#include "ops/toy_bag/toy_bag.h"

static void need(const at_problem *p, at_need *out)
{
    out->thread_scratch = (size_t)p->in[0].dim[1] * sizeof(at_real);
}

static const at_real *table_row(const at_call *c, int64_t v, at_real *room)
{
    const at_arg *t = &c->in[0];
    if (!t->storage) return at_row(c, 0, v);
    t->storage->load(room, t->buffers, t->cols, v, 0, t->cols);
    return room;
}

static void add_row(const at_call *c, int64_t s, const at_real *x, bool first)
{
    for (int o = 0; o < 2; o++) {
        if (!c->out[o].data) continue;
        const bool onto = !first || (c->accumulate >> o & 1);
        at_real *y = at_out_row(c, o, s);
        for (int64_t h = 0; h < c->out[o].cols; h++) {
            const at_real add = o ? x[h] * x[h] : x[h];
            y[h] = onto ? y[h] + add : add;
        }
    }
}

static void sample(void *arg, int64_t s, int thread)
{
    const at_call *c = arg;
    for (int64_t f = 0; f < c->in[1].cols; f++)
        add_row(c, s, table_row(c, at_int_row(c, 1, s)[f], at_thread_scratch(c, thread)), f == 0);
}

static at_status run(const at_call *c)
{
    at_parallel_for(c->pool, c->in[1].rows, sample, (void *)(uintptr_t)c);
    return AT_OK;
}

const at_kernel at_kernel_toy_bag_gather = {
    .name = "toy_bag.gather", .op = &at_op_toy_bag, .reads_storage = 1, .need = need, .run = run};
