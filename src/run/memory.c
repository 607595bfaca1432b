/* memory.c: do the plans fit the limit? Where they do not, as many activations as necessary are computed
 * again; where that is not enough, the error names what would be. No memory for values is obtained before
 * that is known. */
#include "engine/prepared.h"
#include "run/run.h"

static const double MIB = 1048576.0;

/* What the plans need; activations: of the training's. */
static at_status sketch(at_run *r, size_t *needed, size_t *activations)
{
    at_plan_options o = at__plan_options(r, &r->train);
    at_plan *plan;
    o.sketch = true;
    AT_TRY(at_plan_create(&plan, r->train.g, &o));
    const at_memory m = at_plan_memory(plan), e = at_plan_memory(r->eval.plan);
    at_plan_destroy(plan);
    *activations = m.activations;
    *needed = m.frozen + m.masters + m.gradients + m.slots + m.running + m.activations + m.inputs + m.sums +
              m.statics + m.scratch + m.prepared + e.activations + e.scratch + e.statics;
    return AT_OK;
}

static at_status recompute(at_run *r, size_t most, double thrift)
{
    const at_plan_options o = at__plan_options(r, &r->train);
    return at_graph_recompute(r->train.g, &o, most, thrift, &r->recomputed);
}

/* What a training of single samples needs that computes again whatever helps. The run can only end then. */
static at_status find_least(at_run *r, size_t *least)
{
    at_plan_destroy(r->eval.plan);
    r->eval.plan = NULL;
    at__close_pipe(&r->train);
    at_prepared_drop(r->model->net.store); /* they were packed for another batch */
    r->micro_batch = 1;
    AT_TRY(at__build_learning(r));
    AT_TRY(at__append_commit(r));
    AT_TRY(at__find_cut(r, &r->train));
    AT_TRY(at__plan_pipe(r, &r->eval));
    AT_TRY(recompute(r, 0, 0.0));
    size_t activations;
    return sketch(r, least, &activations);
}

static at_status refuse(at_run *r, size_t needed)
{
    const double need = (double)needed / MIB, limit = (double)r->memory_limit / MIB;
    const int64_t micro_batch = r->micro_batch;
    size_t least;
    AT_TRY(find_least(r, &least));
    if (least <= r->memory_limit)
        return at_fail(
            r->ctx, AT_E_NOMEM,
            "the plan needs %.1f MiB even where activations are recomputed, the limit is %.1f MiB; "
            "set train.micro_batch 1 (is %lld), which needs %.1f MiB, or raise --memory",
            need, limit, (long long)micro_batch, (double)least / MIB);
    return at_fail(
        r->ctx, AT_E_NOMEM,
        "the plan needs %.1f MiB even where activations are recomputed, the limit is %.1f MiB; the "
        "least that works is --memory %lldK with train.micro_batch 1 (is %lld)",
        need, limit, (long long)at_ceil_div((int64_t)least, 1024), (long long)micro_batch);
}

/* Below this many bytes of activations nobody is short of memory, and a run starts without a search. Above,
 * this share of a pass's work, as recompute.c counts it, is spent on needing less: MobileNetV2's training,
 * batch 32, then takes 1,170 instead of 1,827 MB; in bf16, which needs less to begin with, 838 instead of 979
 * MB. */
static const size_t LITTLE = (size_t)512 << 20;

static double thrift(const at_run *r, size_t activations)
{
    return activations <= LITTLE ? 0.0 : r->act == AT_BF16 ? 0.05 : 0.1;
}

at_status at__fit_memory(at_run *r)
{
    size_t needed, activations;
    AT_TRY(sketch(r, &needed, &activations));
    if (needed <= r->memory_limit && activations <= LITTLE) return AT_OK;
    const size_t others = needed - activations;
    AT_TRY(recompute(r, r->memory_limit > others ? r->memory_limit - others : 0, thrift(r, activations)));
    if (r->recomputed.fits) return AT_OK;
    return refuse(r, others + r->recomputed.after);
}
