/* graph.h: building a graph. Builder calls append nodes and run nothing; the first mistake sticks and is
 * reported by at_graph_finish with the name of its site, so that model code has no error branches. Layer:
 * engine.
 *
 * A graph is built for one mode. Phases: nodes are appended to the pass (run k times a step) until
 * at_graph_commit, then to the commit (run once). */
#ifndef AT_GRAPH_H
#define AT_GRAPH_H

#include "base/alloc.h"
#include "engine/op.h"

typedef struct at_state at_state;
typedef struct at_store at_store;

typedef enum at_phase { AT_PASS, AT_COMMIT } at_phase;

/* Where a value's memory lives when it outlives its readers in the step. */
typedef enum at_target {
    AT_TARGET_NONE,
    AT_TARGET_GRADIENT, /* the state's place in the flat gradient; micro passes add up */
    AT_TARGET_PENDING,  /* the running state's pending value; each micro pass overwrites it */
    AT_TARGET_SUM,      /* a sum over the step's micro passes */
} at_target;

struct at_value {
    at_meta meta;
    at_node *node;    /* producer; NULL: graph input or state */
    int index;        /* which output of node */
    at_state *state;  /* a state read */
    const char *name; /* inputs */
    at_value *onto;   /* the node adds to this value's memory: value = onto + result */
    at_target target;
    at_state *target_state;
    bool needs_grad, want_grad;
    at_value *grad; /* set by at_gradients */
    int id;
};

struct at_node {
    const at_op *op;
    const void *param;
    const char *site; /* full name of the place: messages, random keys */
    at_phase phase;
    uint32_t occurrence; /* among the stochastic nodes of this site */
    int n_in;
    at_value *in[AT_MAX_IN];
    at_value *out[AT_MAX_OUT]; /* outputs, then saved values */
    at_value **saved;          /* = out + op->n_out */
    int id;
};

struct at_graph {
    at_ctx *ctx;
    at_arena arena;
    at_store *store; /* borrowed */
    at_mode mode;
    at_phase phase;
    const char *site;
    at_node **nodes;
    int n_nodes, cap_nodes;
    int n_forward; /* nodes before the first one of a gradient; 0 = there are no gradients yet */
    at_value **values;
    int n_values, cap_values;
    at_extent **extents;
    int n_extents;
    at_node *error_node; /* what failed calls return; never runs */
    at_status status;
};

/* store: borrowed, may be NULL for graphs without states. */
at_status at_graph_create(at_graph **out, at_ctx *ctx, at_store *store, at_mode mode) AT_MUST_USE;
void at_graph_destroy(at_graph *g);

/* The first failure of any builder call, or OK. Call once after building. */
at_status at_graph_finish(at_graph *g) AT_MUST_USE;

/* Record a failure from code that builds (sites, models); the message is put behind the site's name. */
void at_graph_fail(at_graph *g, at_status code, const char *fmt, ...) AT_PRINTF(3, 4);

/* Following nodes belong to this site (copied). */
void at_graph_site(at_graph *g, const char *fmt, ...) AT_PRINTF(2, 3);

/* Following nodes belong to the commit. */
void at_graph_commit(at_graph *g);

const at_extent *at_graph_extent(at_graph *g, const char *name, int64_t max);

/* An input that the step fills. extent: of dim[0], whose maximum is extent->max * dim[0]; NULL = constant. */
at_value *at_input(at_graph *g, const char *name, at_type type, const at_extent *extent, int rank,
                   const int64_t *dim);

/* The input of this name; NULL = there is none. */
at_value *at_graph_input(const at_graph *g, const char *name);

/* The value of a state at the start of the step (running states: as of the previous micro pass). One value
 * per state. */
at_value *at_read(at_graph *g, at_state *state);

/* Append a node. in[i] may be NULL where the op allows it. Never returns NULL. */
at_node *at_apply(at_graph *g, const at_op *op, const void *param, at_value *const *in, int n_in);

/* Append a node and return its first output: at_op1(g, &op, &param, x, w). */
#define at_op1(g, op, param, ...)                                                                            \
    (at_apply((g), (op), (param), (at_value *const[]){__VA_ARGS__},                                          \
              (int)(sizeof((at_value *const[]){__VA_ARGS__}) / sizeof(at_value *)))                          \
         ->out[0])
#define at_opn(g, op, param, ...)                                                                            \
    at_apply((g), (op), (param), (at_value *const[]){__VA_ARGS__},                                           \
             (int)(sizeof((at_value *const[]){__VA_ARGS__}) / sizeof(at_value *)))

/* Views: the same memory under another shape. at_reshape regroups the leading dimensions or splits the last
 * one (dim[0] = 0 stands for what the extent leaves); at_columns takes `count` columns from `first`. */
at_value *at_reshape(at_graph *g, at_value *x, int rank, const int64_t *dim);
at_value *at_columns(at_graph *g, at_value *x, int64_t first, int64_t count);

/* Put a running state's next value on the commit list. */
void at_assign(at_graph *g, at_state *state, at_value *value);

/* Sum this value over the step's micro passes; commit nodes read the sum. */
void at_step_sum(at_graph *g, at_value *value);

/* Append rows to a state at row `at` (an INT [1] value), visible to later nodes of the same step; decode mode
 * only. Returns the state as those nodes must read it. */
at_value *at_append(at_graph *g, at_state *state, at_value *rows, at_value *at);

/* Append the nodes that compute the gradient of sum_i <seed_i, output_i> for every trainable state and every
 * input with want_grad. seeds[i] = NULL stands for ones and is for ops that emit their gradient in the
 * forward (losses). Afterwards value->grad is set where a path exists; trainable states' gradients are
 * directed to the flat gradient. */
void at_gradients(at_graph *g, at_value *const *outputs, at_value *const *seeds, int n);

/* After at_gradients: does a gradient reach this state? */
bool at_graph_reaches(const at_graph *g, const at_state *state);

/* Copy a node, with values of its own, into no list of nodes: for passes over the graph. It draws the same
 * random numbers and directs nothing anywhere. NULL: the graph has the failure. */
at_node *at_graph_copy_node(at_graph *g, const at_node *n);

/* Additions and multiplications, at the most rows. */
double at_node_flops(const at_node *n);

/* Text of a node for messages: "site (op)". */
const char *at_node_text(char out[192], const at_node *n);

#endif
