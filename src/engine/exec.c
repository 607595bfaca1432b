/* exec.c: running a plan: rows of this step, keys, prepared operands, launches. Allocates nothing, waits for
 * nothing but in at_plan_sync and at_plan_find_nonfinite. */
#include "engine/plan_internal.h"
#include "engine/view.h"
#include <math.h>
#include <stdio.h>

static void set_rows(at_arg *a, const at_meta *m, const int64_t *extents)
{
    if (!m->extent) return;
    a->dim[0] = at_meta_leading(m, extents[m->extent->index]);
    a->rows = at_meta_rows_at(m, a->dim[0]);
}

static bool is_up_to_date(const at_plan *p, at_step_node *s)
{
    uint64_t stamp = 1;
    for (int i = 0; i < s->node->n_in; i++) {
        const at_value *v = s->node->in[i];
        if (!v) continue;
        while (v->node && v->node->op->view) v = v->node->in[0];
        stamp += v->node ? p->steps[at__placed(p, v)->step].stamp : v->state->version;
    }
    if (s->stamp == stamp) return true;
    s->stamp = stamp;
    return false;
}

static void run_bindings(const at_plan *p, const at_step_node *s)
{
    for (int k = 0; k < s->n_bindings; k++) {
        const at_binding *b = &s->bindings[k];
        at_call call = s->call;
        if (b->kept) {
            const uint64_t current = at_prepared_current(b->kept);
            if (b->kept->version == current) continue;
            b->kept->version = current;
        }
        if (b->dense_in >= 0) {
            call.in[0] = s->call.in[b->dense_in];
            call.prepared[0] = s->call.in[b->dense_in].data;
        } else {
            call.prepared[0] = s->call.prepared[b->index];
        }
        p->device->kind->launch(p->device, b->prepare, &call);
    }
}

static void copy_bases(const at_plan *p, const at_step_node *s)
{
    for (int o = 0; o < AT_MAX_OUT; o++) {
        const at_value *base = s->copy_onto[o];
        if (!base) continue;
        at_call call = {.pool = s->call.pool};
        const at_placed *at = at__placed(p, base);
        call.out[0] = s->call.out[o];
        call.in[0] = call.out[0];
        call.in[0].data = (char *)at->data + (size_t)at->columns * at_dtype_size(at->dtype);
        call.in[0].pitch = at->pitch;
        p->device->kind->launch(p->device, at_op_copy.ref, &call);
    }
}

/* Everything about the call that this pass decides. */
static void set_pass(at_step_node *s, const at_pass *pass)
{
    const at_node *n = s->node;
    for (int i = 0; i < n->n_in; i++) {
        if (!n->in[i]) continue;
        set_rows(&s->call.in[i], &n->in[i]->meta, pass->extents);
        const at_state *t = n->in[i]->state;
        if (t && t->role == AT_RUNNING && t->pending.data && n->phase == AT_PASS) {
            s->call.in[i].data = pass->micro ? t->pending.data : t->buffer[0].data;
            s->call.in[i].storage = NULL; /* its loader knows the committed value only */
        }
    }
    for (int o = 0; o < n->op->n_out + n->op->n_saved; o++)
        set_rows(&s->call.out[o], &n->out[o]->meta, pass->extents);
    s->call.accumulate = s->accumulate | (pass->micro ? s->accumulate_later : 0);
    if (n->op->stochastic) {
        s->call.key = at_rng_make(pass->seed, at_hash_name(n->site), pass->attempt);
        s->call.occurrence = n->occurrence;
    }
}

static void run_step(at_plan *p, at_step_node *s, const at_pass *pass)
{
    if (s->is_static && is_up_to_date(p, s)) return;
    set_pass(s, pass);
    run_bindings(p, s);
    copy_bases(p, s);
    p->device->kind->launch(p->device, s->run, &s->call);
}

/* false, and a failure of the device, when a value is beyond its maximum: there is no memory for such rows.
 */
static bool remember_extents(at_plan *p, const at_pass *pass)
{
    for (int i = 0; i < p->graph->n_extents; i++) {
        if (pass->extents[i] < 0 || pass->extents[i] > p->graph->extents[i]->max) {
            p->device->failed = AT_E_INTERNAL;
            return false;
        }
        p->extents[i] = pass->extents[i];
    }
    return true;
}

void at_plan_run(at_plan *p, const at_pass *pass)
{
    if (!remember_extents(p, pass)) return;
    for (int i = 0; i < p->n_steps; i++)
        if (p->steps[i].node->phase == AT_PASS) run_step(p, &p->steps[i], pass);
}

void at_plan_commit(at_plan *p, const at_pass *pass)
{
    for (int i = 0; i < p->n_steps; i++)
        if (p->steps[i].node->phase == AT_COMMIT) run_step(p, &p->steps[i], pass);
    at_store_touch(p->store);
}

/* ---- Host side ---- */

void at_plan_write(at_plan *p, const at_value *v, const void *host, int64_t leading)
{
    const at_placed *at = at__placed(p, v);
    if (at->where != AT_IN_PLAN) return; /* nothing reads it */
    if (v->meta.extent && leading > v->meta.extent->max) {
        p->device->failed = AT_E_INTERNAL;
        return;
    }
    const size_t size = at_dtype_size(at->dtype), width = (size_t)at_meta_cols(&v->meta) * size;
    const int64_t rows = at_meta_rows_at(&v->meta, at_meta_leading(&v->meta, leading));
    p->device->kind->upload(p->device, at->data, (size_t)at->pitch * size, host, width, width, rows);
}

void at_plan_fetch(at_plan *p, const at_value *v, void *host)
{
    const at_placed *at = at__placed(p, v);
    const at_state *t = v->node ? NULL : v->state;
    const bool plain = !t || (t->buffer[0].data && t->storage == at_storage_of(p->ctx, AT_REAL));
    if (at->where == AT_NOWHERE ||
        !plain) { /* no fetch of the plan, or no dense numbers: a defect of the caller */
        p->device->failed = AT_E_INTERNAL;
        return;
    }
    const size_t size = at_dtype_size(at->dtype), width = (size_t)at_meta_cols(&v->meta) * size;
    const int64_t extent = v->meta.extent ? p->extents[v->meta.extent->index] : 0;
    const int64_t rows = at_meta_rows_at(&v->meta, at_meta_leading(&v->meta, extent));
    const char *data = t ? t->buffer[0].data : (char *)at->data + (size_t)at->columns * size;
    p->device->kind->download(p->device, host, width, data, (size_t)at->pitch * size, width, rows);
}

at_status at_plan_sync(at_plan *p)
{
    return p->device->kind->sync(p->device);
}

/* ---- Looking for the first NaN ---- */

static at_status is_arg_finite(at_plan *p, const at_arg *a, bool *finite)
{
    enum { ELEMENTS = 1 << 16 }; /* looked at together: a far device answers slowly */
    *finite = true;
    if (!a->data || a->dtype != AT_REAL || a->cols == 0) return AT_OK;
    const int64_t at_once = at_max(1, ELEMENTS / a->cols);
    at_real *part = at_alloc_array(p->ctx, at_min(at_once, a->rows) * a->cols, sizeof *part);
    if (!part) return AT_E_NOMEM;
    at_status status = AT_OK;
    const size_t width = (size_t)a->cols * sizeof *part, pitch = (size_t)a->pitch * sizeof *part;
    for (int64_t r = 0; r < a->rows && *finite && status == AT_OK; r += at_once) {
        const int64_t rows = at_min(at_once, a->rows - r);
        p->device->kind->download(p->device, part, width, (const at_real *)a->data + r * a->pitch, pitch,
                                  width, rows);
        status = p->device->kind->sync(p->device);
        for (int64_t i = 0; i < rows * a->cols; i++)
            if (!isfinite((double)part[i])) *finite = false;
    }
    at_free(p->ctx, part);
    return status;
}

static at_status look_at_step(at_plan *p, const at_step_node *s, bool *found, char text[256])
{
    const at_node *n = s->node;
    char where[192];
    bool finite;
    for (int o = 0; o < n->op->n_out + n->op->n_saved; o++) {
        AT_TRY(is_arg_finite(p, &s->call.out[o], &finite));
        if (finite) continue;
        *found = true;
        snprintf(text, 256, "%s", at_node_text(where, n));
        for (int i = 0; i < n->n_in; i++) {
            if (!n->in[i] || n->in[i]->node) continue; /* computed before this node, hence finite */
            AT_TRY(is_arg_finite(p, &s->call.in[i], &finite));
            if (finite) continue;
            snprintf(text, 256, "%s, whose input %d%s%s is not finite", where, i, n->in[i]->name ? " " : "",
                     n->in[i]->name ? n->in[i]->name : "");
            break;
        }
        return AT_OK;
    }
    return AT_OK;
}

at_status at_plan_find_nonfinite(at_plan *p, const at_pass *pass, bool *found, char text[256])
{
    *found = false;
    if (!remember_extents(p, pass)) return at_plan_sync(p);
    for (int i = 0; i < p->n_steps && !*found; i++) {
        at_step_node *s = &p->steps[i];
        if (s->node->phase != AT_PASS) continue;
        run_step(p, s, pass);
        AT_TRY(look_at_step(p, s, found, text));
    }
    return AT_OK;
}
