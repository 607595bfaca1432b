/* op.h: what an op is, what a kernel is, and what a running kernel sees. Layer: engine.
 *
 * An op folder defines `const at_op at_op_NAME = {...}`, faster kernels `const at_kernel at_kernel_NAME =
 * {...}`; the build finds both by these definition lines. Main reading path: at_op, then at_call. */
#ifndef AT_OP_H
#define AT_OP_H

#include "base/pool.h"
#include "base/rng.h"
#include "engine/tensor.h"

typedef struct at_graph at_graph;
typedef struct at_node at_node;
typedef struct at_value at_value;
typedef struct at_storage at_storage;
typedef struct at_op at_op;
typedef struct at_call at_call;

typedef enum at_mode { AT_TRAIN, AT_EVAL, AT_DECODE } at_mode;

enum { AT_MAX_IN = 8, AT_MAX_OUT = 6, AT_MAX_PREPARED = 2, AT_REASON = 160 };

/* ---- A running kernel's view --------------------------------------------------------------------------- */

typedef struct at_arg {
    void *
        data; /* device memory; NULL: absent input, unused output, or a state that only its loader can read */
    at_dtype dtype; /* of data */
    int rank;
    int64_t dim[AT_MAX_RANK];  /* dim[0] is this step's value */
    int64_t rows, cols;        /* [rows, cols] in memory; rows: this step's value, never the maximum */
    int64_t pitch;             /* elements from row to row */
    const at_storage *storage; /* states only: how its buffers read */
    const void *const *buffers;
    /* Outputs of sparse_out: the kernel sets named[row] of each row that may cease to be zero, and clears
     * none; NULL = nobody asks. */
    uint8_t *named;
} at_arg;

struct at_call {
    const void *param;
    at_arg in[AT_MAX_IN], out[AT_MAX_OUT]; /* out: outputs, then saved values */
    uint32_t accumulate;                   /* bit i: add to out[i], else overwrite it */
    at_pool *pool;
    void *scratch; /* shared by the call's threads, as `need` asked */
    char *thread_scratch;
    size_t thread_stride;
    void *prepared[AT_MAX_PREPARED]; /* as `need` asked; in a prepare function, [0] is where to write */
    void *own;                       /* what the kernel's `open` made */
    at_rng_key key;                  /* stochastic ops: (seed, site, attempt) */
    uint32_t occurrence;             /* which of the site's stochastic nodes this is */
    bool rounds; /* of a reference: activations are bf16, so what a fused op's parts hand on is rounded */
};

/* Returns OK, DEVICE or INTERNAL. */
typedef at_status (*at_run_fn)(const at_call *c);

/* A part of a prepare function's work, by the calling thread alone. */
typedef void (*at_part_fn)(const at_call *c, int64_t part);

static inline void *at_thread_scratch(const at_call *c, int thread)
{
    return c->thread_scratch + (size_t)thread * c->thread_stride;
}

/* References read and write through these. */
static inline const at_real *at_row(const at_call *c, int in, int64_t row)
{
    return (const at_real *)c->in[in].data + row * c->in[in].pitch;
}

static inline at_real *at_out_row(const at_call *c, int out, int64_t row)
{
    return (at_real *)c->out[out].data + row * c->out[out].pitch;
}

static inline const int32_t *at_int_row(const at_call *c, int in, int64_t row)
{
    return (const int32_t *)c->in[in].data + row * c->in[in].pitch;
}

/* What a reference of a fused op hands on, as the next part would find it in memory. */
static inline double at_between(const at_call *c, double x)
{
    return c->rounds ? (double)at_bf16_to_f32(at_f32_to_bf16((float)x)) : x;
}

/* Store a result into out[out] at p: overwrite or add, as the call says. */
static inline void at_put(const at_call *c, int out, at_real *p, double value)
{
    *p = (at_real)((c->accumulate >> out & 1) ? (double)*p + value : value);
}

/* ---- Kernels ------------------------------------------------------------------------------------------- */

/* The static description of one node, for supports, score and need: maxima and mode, nothing of a step. */
typedef struct at_problem {
    const at_op *op;
    const void *param;
    at_mode mode;
    at_isa isa;
    int threads;
    at_meta in[AT_MAX_IN], out[AT_MAX_OUT]; /* rank 0 = absent */
    at_dtype in_dtype[AT_MAX_IN], out_dtype[AT_MAX_OUT];
    const at_storage *storage[AT_MAX_IN]; /* states only */
} at_problem;

/* What a kernel needs besides its operands. */
typedef struct at_need {
    size_t scratch, thread_scratch; /* bytes; the plan gives AT_ALIGN-aligned memory */
    int n_prepared;
    struct {
        size_t bytes;
        uint32_t from;     /* bit i: made from in[i] */
        uint64_t form;     /* tells forms apart that one prepare function may give the same operand; else 0 */
        at_run_fn prepare; /* writes c->prepared[0]; sees the node's own operands */
        /* Where it is made from one state: writes again what follows from the state's rows [part * part_rows,
         * (part + 1) * part_rows). NULL = it is only made as a whole. */
        at_part_fn part;
        int64_t part_rows;
    } prepared[AT_MAX_PREPARED];
} at_need;

typedef struct at_kernel {
    const char *name; /* "OP.VARIANT": "OP.avx512" */
    const at_op *op;
    at_isa isa;   /* least instruction set */
    at_dtype act; /* element type of the activations it reads and writes: AT_F32 (at_real) or AT_BF16 */
    uint32_t
        reads_storage; /* bit i: reads the state in[i] through its loader; others get it as dense at_real */
    bool thread_dependent; /* its bits may change with the thread count */
    bool remakes;          /* of updates: makes again what was prepared from states, part by part with them */
    bool (*supports)(const at_problem *p,
                     char reason[AT_REASON]);        /* NULL = every case; fills reason when false */
    int (*score)(const at_problem *p);               /* NULL = 10 * (isa + 1); the reference has 0 */
    void (*need)(const at_problem *p, at_need *out); /* NULL = nothing */
    at_run_fn run;
    /* What the node keeps beside memory, such as code that a library generates: made with the plan, for as
     * many threads as the problem says. NULL = nothing. */
    at_status (*open)(at_ctx *ctx, const at_problem *p, void **own);
    void (*close)(at_ctx *ctx, void *own); /* NULL is fine */
} at_kernel;

/* ---- Ops ----------------------------------------------------------------------------------------------- */

/* One test case: shapes of the inputs and how to fill them. Serves tests, gradient check, benchmarks. */
typedef struct at_op_case {
    const char *name; /* NULL ends the list */
    const void *param;
    at_shape in[AT_MAX_IN];
    int int_below; /* integer inputs are uniform in [0, int_below) */
    const int
        *lengths; /* ragged rows: how many each sample has, n_lengths of them; NULL = rows are samples */
    int n_lengths;
    double low, high;    /* real inputs are uniform in [low, high); both 0 = [-1, 1) */
    uint32_t positive;   /* bit i: in[i] is uniform in [0.5, 1.5) instead (variances, counts) */
    uint32_t gaps;       /* bit i: of in[i], elements 45 to 89 of every 135 are 0 */
    const double *kinks; /* inputs stay 10 h away from these, n_kinks of them */
    int n_kinks;
    bool large; /* too large for finite differences; kernels only */
} at_op_case;

typedef struct at_inplace {
    signed char in, out;
} at_inplace;

/* Shapes, dtypes and saved values of a node. in[i].rank is 0 for an absent optional input. */
typedef at_status (*at_infer_fn)(at_ctx *ctx, const void *param, const at_meta *in, at_meta *out,
                                 at_meta *saved);

/* Additions and multiplications of a node of these shapes. */
typedef double (*at_flops_fn)(const void *param, const at_meta *in, const at_meta *out);

/* Those of ops that use every element of w once for each of the rows: products and convolutions, whose
 * padding counts as if it were there. */
static inline double at_product_flops(const at_meta *rows, const at_meta *w)
{
    return 2.0 * (double)at_meta_max_rows(rows) * (double)at_meta_max_rows(w) * (double)at_meta_cols(w);
}

/* Append the nodes of the gradient. dy[i] is NULL when output i is unused; dx[i] is non-NULL where a gradient
 * is wanted and is to be replaced by it (NULL: it is zero). */
typedef void (*at_grad_fn)(at_graph *g, const at_node *n, at_value *const *dy, at_value **dx);

struct at_op {
    const char *name, *doc;
    int n_in, n_out, n_saved;
    /* Parameters are copied and hashed by bytes: no padding, no pointers below a cache cut. */
    size_t param_size;
    uint32_t optional_in; /* bit i: in[i] may be absent */
    uint32_t extent_in;   /* bit i: in[i] has sample rows (an extent); for the test harness */
    uint32_t rows_in;     /* bit i: in[i] has ragged rows, any number a sample (another extent); likewise */
    uint32_t
        offsets_in;  /* bit i: in[i] says where each sample's ragged rows begin, [samples + 1]; likewise */
    uint32_t int_in; /* bit i: in[i] holds integers */
    uint32_t acc_in; /* bit i: in[i] is acc (parameters, statistics); other real inputs are act */
    uint32_t any_in; /* bit i: in[i] may be act or acc */
    uint32_t constant_in; /* bit i: in[i] is data that never learns (class weights): asking for its gradient
                             fails */
    uint32_t sparse_out;  /* bit i: out[i] is zero but for the rows that in[0] names; out[i].named tells them,
                             and fast kernels write no others that are zero already */
    uint32_t updates;     /* bit i: in[i] is a state that the op overwrites (commit phase, or append) */
    at_inplace inplace[2]; /* {in, out} pairs that may share memory; n_inplace of them */
    int n_inplace;
    bool view;         /* the output is the input's memory under another shape; never runs */
    bool loss;         /* emits its gradient in the forward, as a saved value; takes no dy */
    bool couples_rows; /* a row's result depends on other rows (batch statistics): micro batches change it */
    bool stochastic;   /* draws random numbers: keyed by site, never static, never cached */
    at_infer_fn infer;
    at_grad_fn grad; /* NULL: no gradient, and no_grad_reason says why */
    const char *no_grad_reason;
    at_run_fn ref; /* the plain reference in at_real, accumulating in double; NULL for views */
    void (*ref_need)(const at_problem *p, at_need *out); /* NULL = nothing */
    at_flops_fn flops;                                   /* NULL = one an element of the outputs */
    int64_t (*view_offset)(const void *param);           /* views: first column; NULL = 0 */
    const at_op_case *cases;                             /* ends with {0} */
    const at_op_case *refused; /* shapes that infer must refuse; name = part of the message; ends with {0} */
};

#endif
