/* contract.c: what every run proves in its first three steps: each trainable tensor gets a finite gradient,
 * not zero in at least one of them, and moves; no frozen one does. Else it stops and names the tensor. */
#include "run/run.h"
#include <math.h>

struct at_contract {
    at_real *before, *after, *gradient; /* the flat ranges, on the host */
    bool *has_gradient, *has_moved;     /* by range */
    double *reach;                      /* by range: longest plain gradient step, relative to the weights */
    uint64_t frozen;                    /* sum over the frozen states that lie in memory of our own */
    int good_steps;
};

/* FNV-1a over the frozen states that were set rather than mapped; mapped ones are read-only pages. */
static uint64_t hash_frozen(const at_run *r)
{
    uint64_t h = 0xcbf29ce484222325u;
    const at_store *s = r->model->net.store;
    for (int i = 0; i < s->n_states; i++) {
        const at_state *t = s->states[i];
        if (t->role != AT_FROZEN || !t->owned) continue;
        const unsigned char *p = t->owned;
        for (size_t k = 0; k < (size_t)t->count * sizeof(at_real); k++) h = (h ^ p[k]) * 0x100000001b3u;
    }
    return h;
}

at_status at__contract_begin(at_contract **out, at_run *r)
{
    at_store *s = r->model->net.store;
    at_contract *c;
    AT_NEW(r->ctx, c, 1);
    *out = c;
    AT_NEW(r->ctx, c->before, s->master->count);
    AT_NEW(r->ctx, c->after, s->master->count);
    AT_NEW(r->ctx, c->gradient, s->master->count);
    AT_NEW(r->ctx, c->has_gradient, s->n_ranges);
    AT_NEW(r->ctx, c->has_moved, s->n_ranges);
    AT_NEW(r->ctx, c->reach, s->n_ranges);
    c->frozen = hash_frozen(r);
    return AT_OK;
}

void at__contract_end(at_contract *c, at_run *r)
{
    if (!c) return;
    at_free(r->ctx, c->before);
    at_free(r->ctx, c->after);
    at_free(r->ctx, c->gradient);
    at_free(r->ctx, c->has_gradient);
    at_free(r->ctx, c->has_moved);
    at_free(r->ctx, c->reach);
    at_free(r->ctx, c);
}

at_status at__contract_before_commit(at_contract *c, at_run *r)
{
    at_store *s = r->model->net.store;
    AT_TRY(at_state_get(s, s->master, c->before));
    return at_state_get(s, s->gradient, c->gradient);
}

static bool has_nonzero(const at_real *x, const at_range *g)
{
    for (int64_t i = g->lo; i < g->hi; i++)
        if (x[i] != 0) return true;
    return false;
}

static double largest(const at_real *x, const at_range *g)
{
    double most = 0.0;
    for (int64_t i = g->lo; i < g->hi; i++) most = fmax(most, fabs((double)x[i]));
    return most;
}

at_status at__contract_after_commit(at_contract *c, at_run *r, double rate, double count, bool ok)
{
    at_store *s = r->model->net.store;
    if (!ok) return AT_OK; /* skipped, reported, and counted by the loop */
    AT_TRY(at_state_get(s, s->master, c->after));
    for (int i = 0; i < s->n_ranges; i++) {
        const at_range *g = &s->ranges[i];
        const size_t bytes = (size_t)(g->hi - g->lo) * sizeof(at_real);
        c->has_gradient[i] |= has_nonzero(c->gradient, g);
        c->has_moved[i] |= memcmp(c->before + g->lo, c->after + g->lo, bytes) != 0;
        const double step = rate * g->rate * largest(c->gradient, g) / count;
        c->reach[i] = fmax(c->reach[i], step / fmax(largest(c->before, g), 1e-30));
    }
    c->good_steps++;
    return AT_OK;
}

/* A tensor that did not move. A step below the rounding of its weights is the learning rate's doing, which
 * may be warming up: told, unless nothing at all moved. */
static at_status judge_still(const at_contract *c, at_run *r, int i, bool any_moved)
{
    const char *name = r->model->net.store->ranges[i].state->name;
    const bool excused = any_moved && c->reach[i] < 0x1p-22;
    AT_REQUIRE(
        r->ctx, excused, AT_E_STATE,
        "%s is to be trained, but did not move in the first %d steps; raise its learning rate or freeze it",
        name, c->good_steps);
    at__note(r, "%s did not move in the first %d steps: its learning rate is too small for its weights", name,
             c->good_steps);
    return AT_OK;
}

/* Half of an adapter may wait for the other half, which is zero at first (LoRA: B learns in step 1, A from
 * step 2): after one step nothing can be said of it. */
static bool may_wait(const at_contract *c, const at_run *r, const at_state *s)
{
    const at_net *net = &r->model->net;
    for (int i = 0; i < net->n_params && c->good_steps == 1; i++)
        if (net->params[i]->state == s) return net->params[i]->part == AT_ADAPTER;
    return false;
}

at_status at__contract_verdict(at_contract *c, at_run *r)
{
    const at_store *s = r->model->net.store;
    bool any_moved = false;
    for (int i = 0; i < s->n_ranges; i++) /* that a bias of 0 becomes 1e-20 is no movement */
        any_moved |= c->has_moved[i] && largest(c->after, &s->ranges[i]) > 1e-12;
    if (c->good_steps == 0) return AT_OK; /* divergence is reported as such */
    for (int i = 0; i < s->n_ranges; i++) {
        const at_range *g = &s->ranges[i];
        if (g->rate == 0 || may_wait(c, r, g->state)) continue; /* told not to move, or not yet */
        AT_REQUIRE(
            r->ctx, c->has_gradient[i], AT_E_STATE,
            "%s is to be trained, but its gradient was zero in the first %d steps; freeze it, or see whether "
            "what lies above it is dead",
            g->state->name, c->good_steps);
        if (!c->has_moved[i]) AT_TRY(judge_still(c, r, i, any_moved));
    }
    AT_REQUIRE(r->ctx, c->frozen == hash_frozen(r), AT_E_INTERNAL,
               "a frozen tensor changed in the first steps");
    return AT_OK;
}
