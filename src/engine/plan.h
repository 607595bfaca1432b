/* plan.h: a graph made ready to run: kernels chosen, memory placed, nothing allocated afterwards. Layer:
 * engine.
 *
 * Life of a step: at_plan_write the inputs, at_plan_run (once for each micro pass), at_plan_commit,
 * at_plan_fetch. Everything is queued on the device; at_plan_sync waits. Reading path: plan.c, then layout.c,
 * then exec.c. */
#ifndef AT_PLAN_H
#define AT_PLAN_H

#include "engine/graph.h"
#include "engine/state.h"

typedef struct at_plan at_plan;

typedef struct at_plan_options {
    const char *kernels; /* "auto" (NULL), "ref", "strict" (a reference chosen is an error), the name of one
                            kernel variant ("base"): no other, or "auto+base": that one where it has some */
    bool deterministic;  /* no kernel whose bits depend on the number of threads */
    at_dtype act; /* element type of activations: AT_F32 (the default) stands for at_real, or AT_BF16; the
                     host sees at_real either way */
    at_value *const *fetches; /* values the host reads; they live to the end of the pass */
    int n_fetches;
    at_value *const *feeds; /* values that the host writes instead of computing them: cached features */
    int n_feeds;
    bool sketch;     /* to ask at_plan_memory only: obtains no memory for values and cannot run */
    bool fetch_only; /* nothing but what the fetches need: no gradients, sums, assignments or updates */
} at_plan_options;

/* One run. */
typedef struct at_pass {
    uint64_t seed, attempt;
    int micro;              /* 0 = first micro pass of the step: sums start anew */
    const int64_t *extents; /* value of each of the graph's extents */
} at_pass;

typedef struct at_memory { /* bytes by class; of states only what this plan's kernels read */
    size_t frozen, masters, gradients, slots, running, activations, inputs, sums, statics, scratch, prepared;
} at_memory;

/* May this be at_plan_options.kernels, so that a variant named in it is one that some kernel has? */
bool at_kernels_exist(const at_ctx *ctx, const char *kernels);

/* g: borrowed, must outlive the plan. @return UNSUPPORTED: no kernel for a node, with the reasons; NOMEM ...
 */
at_status at_plan_create(at_plan **out, at_graph *g, const at_plan_options *options) AT_MUST_USE;
void at_plan_destroy(at_plan *p);

/* Fill an input or a fed value with dense host rows; `leading` = the value of its extent (1 for constants).
 * Copied. */
void at_plan_write(at_plan *p, const at_value *v, const void *host, int64_t leading);

void at_plan_run(at_plan *p, const at_pass *pass);
void at_plan_commit(at_plan *p, const at_pass *pass);

/* Queue a copy of a fetch, a step sum or a state to dense host memory; its rows are those of the last run. */
void at_plan_fetch(at_plan *p, const at_value *v, void *host);

at_status at_plan_sync(at_plan *p) AT_MUST_USE;

/* Run a pass again with a look at every value; name the first node with a NaN or an infinity in its result,
 * and whether an input was at fault. *found = false: all finite. Waits; slow. */
at_status at_plan_find_nonfinite(at_plan *p, const at_pass *pass, bool *found, char text[256]) AT_MUST_USE;

at_memory at_plan_memory(const at_plan *p);

/* Walk the planned nodes: what runs where. NULL at the end. */
typedef struct at_plan_line {
    const at_node *node;
    const at_kernel *kernel; /* NULL = the reference */
    bool is_static;
    const at_call *call; /* its operands */
} at_plan_line;
bool at_plan_next(const at_plan *p, int *cursor, at_plan_line *out);

/* Tell of each planned node that runs when it begins, when its operands are prepared and when it has run;
 * node: as at_plan_next counts them from 0. It is the host's time: work of a device that only queues is not
 * done by then. fn NULL = nobody watches. */
typedef enum at_moment { AT_BEGINS, AT_IS_PREPARED, AT_HAS_RUN } at_moment;
typedef void (*at_watch_fn)(void *data, int node, at_moment moment);
void at_plan_watch(at_plan *p, at_watch_fn fn, void *data);

/* Why a kernel is or is not used for a node: one line a candidate, into text. */
void at_plan_explain(const at_plan *p, const at_node *n, char *text, size_t size);

#endif
