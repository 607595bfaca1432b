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
    int64_t begin; /* of the first range */
} walk;

/* The pieces of r that begin among elements [begin, end). Whole parts of what follows the state, if anything
 * does, so that each is remade from values at hand. */
static void run_pieces(const walk *w, const at_range *r, int64_t begin, int64_t end)
{
    const int64_t part = r->state ? at_prepared_part_rows(r->state) * r->state->cols : 0;
    const int64_t n = part ? at_round_up(PIECE, part) : PIECE;
    for (int64_t lo = r->lo + at_round_up(at_max(begin - r->lo, 0), n); lo < at_min(end, r->hi); lo += n) {
        const int64_t hi = at_min(lo + n, r->hi);
        w->tile(w->c, r, lo, hi);
        for (int64_t at = lo; part && at < hi; at += part) at_prepared_remake(r->state, (at - r->lo) / part);
    }
}

/* What begins in one stretch of PIECE elements; ranges lie in order. */
static void stretch(void *arg, int64_t index, int thread)
{
    (void)thread;
    const walk *w = arg;
    const at_range *list = w->ranges->list;
    const int64_t begin = w->begin + index * PIECE, end = begin + PIECE;
    int64_t i = 0;
    for (int64_t behind = w->ranges->n; i < behind;) { /* the first that ends behind begin */
        const int64_t middle = i + (behind - i) / 2;
        if (list[middle].hi > begin)
            behind = middle;
        else
            i = middle + 1;
    }
    for (; i < w->ranges->n && list[i].lo < end; i++) run_pieces(w, &list[i], begin, end);
}

void at_for_ranges(const at_call *c, const at_ranges *ranges, at_range_fn tile)
{
    if (ranges->n == 0) return;
    const walk w = {c, ranges, tile, ranges->list[0].lo};
    const int64_t end = ranges->list[ranges->n - 1].hi;
    at_parallel_for(c->pool, at_ceil_div(end - w.begin, PIECE), stretch, (void *)(uintptr_t)&w);
}
