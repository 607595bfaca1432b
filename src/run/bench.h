/* bench.h: what `attune bench` is made of: the clock of each node, the machine's limits, and the comparison
 * of both. Layer: run, private to it. Reading path: bench.c, timing.c, machine.c, roofline.c. */
#ifndef AT_BENCH_H
#define AT_BENCH_H

#include "base/text.h"
#include "run/run.h"

static inline const char *at__precision_name(at_dtype act)
{
    return act == AT_BF16 ? "bf16" : "f32";
}

/* A member of a JSON object that has others before it. */
static inline void at__add_number(at_text *t, const char *key, double x)
{
    at_text_printf(t, ",\"%s\":", key);
    at_text_number(t, x);
}

/* ---- timing.c: seconds of every planned node ---- */

typedef struct at_timer {
    at_ctx *ctx;
    at_plan *plan;
    int n_nodes;
    int64_t steps, done;
    double *run, *prepare; /* [node, step]; prepare: packing of operands, copies of what is added to */
    int64_t *runs;         /* [node]: in all steps */
    double began;
} at_timer;

/* Watch this plan's nodes for the next `steps` steps; at_timer_step after each of them. */
at_status at__timer_begin(at_timer *t, at_ctx *ctx, at_plan *plan, int64_t steps);
void at__timer_step(at_timer *t);
void at__timer_end(at_timer *t);

/* ---- machine.c: what the machine can do at most ---- */

typedef struct at_machine {
    double bytes_per_second; /* of memory: read and written, all threads */
    double flops_per_second; /* of our own products in a cache, all threads */
    at_dtype product;        /* element type of these products */
    int64_t last_cache;      /* bytes; 0 = unknown */
} at_machine;

/* Takes about a second. most: bytes that may be used. */
at_status at__measure_machine(at_machine *out, at_ctx *ctx, at_dtype act, size_t most);

/* ---- roofline.c: each node beside the least time that the limits allow ---- */

typedef struct at_work { /* of one node in a step, or of all nodes of one kernel */
    const at_node *node;
    const char *kernel;
    const at_call *call;
    double run, prepare, flops, bytes, least; /* seconds; least: of each node, summed */
    int n_nodes;
} at_work;

typedef struct at_roofline {
    at_machine machine;
    at_work *nodes, *kernels; /* nodes: by time lost; kernels: by time */
    int n_nodes, n_kernels;
    double seconds, least; /* of all nodes */
    double step;           /* seconds of a step that nobody watches */
    int64_t passes;        /* of a step */
} at_roofline;

/* t: has taken the time of some steps of `batch` samples. out->machine, step and passes are set before. */
at_status at__roofline(at_roofline *out, at_run *r, const at_timer *t);
void at__roofline_text(const at_roofline *f, at_text *t);
void at__roofline_json(const at_roofline *f, at_text *t); /* members, each after a comma */
void at__roofline_end(at_ctx *ctx, at_roofline *f);

#endif
