/* plan_internal.h: what plan.c, choose.c, layout.c and exec.c share. Layer: engine, private to it. */
#ifndef AT_PLAN_INTERNAL_H
#define AT_PLAN_INTERNAL_H

#include "engine/plan.h"
#include "engine/prepared.h"

typedef enum at_where {
    AT_NOWHERE,  /* not needed: unused output */
    AT_IN_ARENA, /* reused as soon as its last reader has run */
    AT_IN_PLAN,  /* kept by the plan: inputs, sums, static results */
    AT_IN_STATE, /* a state's memory */
} at_where;

typedef struct at_buffer_slot { /* memory shared by one or more values, one after another */
    size_t bytes, offset;
    int first, last; /* planned nodes between which it must live */
} at_buffer_slot;

typedef struct at_placed { /* where a value is */
    at_where where;
    int slot;        /* arena: index of its buffer slot */
    size_t offset;   /* plan block: bytes */
    int64_t columns; /* view: first column */
    int64_t pitch;
    at_dtype dtype;
    int step;     /* index of the planned node that computes it; -1 = none */
    int last_use; /* index of the last planned node that reads it or a view of it; n_steps = fetched */
    bool read, fed, fetched, is_static;
    bool no_share; /* its memory must not be taken over in place */
    void *data;
} at_placed;

typedef struct at_binding { /* a prepared operand of a planned node */
    at_prepared *kept;      /* NULL: made before each run in scratch */
    at_run_fn prepare;
    size_t scratch_offset;
    int dense_in; /* >= 0: becomes in[dense_in].data; -1: becomes prepared[index] */
    int index;
} at_binding;

enum { AT_MAX_BINDINGS = AT_MAX_PREPARED + AT_MAX_IN };

typedef struct at_step_node {
    const at_node *node;
    const at_kernel *kernel; /* NULL = the reference */
    at_run_fn run;
    at_call call;                          /* everything but rows, running states and keys is final */
    const at_value *copy_onto[AT_MAX_OUT]; /* base that must be copied before the node adds to it */
    uint32_t accumulate, accumulate_later; /* always; from the second micro pass on */
    at_need need;
    at_binding bindings[AT_MAX_BINDINGS];
    int n_bindings;
    size_t prepared_scratch; /* bytes of scratch before the kernel's own */
    bool widened;            /* the reference runs on copies of its activations in at_real, in scratch */
    size_t wide_in[AT_MAX_IN], wide_out[AT_MAX_OUT], wide_scratch; /* offsets behind the rest; bytes of all */
    bool is_static;
    uint64_t stamp; /* static: versions of its inputs when it was computed; 0 = not yet */
} at_step_node;

struct at_plan {
    at_ctx *ctx;
    at_graph *graph;
    at_store *store;
    at_device *device;
    at_plan_options options;
    at_step_node *steps;
    int n_steps;
    at_placed *placed; /* by value id */
    at_buffer_slot *slots;
    int n_slots;
    at_buffer arena, kept, scratch;
    size_t arena_bytes, scratch_bytes;
    size_t thread_stride, thread_offset;
    int64_t *extents; /* of the last run */
    at_watch_fn watch;
    void *watch_data;
};

/* choose.c */
void at__describe_problem(const at_plan *p, const at_node *n, at_problem *out);
at_status at__choose_kernel(const at_plan *p, const at_node *n, const at_problem *problem,
                            const at_kernel **out);

/* plan.c: a plan without kernels and memory, which cannot run: where everything would be, and for how long.
 * To be destroyed. */
at_status at__plan_outline(at_plan **out, at_graph *g, const at_plan_options *options);

/* layout.c */
size_t at__value_bytes(const at_placed *v, const at_meta *m);
/* kept: bytes of what the plan keeps. Obtains no memory. */
at_status at__place_values(at_plan *p, size_t *kept);
size_t at__pack_slots(at_buffer_slot *slots, int n, int *order);

/* dense copy of a state's logical tensor as at_real, through its loader */
at_status at__prepare_dense(const at_call *c);

/* What v adds to, and what that adds to ...: the value that was there first. */
static inline const at_value *at__first_of_sum(const at_value *v)
{
    while (v->onto) v = v->onto;
    return v;
}

static inline size_t at__slot_bytes(const at_buffer_slot *s)
{
    return (size_t)at_round_up((int64_t)s->bytes, AT_ALIGN);
}

/* Where the widened copies of a node begin in scratch: behind everything else. */
static inline size_t at__wide_offset(const at_plan *p, const at_step_node *s)
{
    return s->prepared_scratch + (size_t)at_round_up((int64_t)s->need.scratch, AT_ALIGN) +
           (size_t)p->ctx->threads * (size_t)at_round_up((int64_t)s->need.thread_scratch, AT_ALIGN);
}

static inline at_placed *at__placed(const at_plan *p, const at_value *v)
{
    return &p->placed[v->id];
}

#endif
