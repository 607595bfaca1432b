/* estimate.c: what a run would take: its plan, memory by class, and a forecast from its first steps, which
 * are really done, in memory only. */
#include "formats/system.h"
#include "run/run.h"

typedef struct forecast {
    double build, step, evaluation; /* seconds: until ready (features of frozen layers included); of one step;
                                       of one sample scored */
    double proof;                   /* that merging the adapters changed nothing */
    int64_t evaluations;            /* of the validation split during training */
    double total;                   /* if nothing stops it early */
    int64_t memory;                 /* the most that was resident */
} forecast;

static int64_t split_size(const at_run *r, at_split split)
{
    return r->job.split[split] ? r->job.split[split]->n : 0;
}

/* Seconds a sample, by scoring the validation split once (the test split where there is none), which then is
 * held as a training does that scores it again. */
static at_status measure_evaluation(at_run *r, void *data)
{
    forecast *f = data;
    const at_split split = split_size(r, AT_SPLIT_VALID) ? AT_SPLIT_VALID : AT_SPLIT_TEST;
    if (!split_size(r, split)) return AT_OK;
    at_scores scores;
    const double begin = at_clock();
    AT_TRY(at__evaluate_split(r, split, split == AT_SPLIT_VALID && r->optimizer->build, &scores, NULL));
    f->evaluation = (at_clock() - begin) / (double)split_size(r, split);
    return AT_OK;
}

/* The steps that are measured read a few training samples, a run all of them, and keeps what it reads again.
 */
static void hold_samples(at_run *r)
{
    at_dataset *d = at__split(r, AT_SPLIT_TRAIN);
    if (d->hold && (r->optimizer->solve || r->total_steps > r->steps_per_epoch)) d->hold(d);
}

/* Take the rows of a table that this column of the training samples names. */
static at_status take_rows(at_run *r, const at_dataset *d, int column, const at_state *table)
{
    const int64_t n = at_min(r->n_train, r->total_steps * r->batch_size);
    const int64_t each = at_column_count(&d->columns[column]);
    int32_t *order = at_alloc_array(r->ctx, r->n_train, sizeof *order);
    int32_t *ids = at_alloc_array(r->ctx, at_max(1, d->max_rows) * each, sizeof *ids);
    at_status status = order && ids ? AT_OK : AT_E_NOMEM;
    void *out[AT_MAX_COLUMNS] = {0};
    out[column] = ids;
    if (status == AT_OK) at_shuffle(order, r->n_train, (uint64_t)r->settings.general.seed, 0);
    for (int64_t i = 0; i < n && status == AT_OK; i++) {
        status = d->fill(r->ctx, d, order[i], &(at_fill){0}, out);
        const int64_t rows = d->columns[column].ragged ? d->rows(d, order[i]) : 1;
        for (int64_t k = 0; k < rows * each && status == AT_OK; k++)
            at_store_take_row(r->model->net.store, table, ids[k]);
    }
    at_free(r->ctx, ids);
    at_free(r->ctx, order);
    return status;
}

/* Gradients and moments of tables take memory row by row, and the measured steps name few of the rows. */
static at_status take_all_rows(at_run *r)
{
    const at_dataset *d = at__split(r, AT_SPLIT_TRAIN);
    for (int i = 0; i < r->train.g->n_nodes; i++) {
        const at_node *n = r->train.g->nodes[i];
        const at_value *x = n->out[0];
        if (!(n->op->sparse_out & 1)) continue;
        while (x->onto) x = x->onto;
        if (x->target != AT_TARGET_GRADIENT || !x->target_state->sparse) continue;
        for (int k = 0; k < d->n_columns; k++)
            if (n->in[0] == at_graph_input(r->train.g, d->columns[k].name))
                AT_TRY(take_rows(r, d, k, x->target_state));
    }
    return AT_OK;
}

static at_status measure(at_run *r, forecast *f)
{
    const at_limit limit = {r->eval.batch, r->eval.max_rows};
    f->build = at_clock() - r->started;
    const bool steps = r->optimizer->build, between = steps && split_size(r, AT_SPLIT_VALID);
    hold_samples(r);
    if (steps) AT_TRY(at__measure_steps(r, &f->step, between ? measure_evaluation : NULL, f));
    if (steps) AT_TRY(take_all_rows(r));
    if (!between) AT_TRY(measure_evaluation(r, f));
    if (at__is_adapted(r)) AT_TRY(at__rehearse_proof(r, limit, &f->proof));
    f->evaluations = r->optimizer->build ? at_ceil_div(r->total_steps, r->steps_per_epoch) : 0;
    const int64_t scored =
        (f->evaluations + 1) * split_size(r, AT_SPLIT_VALID) + split_size(r, AT_SPLIT_TEST);
    f->total = f->build + f->step * (double)r->total_steps + f->evaluation * (double)scored + f->proof;
    f->memory = at_peak_memory();
    return AT_OK;
}

static void write_text(const at_run *r, const forecast *f, at_text *t)
{
    at_text_printf(t, "forecast   %.0f MiB resident at most; ", (double)f->memory / 1048576.0);
    if (!r->optimizer->build) {
        at_text_printf(t, "%.1f s until ready, then %s iterates until it has converged", f->build,
                       r->optimizer->name);
        return;
    }
    at_text_printf(t, "%.1f s: %.1f until ready, %lld steps of %.3f, %lld evaluations of %.2f", f->total,
                   f->build, (long long)r->total_steps, f->step, (long long)f->evaluations,
                   f->evaluation * (double)split_size(r, AT_SPLIT_VALID));
    if (f->proof > 0) at_text_printf(t, ", %.1f to prove that adapters are merged", f->proof);
    if (r->metric) at_text_add(t, "; less when it stops early");
}

static void write_json(const at_run *r, const forecast *f, at_text *t)
{
    at_text_printf(t,
                   "{\"event\":\"forecast\",\"memory_bytes\":%lld,\"ready_seconds\":%.3f,\"steps\":%lld,"
                   "\"step_seconds\":",
                   (long long)f->memory, f->build, (long long)r->total_steps);
    if (r->optimizer->build)
        at_text_printf(t,
                       "%.6f,\"evaluations\":%lld,\"seconds_per_scored_sample\":%.6f,\"proof_seconds\":%.3f,"
                       "\"seconds\":%.3f}",
                       f->step, (long long)f->evaluations, f->evaluation, f->proof, f->total);
    else
        at_text_printf(t, "null,\"seconds_per_scored_sample\":%.6f,\"seconds\":null}", f->evaluation);
}

static at_status emit(at_run *r, const forecast *f)
{
    at_text text, json;
    at_text_init(&text, r->ctx);
    at_text_init(&json, r->ctx);
    write_text(r, f, &text);
    write_json(r, f, &json);
    at_event e = {.kind = AT_EVENT_PLAN, .seconds_left = f->total};
    return at__emit_both(r, &e, &text, &json);
}

static at_status estimate(at_run *r, void *unused)
{
    (void)unused;
    forecast f = {0};
    AT_TRY(at__look(r));
    AT_TRY(at__adapt(r));
    AT_TRY(at__choose_micro_batch(r));
    AT_TRY(at__build_training(r));
    if (r->optimizer->solve) AT_TRY(at__check_solver(r));
    AT_TRY(at__emit_plan(r));
    AT_TRY(measure(r, &f));
    return emit(r, &f);
}

at_status at_estimate(at_ctx *ctx, at_recipe *recipe, at_event_fn on_event, void *data)
{
    return at__with_run(ctx, recipe, on_event, data, estimate, NULL);
}
