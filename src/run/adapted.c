/* adapted.c: what a run with adapters hands over beside the merged network: the adapters in a folder that
 * other programs read, and the proof that merging changed nothing. */
#include "adapters/peft.h"
#include "engine/prepared.h"
#include "formats/system.h"
#include "run/run.h"
#include <math.h>

/* ---- The proof: both networks on the same samples, in float ---- */

enum { MOST_SAMPLES = 64 };
static const double TOLERANCE = 1e-4; /* of the largest output, or of 1: sums that are rounded differently */

bool at__is_adapted(const at_run *r)
{
    const at_net *net = &r->model->net;
    for (int i = 0; i < net->n_sites; i++)
        if (net->sites[i]->intercepts) return true;
    return false;
}

/* Which samples: merging is right or wrong for all of them. */
static at_sweep samples_of_proof(const at_run *r, at_split *split)
{
    *split = r->job.split[AT_SPLIT_VALID] ? AT_SPLIT_VALID : AT_SPLIT_TRAIN;
    at_dataset *d = r->job.split[*split];
    return (at_sweep){.d = d, .n = at_min(d->n, MOST_SAMPLES)};
}

static int64_t numbers_of_proof(const at_run *r, const at_sweep *s)
{
    int64_t rows = r->job.task->per_token ? 0 : s->n;
    for (int64_t i = 0; i < s->n && r->job.task->per_token; i++)
        rows += s->d->rows(s->d, at__sweep_sample(s, i));
    return rows * r->job.n_outputs;
}

/* The memory it took is given back. */
static at_status run_model(at_run *r, at_model *m, const at_sweep *sweep, at_limit limit, float *out)
{
    at_pipe p = {0};
    at_model *own = r->model;
    const at_dtype act = r->act;
    r->model = m;
    r->act = AT_F32; /* what bf16 rounds away would hide a mistake */
    limit.samples = at_min(limit.samples, sweep->n);
    at_status s = at__build_pipe(r, &p, AT_EVAL, sweep->d, limit);
    if (s == AT_OK) s = at__plan_pipe(r, &p);
    if (s == AT_OK) s = at__forward(r, &p, p.plan, sweep, &p.output, 1, &out);
    at__close_pipe(&p);
    at_prepared_drop(m->net.store);
    at__let_go_of_weights(r);
    r->model = own;
    r->act = act;
    return s;
}

static at_status run_merged(at_run *r, const char *folder, const at_sweep *sweep, at_limit limit, float *out)
{
    at_model *m;
    AT_TRY(at_model_open(&m, r->ctx, r->device, folder));
    at_status s = r->job.task->headless ? AT_OK : at_model_keep_head(m);
    if (s == AT_OK) s = run_model(r, m, sweep, limit, out);
    at_model_close(m);
    return s;
}

static at_status emit(at_run *r, at_split split)
{
    const at_merge_proof *p = &r->merged;
    at_event e = {.kind = AT_EVENT_NOTE, .split = at_split_name(split), .samples = p->samples};
    at_text text, json;
    at_text_init(&text, r->ctx);
    at_text_init(&json, r->ctx);
    at_text_printf(&text,
                   "adapters are merged: the outputs differ from the adapted network's by %.2g at most "
                   "(largest output %.3g), on %lld %s samples",
                   p->difference, p->largest, (long long)p->samples, e.split);
    at_text_add(&json, "{\"event\":\"merged\",\"largest_difference\":");
    at_text_number(&json, p->difference);
    at_text_add(&json, ",\"largest_output\":");
    at_text_number(&json, p->largest);
    at_text_printf(&json, ",\"split\":\"%s\",\"samples\":%lld}", e.split, (long long)p->samples);
    return at__emit_both(r, &e, &text, &json);
}

static at_status compare(at_run *r, at_split split, const float *adapted, const float *merged, int64_t n)
{
    at_merge_proof *p = &r->merged;
    for (int64_t i = 0; i < n; i++) {
        const double d = fabs((double)adapted[i] - (double)merged[i]);
        if (!(d <= p->difference)) p->difference = d; /* NaN, too */
        p->largest = fmax(p->largest, fabs((double)adapted[i]));
    }
    AT_REQUIRE(r->ctx, p->difference <= TOLERANCE * fmax(p->largest, 1), AT_E_INTERNAL,
               "the merged network's outputs differ from the adapted one's by %g (largest output %g) on the "
               "%s samples: no model is handed over; the adapters are in %s/checkpoints",
               p->difference, p->largest, at_split_name(split), r->folder);
    return emit(r, split);
}

at_status at__prove_merge(at_run *r, const char *folder, at_limit limit)
{
    at_split split;
    if (!at__is_adapted(r)) return AT_OK;
    const at_sweep sweep = samples_of_proof(r, &split);
    const int64_t n = numbers_of_proof(r, &sweep);
    float *adapted, *merged;
    at__let_go_of_weights(r); /* they were read to be merged */
    AT_NEW(r->ctx, adapted, 2 * n);
    merged = adapted + n;
    r->merged = (at_merge_proof){.samples = sweep.n};
    at_status s = run_model(r, r->model, &sweep, limit, adapted);
    if (s == AT_OK) s = run_merged(r, folder, &sweep, limit, merged);
    if (s == AT_OK) s = compare(r, split, adapted, merged, n);
    at_free(r->ctx, adapted);
    return s;
}

at_status at__rehearse_proof(at_run *r, at_limit limit, double *seconds)
{
    at_split split;
    const at_sweep sweep = samples_of_proof(r, &split);
    const double begin = at_clock();
    float *adapted;
    at__close_pipes(r);
    AT_NEW(r->ctx, adapted, numbers_of_proof(r, &sweep));
    const at_status s = run_model(r, r->model, &sweep, limit, adapted);
    at_free(r->ctx, adapted);
    *seconds = 2 * (at_clock() - begin);
    return s;
}

/* ---- The folder of adapters ---- */

/* What cannot be a folder that belongs to the base network; NULL = it can. */
static const char *obstacle(at_run *r, const at_adapter **adapter)
{
    const at_net *net = &r->model->net;
    const char *name = NULL;
    for (int i = 0; i < net->n_sites; i++) {
        const at_site *site = net->sites[i];
        for (const at_intercept *k = site->intercepts; k; k = k->next) {
            if (name && strcmp(name, k->adapter) != 0) return "there are several kinds of adapters";
            name = k->adapter;
        }
        if (site->intercepts && at_peft_is_module_to_save(site))
            return at_arena_printf(&r->arena, "%s learned itself, too", site->name);
    }
    *adapter = at_registry_find(r->ctx, "adapter", name);
    return *adapter && (*adapter)->write ? NULL : "there is no such format";
}

static at_status write_beside(at_run *r, const at_adapter *adapter, const char *beside)
{
    const at_adapter_folder f = {
        .path = beside, .prefix = at_model_prefix(r->model), .base = r->model->folder};
    AT_TRY(at_folder_remove(r->ctx, beside));
    AT_TRY(at_folder_make(r->ctx, beside));
    return adapter->write(&r->model->net, &f);
}

at_status at__hand_over_adapters(at_run *r)
{
    const at_adapter *adapter = NULL;
    if (!at__is_adapted(r)) return AT_OK;
    const char *reason = obstacle(r, &adapter);
    if (reason) {
        at__note(r, "the adapters are not written as a folder of their own: %s", reason);
        return AT_OK;
    }
    char *to = at_arena_printf(&r->arena, "%s/adapter", r->folder);
    char *beside = at_arena_printf(&r->arena, "%s/.adapter.tmp", r->folder);
    if (!to || !beside) return AT_E_NOMEM;
    AT_TRY(write_beside(r, adapter, beside));
    AT_TRY(at_folder_remove(r->ctx, to));
    return at_folder_rename(r->ctx, beside, to);
}
