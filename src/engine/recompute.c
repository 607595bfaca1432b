/* recompute.c: which activations are computed again, and the graph that does so.
 *
 * A forward node may be repeated: a copy of it stands right before the first node behind the forward that
 * reads one of its results, and all nodes behind the forward read the copy's. A copy reads copies where what
 * it needs is repeated, too, so that whole blocks between kept values can be computed again. It has the
 * site and occurrence of what it repeats, hence draws the same numbers.
 *
 * What to repeat is chosen one by one: at the step where most bytes are alive, whatever frees bytes at the
 * least cost a byte, alone or together with all that would have to be alive for it. How much is alive is not
 * estimated: the plan's own layout says it. A choice that does not lower the peak is taken back. What costs
 * next to nothing is repeated without need.
 *
 * Reading path: at_graph_recompute, shrink, cheapest, arrange. */
#include "engine/recompute.h"
#include "engine/plan_internal.h"
#include <limits.h>
#include <math.h>

/* What a node costs is counted in bytes moved. A core with vectors of 8 to 16 floats does 30 to 100 thousand
 * million flops a second in products and has some 2 to 5 thousand million bytes a second of its machine's
 * memory: in the time of a byte, some 20 flops. */
static const double FLOPS_PER_BYTE = 20.0;

/* An input this much smaller than what is repeated is held rather than computed again: a channel's
 * statistics need all rows of what they are made from. */
enum { SMALL_SHARE = 16 };

typedef struct item { /* a forward node */
    at_node *copy;    /* NULL = there is none yet */
    int round;        /* the last arrangement in which the copy stands */
    int choice;       /* the last choice that it was part of */
    bool can_repeat, repeated;
    bool refused[2]; /* alone, with its inputs: it was tried and did not help */
} item;

typedef struct uses { /* planned steps that read a value; copies are late */
    int last_early, first_late;
} uses;

typedef struct outlook { /* the graph as it is arranged */
    at_plan *plan;
    size_t peak; /* bytes alive at once; the plan's arena may be larger, by gaps */
    int peak_step, n_peaks;
} outlook;

typedef struct work {
    at_graph *g;
    const at_plan_options *options;
    at_arena memory;
    at_node **nodes;            /* as they stood */
    at_value *(*in)[AT_MAX_IN]; /* and what they read */
    int n_nodes, n_values;
    int *home; /* by value: the forward node that makes it; -1 = none */
    item *items;
    uses *uses; /* by value */
    size_t *live;
    double spent, free_of_need; /* cost of what is repeated, and up to which no need is asked for */
    bool *best;                 /* what is repeated where the arena was smallest */
    size_t best_arena;
    int round, choice;
    int *chosen, n_chosen;
    outlook now;
} work;

/* ---- The graph with what is repeated ---- */

static void put_copy(work *w, int i);

/* What a node behind the forward reads in place of v. */
static at_value *late_value(work *w, at_value *v)
{
    const int i = v && v->id < w->n_values ? w->home[v->id] : -1;
    if (i < 0 || !w->items[i].repeated) return v;
    put_copy(w, i);
    return w->items[i].copy->out[v->index];
}

static void put_copy(work *w, int i)
{
    item *t = &w->items[i];
    if (t->round == w->round) return;
    t->round = w->round;
    for (int j = 0; j < t->copy->n_in; j++) t->copy->in[j] = late_value(w, w->in[i][j]);
    w->g->nodes[w->g->n_nodes++] = t->copy;
}

/* Views are repeated with what they show. */
static at_status make_copies(work *w)
{
    for (int i = 0; i < w->g->n_forward; i++) {
        item *t = &w->items[i];
        if (w->nodes[i]->op->view) {
            const int under = w->home[w->in[i][0]->id];
            t->repeated = under >= 0 && w->items[under].repeated;
        }
        if (t->repeated && !t->copy && !(t->copy = at_graph_copy_node(w->g, w->nodes[i])))
            return w->g->status;
    }
    return AT_OK;
}

static at_status arrange(work *w)
{
    at_graph *g = w->g;
    AT_TRY(make_copies(w));
    w->round++;
    g->n_nodes = 0;
    for (int i = 0; i < w->n_nodes; i++) {
        at_node *n = w->nodes[i];
        if (i >= g->n_forward && n->phase == AT_PASS)
            for (int j = 0; j < n->n_in; j++) n->in[j] = late_value(w, w->in[i][j]);
        g->nodes[g->n_nodes++] = n;
    }
    for (int i = 0; i < g->n_nodes; i++) g->nodes[i]->id = i;
    return AT_OK;
}

/* ---- What is alive ---- */

static void find_peak(outlook *o, size_t *live)
{
    const at_plan *p = o->plan;
    size_t sum = 0;
    memset(live, 0, (size_t)(p->n_steps + 2) * sizeof *live);
    for (int k = 0; k < p->n_slots; k++) { /* differences; unsigned numbers wrap, their sums do not */
        live[p->slots[k].first] += at__slot_bytes(&p->slots[k]);
        live[p->slots[k].last + 1] -= at__slot_bytes(&p->slots[k]);
    }
    for (int s = 0; s < p->n_steps; s++) {
        sum += live[s];
        if (sum == o->peak) o->n_peaks++;
        if (sum <= o->peak) continue;
        o->peak = sum;
        o->peak_step = s;
        o->n_peaks = 1;
    }
}

static at_status look(work *w, outlook *out)
{
    *out = (outlook){0};
    AT_TRY(arrange(w));
    AT_TRY(at__plan_outline(&out->plan, w->g, w->options));
    find_peak(out, w->live);
    return AT_OK;
}

static bool is_view(const at_value *v)
{
    return v->node && v->node->op->view;
}

/* Through views: who reads one reads what it shows. */
static void note_use(work *w, const at_value *v, int step, bool early)
{
    for (;; v = v->node->in[0]) {
        if (v->id < w->n_values) {
            uses *u = &w->uses[v->id];
            if (early)
                u->last_early = step;
            else if (u->first_late > step)
                u->first_late = step;
        }
        if (!is_view(v)) return;
    }
}

static void find_uses(work *w)
{
    const at_plan *p = w->now.plan;
    for (int i = 0; i < w->n_values; i++) w->uses[i] = (uses){-1, INT_MAX};
    for (int s = 0; s < p->n_steps; s++) {
        const at_node *n = p->steps[s].node;
        const bool early = n->id < w->g->n_forward;
        for (int j = 0; j < n->n_in; j++)
            if (n->in[j]) note_use(w, n->in[j], s, early);
        for (int o = 0; o < n->op->n_out + n->op->n_saved; o++)
            if (n->out[o]->onto) note_use(w, n->out[o]->onto, s, early);
    }
}

static void take(work *w, const outlook *o)
{
    at_plan_destroy(w->now.plan);
    w->now = *o;
    find_uses(w);
    if (o->plan->arena_bytes >= w->best_arena) return;
    w->best_arena = o->plan->arena_bytes;
    for (int i = 0; i < w->g->n_forward; i++) w->best[i] = w->items[i].repeated;
}

/* ---- What may be repeated ---- */

static const at_value *under_views(const at_value *v)
{
    while (is_view(v)) v = v->node->in[0];
    return v;
}

/* Within a pass all see the same value of a state, but for those that the pass itself moves on. */
static bool may_read_again(const at_value *v)
{
    const at_state *t = v ? under_views(v)->state : NULL;
    return !t || (!under_views(v)->node && t->role != AT_RUNNING && t->role != AT_CACHE);
}

static bool can_repeat(const work *w, const at_step_node *s)
{
    const at_node *n = s->node;
    if (n->phase != AT_PASS || s->is_static || n->op->updates || n->op->loss) return false;
    for (int i = 0; i < n->n_in; i++)
        if (!may_read_again(n->in[i])) return false;
    for (int o = 0; o < n->op->n_out + n->op->n_saved; o++) {
        const at_placed *at = at__placed(w->now.plan, n->out[o]);
        const bool fetched = at->last_use == w->now.plan->n_steps;
        if (n->out[o]->target != AT_TARGET_NONE || n->out[o]->onto || at->fed || fetched) return false;
    }
    return true;
}

static void find_items(work *w)
{
    for (int s = 0; s < w->now.plan->n_steps; s++) {
        const at_step_node *step = &w->now.plan->steps[s];
        if (step->node->id < w->g->n_forward) w->items[step->node->id].can_repeat = can_repeat(w, step);
    }
}

/* ---- The cheapest choice ---- */

static size_t bytes_of(const work *w, const at_value *v)
{
    return at__value_bytes(at__placed(w->now.plan, v), &v->meta);
}

static double cost_of_node(const work *w, const at_node *n)
{
    double bytes = 0;
    for (int j = 0; j < n->n_in; j++)
        if (n->in[j]) bytes += (double)bytes_of(w, n->in[j]);
    for (int o = 0; o < n->op->n_out + n->op->n_saved; o++) bytes += (double)bytes_of(w, n->out[o]);
    return at_node_flops(n) / FLOPS_PER_BYTE + bytes;
}

/* What only late nodes read is not computed twice. */
static double cost(const work *w, int i)
{
    const at_node *n = w->nodes[i];
    bool moves = true;
    for (int o = 0; o < n->op->n_out + n->op->n_saved; o++) moves &= w->uses[n->out[o]->id].last_early < 0;
    return moves ? 0.0 : cost_of_node(w, n);
}

/* Bytes that are alive at the peak for late readers only, and the step before which they are needed. */
static size_t idle_bytes(const work *w, int i, int *needed)
{
    const at_node *n = w->nodes[i];
    const int peak = w->now.peak_step;
    size_t bytes = 0;
    *needed = INT_MAX;
    for (int o = 0; o < n->op->n_out + n->op->n_saved; o++) {
        const uses *u = &w->uses[n->out[o]->id];
        const at_placed *at = at__placed(w->now.plan, n->out[o]);
        if (at->where != AT_IN_ARENA || u->first_late == INT_MAX) continue;
        if (u->first_late <= peak) return 0;
        if (*needed > u->first_late) *needed = u->first_late;
        if (at->step <= peak && u->last_early < peak) bytes += bytes_of(w, n->out[o]);
    }
    return bytes;
}

typedef struct choice {
    int node, needed; /* to be repeated before this step */
    bool with_inputs;
    size_t frees, holds; /* bytes at the peak */
    double cost;
} choice;

static void choose(work *w, choice *c, int i)
{
    w->items[i].choice = w->choice;
    w->chosen[w->n_chosen++] = i;
    c->cost += cost(w, i);
}

/* Inputs of a chosen node that are no longer alive when they are needed: they join the choice, or are held.
 */
static void weigh_inputs(work *w, choice *c, int i)
{
    for (int j = 0; j < w->nodes[i]->n_in; j++) {
        const at_value *v = w->in[i][j] ? under_views(w->in[i][j]) : NULL;
        const int from = v ? w->home[v->id] : -1;
        if (from < 0 || w->items[from].repeated || w->items[from].choice == w->choice) continue;
        const at_placed *at = at__placed(w->now.plan, v);
        if (at->where != AT_IN_ARENA || at->last_use >= c->needed) continue;
        if (c->with_inputs && w->items[from].can_repeat && bytes_of(w, v) > c->frees / SMALL_SHARE)
            choose(w, c, from);
        else
            c->holds += bytes_of(w, v);
    }
}

/* Cost a byte. */
static double weigh(work *w, choice *c)
{
    w->choice++;
    w->n_chosen = 0;
    c->cost = 0;
    c->holds = 0;
    choose(w, c, c->node);
    for (int k = 0; k < w->n_chosen; k++) weigh_inputs(w, c, w->chosen[k]);
    if (c->frees <= c->holds || (c->with_inputs && w->n_chosen == 1)) return INFINITY;
    return c->cost / (double)(c->frees - c->holds);
}

/* The choice, whose nodes are then chosen; false = nothing frees anything. */
static bool cheapest(work *w, choice *out)
{
    double least = INFINITY;
    for (int i = 0; i < w->g->n_forward; i++) {
        const item *t = &w->items[i];
        choice c = {.node = i};
        if (!t->can_repeat || t->repeated || !(c.frees = idle_bytes(w, i, &c.needed))) continue;
        for (int with_inputs = 0; with_inputs < 2; with_inputs++) {
            if (t->refused[with_inputs]) continue;
            c.with_inputs = with_inputs;
            const double score = weigh(w, &c);
            if (score >= least) continue;
            least = score;
            *out = c;
        }
    }
    if (isinf(least)) return false;
    weigh(w, out);
    return true;
}

static void repeat_chosen(work *w, bool repeated)
{
    for (int k = 0; k < w->n_chosen; k++) w->items[w->chosen[k]].repeated = repeated;
}

static at_status shrink(work *w, size_t most)
{
    choice c;
    outlook o;
    while (cheapest(w, &c)) {
        if (w->now.plan->arena_bytes <= most && w->spent + c.cost > w->free_of_need) break;
        repeat_chosen(w, true);
        AT_TRY(look(w, &o));
        if (o.peak < w->now.peak || (o.peak == w->now.peak && o.n_peaks < w->now.n_peaks)) {
            w->spent += c.cost;
            take(w, &o);
            continue;
        }
        at_plan_destroy(o.plan);
        repeat_chosen(w, false);
        w->items[c.node].refused[c.with_inputs] = true;
    }
    return AT_OK;
}

/* ---- The whole ---- */

static bool in_pass(const at_step_node *s)
{
    return s->node->phase == AT_PASS && !s->is_static;
}

static double pass_flops(const at_plan *p)
{
    double sum = 0;
    for (int s = 0; s < p->n_steps; s++)
        if (in_pass(&p->steps[s])) sum += at_node_flops(p->steps[s].node);
    return sum;
}

static double pass_cost(const work *w)
{
    double sum = 0;
    for (int s = 0; s < w->now.plan->n_steps; s++)
        if (in_pass(&w->now.plan->steps[s])) sum += cost_of_node(w, w->now.plan->steps[s].node);
    return sum;
}

static at_status begin(work *w)
{
    at_graph *g = w->g;
    const int n = w->n_nodes = g->n_nodes;
    w->n_values = g->n_values;
    w->nodes = at_arena_alloc(&w->memory, (size_t)n * sizeof *w->nodes);
    w->in = at_arena_alloc(&w->memory, (size_t)n * sizeof *w->in);
    w->home = at_arena_alloc(&w->memory, (size_t)w->n_values * sizeof *w->home);
    w->items = at_arena_alloc(&w->memory, (size_t)g->n_forward * sizeof *w->items);
    w->uses = at_arena_alloc(&w->memory, (size_t)w->n_values * sizeof *w->uses);
    w->live = at_arena_alloc(&w->memory, (size_t)(2 * n + 2) * sizeof *w->live);
    w->best = at_arena_alloc(&w->memory, (size_t)g->n_forward * sizeof *w->best);
    w->chosen = at_arena_alloc(&w->memory, (size_t)g->n_forward * sizeof *w->chosen);
    if (!w->nodes || !w->in || !w->home || !w->items || !w->uses || !w->live || !w->best || !w->chosen)
        return AT_E_NOMEM;
    const int cap = n + g->n_forward + 1;
    at_node **wider =
        at_realloc(g->ctx, g->nodes, (size_t)g->cap_nodes * sizeof *wider, (size_t)cap * sizeof *wider);
    if (!wider) return AT_E_NOMEM;
    g->nodes = wider;
    g->cap_nodes = cap;
    for (int i = 0; i < w->n_values; i++) w->home[i] = -1;
    for (int i = 0; i < n; i++) {
        w->nodes[i] = g->nodes[i];
        memcpy(w->in[i], g->nodes[i]->in, sizeof w->in[i]);
        for (int o = 0; o < g->nodes[i]->op->n_out + g->nodes[i]->op->n_saved && i < g->n_forward; o++)
            w->home[g->nodes[i]->out[o]->id] = i;
    }
    return AT_OK;
}

static at_status search(work *w, size_t most, double thrift, at_recomputed *out)
{
    outlook o;
    AT_TRY(look(w, &o));
    w->best_arena = SIZE_MAX;
    take(w, &o);
    out->before = o.plan->arena_bytes;
    out->flops = pass_flops(o.plan);
    w->free_of_need = thrift * pass_cost(w);
    find_items(w);
    AT_TRY(shrink(w, most));
    for (int i = 0; i < w->g->n_forward; i++) w->items[i].repeated = w->best[i];
    return AT_OK;
}

static void report(const work *w, const at_plan *p, at_recomputed *out)
{
    for (int s = 0; s < p->n_steps; s++) {
        const at_node *n = p->steps[s].node;
        if (n->id >= w->g->n_forward || w->items[n->id].round != w->round) continue;
        const at_node *copy = w->items[n->id].copy;
        out->n_nodes++;
        for (int o = 0; o < copy->op->n_out + copy->op->n_saved; o++)
            if (at__placed(p, copy->out[o])->read)
                out->bytes += at__value_bytes(at__placed(p, copy->out[o]), &copy->out[o]->meta);
    }
    out->added_flops = pass_flops(p) - out->flops;
}

at_status at_graph_recompute(at_graph *g, const at_plan_options *options, size_t most, double thrift,
                             at_recomputed *out)
{
    work w = {.g = g, .options = options};
    outlook o = {0};
    *out = (at_recomputed){0};
    AT_TRY(at_graph_finish(g));
    at_arena_init(&w.memory, g->ctx);
    at_status s = begin(&w);
    if (s == AT_OK) s = search(&w, most, thrift, out);
    if (s == AT_OK) s = look(&w, &o);
    if (s == AT_OK) {
        out->after = o.plan->arena_bytes;
        out->fits = o.plan->arena_bytes <= most;
        report(&w, o.plan, out);
    }
    at_plan_destroy(o.plan);
    at_plan_destroy(w.now.plan);
    at_arena_deinit(&w.memory);
    return s;
}
