/* commit.c: the ops of a step's end, and the part of the graph that they make up.
 *
 * tensor_sums   s[t] = sum of squares of tensor t of a flat range
 * clip          count = summed weights, norm = sqrt(sum s) / count, ok = all finite and count > 0,
 *               scale = min(1, clip / (norm + 1e-6)) / count        (as torch.nn.utils.clip_grad_norm_)
 * finite        1 when every element is finite, else 0
 * commit        running = pending, if ok
 * count_step    step = step + 1, if ok
 *
 * Gradients arrive as sums over all samples of the step; the one division by their count is in `scale`. */
#include "ops/optim/optim.h"
#include <math.h>

static at_status no_output(at_ctx *ctx, const void *p, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)ctx, (void)p, (void)in, (void)out, (void)saved;
    return AT_OK;
}

static double scalar(const at_call *c, int in)
{
    return (double)at_row(c, in, 0)[0];
}

#define NOT_LEARNT "the update itself does not learn"

static const at_range case_ranges[] = {{.lo = 0, .hi = 5, .rate = 1.0, .decay = 0.1},
                                       {.lo = 8, .hi = 9, .rate = 0.5}};
static const at_range large_ranges[] = {{.lo = 0, .hi = 40001, .rate = 1.0, .decay = 0.1},
                                        {.lo = 40016, .hi = 40050, .rate = 0.5}};

/* ---- tensor_sums: in flat [n]; out [T] ---- */

static at_status sums_infer(at_ctx *ctx, const void *p, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)saved;
    const at_ranges *r = p;
    AT_REQUIRE(ctx, r->n > 0 && r->list[r->n - 1].hi <= in[0].dim[0], AT_E_SHAPE,
               "tensor_sums: the ranges reach beyond the %lld elements", (long long)in[0].dim[0]);
    out[0] = at_meta_vector(AT_ACC, r->n);
    return AT_OK;
}

static at_status sums_ref(const at_call *c)
{
    const at_ranges *r = c->param;
    const at_real *x = at_row(c, 0, 0);
    for (int64_t t = 0; t < r->n; t++) {
        double sum = 0.0;
        for (int64_t i = r->list[t].lo; i < r->list[t].hi; i++) sum += (double)x[i] * (double)x[i];
        at_put(c, 0, &at_out_row(c, 0, 0)[t], sum);
    }
    return AT_OK;
}

static const at_op_case sums_cases[] = {
    {.name = "two", .param = &(const at_ranges){case_ranges, 2}, .in = {{1, {9}}}},
    {.name = "large", .param = &(const at_ranges){large_ranges, 2}, .in = {{1, {40050}}}, .large = true},
    {0},
};

static const at_op_case sums_refused[] = {
    {.name = "reach beyond the 8 elements", .param = &(const at_ranges){case_ranges, 2}, .in = {{1, {8}}}},
    {0},
};

const at_op at_op_tensor_sums = {.name = "tensor_sums",
                                 .doc = "sum of squares of each tensor of a flat range",
                                 .n_in = 1,
                                 .n_out = 1,
                                 .param_size = sizeof(at_ranges),
                                 .acc_in = 1,
                                 .infer = sums_infer,
                                 .no_grad_reason = NOT_LEARNT,
                                 .ref = sums_ref,
                                 .cases = sums_cases,
                                 .refused = sums_refused};

/* ---- clip: in sums [T], count [1], loss [1], finite [1] (optional); out scale, norm, ok ---- */

typedef struct clip_param {
    double clip; /* largest norm; 0 = no clipping */
} clip_param;

static at_status clip_infer(at_ctx *ctx, const void *p, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)p, (void)saved;
    AT_REQUIRE(ctx, in[1].dim[0] == 1 && in[2].dim[0] == 1, AT_E_SHAPE, "clip: count and loss must be [1]");
    for (int i = 0; i < 3; i++) out[i] = at_meta_vector(AT_ACC, 1);
    return AT_OK;
}

static at_status clip_ref(const at_call *c)
{
    const clip_param *p = c->param;
    const double count = scalar(c, 1), loss = scalar(c, 2);
    double sum = 0.0;
    for (int64_t t = 0; t < c->in[0].cols; t++) sum += (double)at_row(c, 0, 0)[t];
    const double norm = sqrt(sum) / count;
    const bool ok = isfinite(norm) && isfinite(loss) && count > 0 && (!c->in[3].data || scalar(c, 3) > 0);
    const double scale = p->clip > 0 && p->clip < norm + 1e-6 ? p->clip / (norm + 1e-6) : 1.0;
    if (c->out[0].data) at_put(c, 0, at_out_row(c, 0, 0), ok ? scale / count : 0.0);
    if (c->out[1].data) at_put(c, 1, at_out_row(c, 1, 0), norm);
    if (c->out[2].data) at_put(c, 2, at_out_row(c, 2, 0), ok ? 1.0 : 0.0);
    return AT_OK;
}

static const at_op_case clip_cases[] = {
    {.name = "clips", .param = &(const clip_param){0.1}, .in = {{1, {3}}, {1, {1}}, {1, {1}}}, .positive = 3},
    {.name = "leaves",
     .param = &(const clip_param){100},
     .in = {{1, {3}}, {1, {1}}, {1, {1}}, {1, {1}}},
     .positive = 11},
    {.name = "bad_count",
     .param = &(const clip_param){1},
     .in = {{1, {3}}, {1, {1}}, {1, {1}}},
     .low = -2,
     .high = -1,
     .positive = 1},
    {0},
};

static const at_op_case clip_refused[] = {
    {.name = "count and loss must be [1]",
     .param = &(const clip_param){1},
     .in = {{1, {3}}, {1, {2}}, {1, {1}}}},
    {0},
};

const at_op at_op_clip = {.name = "clip",
                          .doc = "scale of the gradient, its norm, whether to commit",
                          .n_in = 4,
                          .n_out = 3,
                          .optional_in = 8,
                          .param_size = sizeof(clip_param),
                          .acc_in = 15,
                          .infer = clip_infer,
                          .no_grad_reason = NOT_LEARNT,
                          .ref = clip_ref,
                          .cases = clip_cases,
                          .refused = clip_refused};

/* A few numbers a step, here and in `finite`: the references are fast enough to be kernels, and strict plans
 * may take them. */
const at_kernel at_kernel_clip = {.name = "clip.plain", .op = &at_op_clip, .run = clip_ref};

/* ---- finite: in flat [n]; out [1] ---- */

static at_status finite_infer(at_ctx *ctx, const void *p, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)ctx, (void)p, (void)in, (void)saved;
    out[0] = at_meta_vector(AT_ACC, 1);
    return AT_OK;
}

static at_status finite_ref(const at_call *c)
{
    bool finite = true;
    for (int64_t i = 0; i < c->in[0].cols; i++) finite &= isfinite((double)at_row(c, 0, 0)[i]) != 0;
    at_put(c, 0, at_out_row(c, 0, 0), finite ? 1.0 : 0.0);
    return AT_OK;
}

static const at_op_case finite_cases[] = {
    {.name = "some", .in = {{1, {7}}}},
    {0},
};

const at_op at_op_finite = {.name = "finite",
                            .doc = "1 when every element is finite",
                            .n_in = 1,
                            .n_out = 1,
                            .acc_in = 1,
                            .infer = finite_infer,
                            .no_grad_reason = NOT_LEARNT,
                            .ref = finite_ref,
                            .cases = finite_cases};

const at_kernel at_kernel_finite = {.name = "finite.plain", .op = &at_op_finite, .run = finite_ref};

/* ---- commit: in running [n] (overwritten), pending [n], ok [1] ---- */

static at_status commit_infer(at_ctx *ctx, const void *p, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)p, (void)out, (void)saved;
    AT_REQUIRE(ctx, in[0].dim[0] == in[1].dim[0], AT_E_SHAPE, "commit: running and pending differ in size");
    return AT_OK;
}

static at_status commit_ref(const at_call *c)
{
    if (scalar(c, 2) > 0) memcpy(c->in[0].data, c->in[1].data, (size_t)c->in[0].cols * sizeof(at_real));
    return AT_OK;
}

static const at_op_case commit_cases[] = {
    {.name = "ok", .in = {{1, {7}}, {1, {7}}, {1, {1}}}, .positive = 4},
    {.name = "not_ok", .in = {{1, {7}}, {1, {7}}, {1, {1}}}, .low = -1, .high = -0.5},
    {0},
};

static const at_op_case commit_refused[] = {
    {.name = "differ in size", .in = {{1, {7}}, {1, {6}}, {1, {1}}}},
    {0},
};

const at_op at_op_commit = {.name = "commit",
                            .doc = "pending values become the running ones, if ok",
                            .n_in = 3,
                            .acc_in = 7,
                            .updates = 1,
                            .infer = commit_infer,
                            .no_grad_reason = NOT_LEARNT,
                            .ref = commit_ref,
                            .cases = commit_cases,
                            .refused = commit_refused};

/* ---- count_step: in step [1] (overwritten), ok [1] ---- */

static at_status count_ref(const at_call *c)
{
    at_real *step = c->in[0].data;
    if (scalar(c, 1) > 0) *step += 1;
    return AT_OK;
}

static const at_op_case count_cases[] = {
    {.name = "ok", .in = {{1, {1}}, {1, {1}}}, .positive = 3},
    {.name = "not_ok", .in = {{1, {1}}, {1, {1}}}, .low = -1, .high = -0.5, .positive = 1},
    {0},
};

const at_op at_op_count_step = {.name = "count_step",
                                .doc = "one more committed step, if ok",
                                .n_in = 2,
                                .acc_in = 3,
                                .updates = 1,
                                .infer = no_output,
                                .no_grad_reason = NOT_LEARNT,
                                .ref = count_ref,
                                .cases = count_cases};

/* ---- The commit part of a graph ---- */

/* A second graph over the same store has the first one's states. */
static at_status make_slots(at_commit *out, at_store *s, const at_optimizer *optimizer, const void *options)
{
    out->n_slots = optimizer->n_slots ? optimizer->n_slots(options) : 0;
    for (int i = 0; i < out->n_slots; i++) {
        out->slots[i] = at_store_find(s, optimizer->slot_names[i]);
        if (!out->slots[i]) AT_TRY(at_store_slot(&out->slots[i], s, optimizer->slot_names[i]));
    }
    if ((out->step = at_store_find(s, "optimizer.step"))) return AT_OK;
    const int64_t one = 1;
    const at_real zero = 0;
    AT_TRY(at_store_add(&out->step, s, "optimizer.step", AT_FLAT, 1, &one));
    return at_state_set(s, out->step, &zero);
}

at_status at_build_commit(at_commit *out, at_graph *g, at_value *loss, at_value *count, double clip,
                          const at_optimizer *optimizer, const void *options)
{
    at_store *s = g->store;
    *out = (at_commit){0};
    AT_REQUIRE(g->ctx, s->master, AT_E_ARG, "nothing is trainable: train at least the head");
    AT_TRY(make_slots(out, s, optimizer, options));
    at_graph_commit(g);
    at_graph_site(g, "optimizer");
    at_update u = {.ranges = {s->ranges, s->n_ranges}};
    out->rate = at_input(g, "learning_rate", AT_ACC, NULL, 1, (const int64_t[]){1});
    at_value *finite = s->pending ? at_op1(g, &at_op_finite, NULL, at_read(g, s->pending)) : NULL;
    u.gradient = at_read(g, s->gradient);
    u.tensor_sums = at_op1(g, &at_op_tensor_sums, &u.ranges, u.gradient);
    at_node *n = at_opn(g, &at_op_clip, &(clip_param){clip}, u.tensor_sums, count, loss, finite);
    out->scale = u.scale = n->out[0];
    out->norm = n->out[1];
    out->ok = u.ok = n->out[2];
    u.master = at_read(g, s->master);
    for (int i = 0; i < out->n_slots; i++) u.slot[i] = at_read(g, out->slots[i]);
    u.step = at_read(g, out->step);
    u.rate = out->rate;
    optimizer->build(g, &u, options);
    if (s->pending) at_opn(g, &at_op_commit, NULL, at_read(g, s->running), at_read(g, s->pending), u.ok);
    at_opn(g, &at_op_count_step, NULL, u.step, u.ok);
    return g->status;
}
