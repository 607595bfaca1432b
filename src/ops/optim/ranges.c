/* ranges.c: walking flat ranges in pieces. */
#include "engine/prepared.h"
#include "ops/optim/optim.h"

enum { PIECE = 16384 }; /* elements, at least */

int64_t at_range_alike(bool *named, const at_range *r, int64_t lo, int64_t hi)
{
    const uint8_t *rows = r->state ? r->state->named : NULL;
    *named = true;
    if (!rows) return hi;
    int64_t row = (lo - r->lo) / r->state->cols;
    *named = rows[row];
    for (row++; r->lo + row * r->state->cols < hi; row++)
        if (rows[row] != *named) return r->lo + row * r->state->cols;
    return hi;
}

typedef struct walk {
    const at_call *c;
    const at_ranges *ranges;
    at_range_fn tile;
} walk;

/* Elements from which a part is made of what follows the state; 0 = nothing does. */
static int64_t part_of(const at_range *r)
{
    return r->state ? at_prepared_part_rows(r->state) * r->state->cols : 0;
}

/* Whole parts, so that each is remade from values at hand. */
static int64_t piece_of(const at_range *r)
{
    const int64_t part = part_of(r);
    return part ? at_round_up(PIECE, part) : PIECE;
}

static int64_t pieces_of(const at_range *r)
{
    return at_ceil_div(r->hi - r->lo, piece_of(r));
}

static void piece(void *arg, int64_t index, int thread)
{
    (void)thread;
    const walk *w = arg;
    int64_t i = 0;
    while (index >= pieces_of(&w->ranges->list[i])) index -= pieces_of(&w->ranges->list[i++]);
    const at_range *r = &w->ranges->list[i];
    const int64_t n = piece_of(r), lo = r->lo + index * n, hi = at_min(lo + n, r->hi);
    w->tile(w->c, r, lo, hi);
    const int64_t part = part_of(r);
    for (int64_t at = lo; part && at < hi; at += part) at_prepared_remake(r->state, (at - r->lo) / part);
}

void at_for_ranges(const at_call *c, const at_ranges *ranges, at_range_fn tile)
{
    walk w = {c, ranges, tile};
    int64_t n = 0;
    for (int64_t i = 0; i < ranges->n; i++) n += pieces_of(&ranges->list[i]);
    at_parallel_for(c->pool, n, piece, &w);
}
