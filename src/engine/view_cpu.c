/* view_cpu.c: copy on all threads: what sums of gradients are made of. */
#include "engine/rows.h"
#include "engine/view.h"

static void span(const at_call *c, float *const *at, int64_t n)
{
    const float *x = at[0];
    float *y = at[1];
    if (c->accumulate & 1)
        for (int64_t i = 0; i < n; i++) y[i] += x[i];
    else
        for (int64_t i = 0; i < n; i++) y[i] = x[i];
}

static at_status run(const at_call *c)
{
    at_for_spans(c, 1, 1, span);
    return AT_OK;
}

const at_kernel at_kernel_copy_rows = {.name = "copy.rows", .op = &at_op_copy, .run = run};
