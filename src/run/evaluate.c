/* evaluate.c: a split through the evaluation plan, and its scores. */
#include "run/run.h"

at_status at__evaluate_split(at_run *r, at_split split, bool again, at_scores *out, float **outputs)
{
    const at_dataset *d = at__split(r, split);
    const at_sweep all = {.d = d, .n = d->n, .again = again};
    float *y;
    AT_NEW(r->ctx, y, at_job_output_rows(&r->job, d, d->n) * r->job.n_outputs);
    at_status s = at__forward(r, &r->eval, r->eval.plan, &all, &r->eval.output, 1, &y);
    if (s == AT_OK) s = r->job.task->score(&r->job, split, y, out);
    if (s == AT_OK && outputs) {
        *outputs = y;
        return AT_OK;
    }
    at_free(r->ctx, y);
    return s;
}
