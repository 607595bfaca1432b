/* exec.c: running a plan: rows of this step, keys, prepared operands, launches. Allocates nothing, waits for
 * nothing but in at_plan_sync and at_plan_find_nonfinite. */
#include "engine/cast.h"
#include "engine/plan_internal.h"
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
        p->device->kind->launch(p->device, at__cast_rows, &call);
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

static void cast(const at_plan *p, const at_arg *from, const at_arg *to)
{
    at_call call = {.pool = p->ctx->pool};
    call.in[0] = *from;
    call.out[0] = *to;
    p->device->kind->launch(p->device, at__cast_rows, &call);
}

static at_arg widened_arg(const at_plan *p, const at_step_node *s, const at_arg *a, size_t offset)
{
    at_arg wide = *a;
    wide.dtype = AT_REAL;
    wide.pitch = a->cols;
    wide.data = (char *)p->scratch.data + at__wide_offset(p, s) + offset;
    return wide;
}

/* The reference on copies in at_real. */
static void run_widened(const at_plan *p, const at_step_node *s)
{
    at_call call = s->call;
    call.rounds = true;
    for (int i = 0; i < s->node->n_in; i++) {
        if (!call.in[i].data || call.in[i].dtype != AT_BF16) continue;
        call.in[i] = widened_arg(p, s, &s->call.in[i], s->wide_in[i]);
        cast(p, &s->call.in[i], &call.in[i]);
    }
    const int n_out = s->node->op->n_out + s->node->op->n_saved;
    for (int o = 0; o < n_out; o++) {
        if (!call.out[o].data || call.out[o].dtype != AT_BF16) continue;
        call.out[o] = widened_arg(p, s, &s->call.out[o], s->wide_out[o]);
        if (call.accumulate >> o & 1) cast(p, &s->call.out[o], &call.out[o]);
    }
    p->device->kind->launch(p->device, s->run, &call);
    for (int o = 0; o < n_out; o++)
        if (s->call.out[o].data && s->call.out[o].dtype == AT_BF16) cast(p, &call.out[o], &s->call.out[o]);
}

static void tell(const at_plan *p, const at_step_node *s, at_moment moment)
{
    if (p->watch) p->watch(p->watch_data, (int)(s - p->steps), moment);
}

void at_plan_watch(at_plan *p, at_watch_fn fn, void *data)
{
    p->watch = fn;
    p->watch_data = data;
}

static void run_step(at_plan *p, at_step_node *s, const at_pass *pass)
{
    if (s->is_static && is_up_to_date(p, s)) return;
    tell(p, s, AT_BEGINS);
    set_pass(s, pass);
    run_bindings(p, s);
    copy_bases(p, s);
    tell(p, s, AT_IS_PREPARED);
    if (s->widened)
        run_widened(p, s);
    else
        p->device->kind->launch(p->device, s->run, &s->call);
    tell(p, s, AT_HAS_RUN);
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
    bool remade = false;
    for (int i = 0; i < p->n_steps; i++) {
        if (p->steps[i].node->phase != AT_COMMIT) continue;
        run_step(p, &p->steps[i], pass);
        remade |= p->steps[i].kernel && p->steps[i].kernel->remakes;
    }
    at_prepared_commit(p->store, remade);
}

/* ---- Host side ---- */

/* `rows` rows of a value as they are, and dense in scratch in at_real: what host and plan exchange passes
 * through there when the elements differ. Work is done in order, so scratch is free in between. */
static at_arg value_arg(const at_plan *p, const at_value *v, int64_t rows)
{
    const at_placed *at = at__placed(p, v);
    return (at_arg){.data = (char *)at->data + (size_t)at->columns * at_dtype_size(at->dtype),
                    .dtype = at->dtype,
                    .rows = rows,
                    .cols = at_meta_cols(&v->meta),
                    .pitch = at->pitch};
}

static at_arg border_arg(const at_plan *p, const at_value *v, int64_t rows)
{
    const int64_t cols = at_meta_cols(&v->meta);
    return (at_arg){.data = p->scratch.data, .dtype = AT_REAL, .rows = rows, .cols = cols, .pitch = cols};
}

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
    if (at->dtype == AT_BF16) {
        const at_arg border = border_arg(p, v, rows), value = value_arg(p, v, rows);
        const size_t wide = (size_t)border.cols * sizeof(at_real);
        p->device->kind->upload(p->device, border.data, wide, host, wide, wide, rows);
        cast(p, &border, &value);
        return;
    }
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
    if (at->dtype == AT_BF16) {
        const at_arg border = border_arg(p, v, rows), value = value_arg(p, v, rows);
        const size_t wide = (size_t)border.cols * sizeof(at_real);
        cast(p, &value, &border);
        p->device->kind->download(p->device, host, wide, border.data, wide, wide, rows);
        return;
    }
    const char *data = t ? t->buffer[0].data : (char *)at->data + (size_t)at->columns * size;
    p->device->kind->download(p->device, host, width, data, (size_t)at->pitch * size, width, rows);
}

at_status at_plan_sync(at_plan *p)
{
    return p->device->kind->sync(p->device);
}

/* ---- Looking for the first NaN ---- */

static bool are_finite(const void *x, at_dtype dtype, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const double value = dtype == AT_BF16 ? (double)at_bf16_to_f32(((const uint16_t *)x)[i])
                                              : (double)((const at_real *)x)[i];
        if (!isfinite(value)) return false;
    }
    return true;
}

static at_status is_arg_finite(at_plan *p, const at_arg *a, bool *finite)
{
    enum { ELEMENTS = 1 << 16 }; /* looked at together: a far device answers slowly */
    *finite = true;
    if (!a->data || (a->dtype != AT_REAL && a->dtype != AT_BF16) || a->cols == 0) return AT_OK;
    const int64_t at_once = at_max(1, ELEMENTS / a->cols), size = (int64_t)at_dtype_size(a->dtype);
    char *part = at_alloc_array(p->ctx, at_min(at_once, a->rows) * a->cols, (size_t)size);
    if (!part) return AT_E_NOMEM;
    at_status status = AT_OK;
    const size_t width = (size_t)(a->cols * size), pitch = (size_t)(a->pitch * size);
    for (int64_t r = 0; r < a->rows && *finite && status == AT_OK; r += at_once) {
        const int64_t rows = at_min(at_once, a->rows - r);
        p->device->kind->download(p->device, part, width, (const char *)a->data + (size_t)r * pitch, pitch,
                                  width, rows);
        status = p->device->kind->sync(p->device);
        *finite = are_finite(part, a->dtype, rows * a->cols);
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
