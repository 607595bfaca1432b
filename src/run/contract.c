/* contract.c: what every run proves in its first three steps: each trainable tensor gets a finite gradient,
 * not zero in at least one of them, and moves; no frozen one does. Else it stops and names the tensor. */
#include "run/run.h"
#include <tgmath.h> /* fabs of at_real */

enum { PIECE = 64 << 10 }; /* numbers that are looked at together */

typedef struct seen { /* of some numbers */
    double most;      /* largest absolute value */
    uint64_t hash;
} seen;

typedef struct tensor { /* what was seen of a range */
    seen gradient;      /* of the step */
    seen before, after; /* the weights before the step, and behind it */
    double reach;       /* longest plain gradient step, relative to the weights */
    bool has_gradient, has_moved;
} tensor;

struct at_contract {
    tensor *tensors; /* by range */
    seen *pieces;    /* of one tensor */
    at_real *piece;  /* where the CPU does not reach the numbers themselves */
    uint64_t frozen; /* of the frozen states that lie in memory of our own */
    int good_steps;
};

/* FNV-1a (Fowler, Noll and Vo) over words, in four lanes, which do not wait for each other; a change of one
 * word always shows. */
static uint64_t hash_bytes(uint64_t seed, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    uint64_t lane[4], word, h = seed;
    for (int l = 0; l < 4; l++) lane[l] = seed ^ (uint64_t)l;
    for (; n >= sizeof lane; n -= sizeof lane)
        for (int l = 0; l < 4; l++, p += sizeof word) {
            memcpy(&word, p, sizeof word);
            lane[l] = (lane[l] ^ word) * 0x100000001b3u;
        }
    for (int l = 0; l < 4; l++) h = (h ^ lane[l]) * 0x100000001b3u;
    for (; n > 0; n--) h = (h ^ *p++) * 0x100000001b3u;
    return h;
}

/* Frozen states that were set rather than mapped; mapped ones are read-only pages. */
static uint64_t hash_frozen(const at_run *r)
{
    uint64_t h = 0xcbf29ce484222325u;
    const at_store *s = r->model->net.store;
    for (int i = 0; i < s->n_states; i++) {
        const at_state *t = s->states[i];
        if (t->role == AT_FROZEN && t->owned) h = hash_bytes(h, t->owned, (size_t)t->count * sizeof(at_real));
    }
    return h;
}

at_status at__contract_begin(at_contract **out, at_run *r)
{
    at_store *s = r->model->net.store;
    at_contract *c;
    AT_NEW(r->ctx, c, 1);
    *out = c;
    AT_NEW(r->ctx, c->tensors, s->n_ranges);
    int64_t most = 1;
    for (int i = 0; i < s->n_ranges; i++)
        most = at_max(most, at_ceil_div(s->ranges[i].hi - s->ranges[i].lo, PIECE));
    AT_NEW(r->ctx, c->pieces, most);
    if (!r->device->kind->is_host) AT_NEW(r->ctx, c->piece, PIECE);
    c->frozen = hash_frozen(r);
    return AT_OK;
}

void at__contract_end(at_contract *c, at_run *r)
{
    if (!c) return;
    at_free(r->ctx, c->tensors);
    at_free(r->ctx, c->pieces);
    at_free(r->ctx, c->piece);
    at_free(r->ctx, c);
}

/* Of n numbers; what is not finite is seen by the step itself. Lanes, for none waits for another. */
static double largest_of(const at_real *x, int64_t n)
{
    enum { LANES = 16 };
    at_real most[LANES] = {0};
    for (int64_t i = 0; i < n; i += LANES) {
        at_real size[LANES] = {0};
        if (i + LANES <= n)
            for (int l = 0; l < LANES; l++) size[l] = fabs(x[i + l]);
        else
            for (int64_t l = 0; i + l < n; l++) size[l] = fabs(x[i + l]);
        for (int l = 0; l < LANES; l++) most[l] = size[l] > most[l] ? size[l] : most[l];
    }
    at_real all = 0;
    for (int l = 0; l < LANES; l++) all = most[l] > all ? most[l] : all;
    return (double)all;
}

typedef struct looking { /* at a range of numbers that the CPU reaches, a piece at a time */
    const at_real *x;
    int64_t n;
    seen *pieces;
} looking;

static seen look_at(const at_real *x, int64_t n)
{
    return (seen){largest_of(x, n), hash_bytes(0, x, (size_t)n * sizeof *x)};
}

static void look_task(void *arg, int64_t piece, int thread)
{
    (void)thread;
    const looking *w = arg;
    const int64_t first = piece * PIECE;
    w->pieces[piece] = look_at(w->x + first, at_min(PIECE, w->n - first));
}

/* The largest absolute value of a range of `flat`, and a hash of it. */
static at_status look(at_contract *c, at_run *r, const at_state *flat, const at_range *g, seen *out)
{
    const int64_t n = g->hi - g->lo, n_pieces = at_ceil_div(n, PIECE);
    looking w = {(const at_real *)flat->buffer[0].data + g->lo, n, c->pieces};
    const bool is_host = r->device->kind->is_host;
    if (is_host) at_parallel_for(r->ctx->pool, n_pieces, look_task, &w);
    for (int64_t i = 0; i < n_pieces && !is_host; i++) {
        const int64_t first = i * PIECE, some = at_min(PIECE, n - first);
        AT_TRY(at_state_get_part(r->model->net.store, flat, g->lo + first, some, c->piece));
        c->pieces[i] = look_at(c->piece, some);
    }
    *out = (seen){0};
    for (int64_t i = 0; i < n_pieces; i++) {
        out->most = fmax(out->most, c->pieces[i].most);
        out->hash = hash_bytes(out->hash, &c->pieces[i].hash, sizeof c->pieces[i].hash);
    }
    return AT_OK;
}

at_status at__contract_before_commit(at_contract *c, at_run *r)
{
    const at_store *s = r->model->net.store;
    for (int i = 0; i < s->n_ranges; i++) {
        tensor *t = &c->tensors[i];
        AT_TRY(look(c, r, s->master, &s->ranges[i], &t->before));
        AT_TRY(look(c, r, s->gradient, &s->ranges[i], &t->gradient));
    }
    return AT_OK;
}

at_status at__contract_after_commit(at_contract *c, at_run *r, double rate, double count, bool ok)
{
    const at_store *s = r->model->net.store;
    if (!ok) return AT_OK; /* skipped, reported, and counted by the loop */
    for (int i = 0; i < s->n_ranges; i++) {
        tensor *t = &c->tensors[i];
        AT_TRY(look(c, r, s->master, &s->ranges[i], &t->after));
        t->has_gradient |= t->gradient.most > 0;
        t->has_moved |= t->after.hash != t->before.hash;
        const double step = rate * s->ranges[i].rate * t->gradient.most / count;
        t->reach = fmax(t->reach, step / fmax(t->before.most, 1e-30));
    }
    c->good_steps++;
    return AT_OK;
}

/* A tensor that did not move. A step below the rounding of its weights is the learning rate's doing, which
 * may be warming up: told, unless nothing at all moved. */
static at_status judge_still(const at_contract *c, at_run *r, int i, bool any_moved)
{
    const char *name = r->model->net.store->ranges[i].state->name;
    const bool excused = any_moved && c->tensors[i].reach < 0x1p-22;
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
        any_moved |= c->tensors[i].has_moved && c->tensors[i].after.most > 1e-12;
    if (c->good_steps == 0) return AT_OK; /* divergence is reported as such */
    for (int i = 0; i < s->n_ranges; i++) {
        const at_range *g = &s->ranges[i];
        if (g->rate == 0 || may_wait(c, r, g->state)) continue; /* told not to move, or not yet */
        AT_REQUIRE(
            r->ctx, c->tensors[i].has_gradient, AT_E_STATE,
            "%s is to be trained, but its gradient was zero in the first %d steps; freeze it, or see whether "
            "what lies above it is dead",
            g->state->name, c->good_steps);
        if (!c->tensors[i].has_moved) AT_TRY(judge_still(c, r, i, any_moved));
    }
    AT_REQUIRE(r->ctx, c->frozen == hash_frozen(r), AT_E_INTERNAL,
               "a frozen tensor changed in the first steps");
    return AT_OK;
}
