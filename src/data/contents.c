/* contents.c: shares and duplicates of samples by what they hold. Layer: data. A share is chosen among
 * contents, not samples: all samples of one content, of whatever label, go to the same side. Reading path:
 * at_contents_sort, at_contents_split, choose. */
#include "data/contents.h"
#include <stdlib.h>

static uint64_t prefix_of(const uint8_t *digest)
{
    uint64_t prefix = 0;
    for (int i = 0; i < 8; i++) prefix = prefix << 8 | digest[i];
    return prefix;
}

static int compare_contents(const at_contents *a, const at_content_ref *x, const at_contents *b,
                            const at_content_ref *y)
{
    if (x->prefix != y->prefix) return x->prefix < y->prefix ? -1 : 1;
    return memcmp(a->items[x->item].digest, b->items[y->item].digest, AT_DIGEST_BYTES);
}

/* Equal ones in the order of the set, so that the result does not depend on the sorting algorithm. */
static int by_digest(const void *a, const void *b, void *contents)
{
    const at_content_ref *x = a, *y = b;
    const int order = compare_contents(contents, x, contents, y);
    return order ? order : (x->item > y->item) - (x->item < y->item);
}

at_status at_contents_sort(at_arena *arena, at_contents *c)
{
    AT_REQUIRE(arena->ctx, c->n <= INT32_MAX, AT_E_RANGE, "%s: more than %d samples", c->source, INT32_MAX);
    at_content_ref *sorted = at_arena_alloc(arena, (size_t)c->n * sizeof *sorted);
    if (!sorted) return AT_E_NOMEM;
    for (int64_t i = 0; i < c->n; i++)
        sorted[i] = (at_content_ref){prefix_of(c->items[i].digest), (int32_t)i, c->items[i].label};
    qsort_r(sorted, (size_t)c->n, sizeof *sorted, by_digest, c);
    c->by_digest = sorted;
    return AT_OK;
}

int64_t at_contents_run(const at_contents *c, int64_t i)
{
    int64_t n = 1;
    while (i + n < c->n && compare_contents(c, &c->by_digest[i], c, &c->by_digest[i + n]) == 0) n++;
    return n;
}

/* ---- Shares ---- */

/* The samples of one content: by_digest[first], ... */
typedef struct group {
    uint64_t key; /* groups are tried in this order */
    int64_t first, n;
} group;

typedef struct tally {
    int64_t samples, wanted, taken; /* of one label */
    int64_t more;                   /* that the group under test would add */
} tally;

typedef struct splitter {
    const at_contents *set;
    const bool *taken; /* by another share: not to be chosen; NULL = none */
    group *groups;
    int64_t n;
    tally *labels;
    bool *in_share;
} splitter;

static uint64_t shuffled(const uint8_t digest[AT_DIGEST_BYTES], uint64_t seed)
{
    uint8_t bytes[8], hash[AT_DIGEST_BYTES];
    for (int i = 0; i < 8; i++) bytes[i] = (uint8_t)(seed >> (8 * i));
    at_digest d;
    at_digest_init(&d);
    at_digest_add(&d, bytes, sizeof bytes);
    at_digest_add(&d, digest, AT_DIGEST_BYTES);
    at_digest_end(&d, hash);
    return prefix_of(hash);
}

static int by_key(const void *a, const void *b)
{
    const group *x = a, *y = b;
    return x->key != y->key ? (x->key > y->key) - (x->key < y->key)
                            : (x->first > y->first) - (x->first < y->first);
}

/* Equal samples are on one side, so that the first speaks for all. */
static bool is_taken(const splitter *p, int64_t item)
{
    return p->taken && p->taken[item];
}

static void find_groups(splitter *p, uint64_t seed)
{
    const at_contents *s = p->set;
    for (int64_t i = 0, n; i < s->n; i += n) {
        n = at_contents_run(s, i);
        const int32_t item = s->by_digest[i].item;
        if (!is_taken(p, item)) p->groups[p->n++] = (group){shuffled(s->items[item].digest, seed), i, n};
    }
    qsort(p->groups, (size_t)p->n, sizeof *p->groups, by_key);
}

/* Take a group if no label then has more than its limit: the share wanted, or (all_but_one) what leaves a
 * sample. */
static bool take(splitter *p, const group *g, bool all_but_one)
{
    const at_content_ref *items = p->set->by_digest + g->first;
    bool fits = true;
    for (int64_t i = 0; i < g->n; i++) {
        tally *t = &p->labels[items[i].label];
        t->more++;
        fits = fits && t->taken + t->more <= (all_but_one ? t->samples - 1 : t->wanted);
    }
    for (int64_t i = 0; i < g->n; i++) {
        tally *t = &p->labels[items[i].label];
        t->taken += fits ? t->more : 0;
        t->more = 0;
        if (fits) p->in_share[items[i].item] = true;
    }
    return fits;
}

static bool has_label(const splitter *p, const group *g, int label)
{
    for (int64_t i = 0; i < g->n; i++)
        if (p->set->by_digest[g->first + i].label == label) return true;
    return false;
}

/* Groups in their order as long as they fit; then a label that got none gets the first that leaves it a
 * sample. */
static at_status choose(at_ctx *ctx, splitter *p)
{
    const at_contents *s = p->set;
    for (int64_t i = 0; i < p->n; i++) take(p, &p->groups[i], false);
    for (int label = 0; label < s->n_labels; label++) {
        const tally *t = &p->labels[label];
        for (int64_t i = 0; i < p->n && t->samples && !t->taken; i++)
            if (has_label(p, &p->groups[i], label)) take(p, &p->groups[i], true);
        AT_REQUIRE(ctx, t->taken || !t->samples || !s->classes, AT_E_FORMAT,
                   "%s: class %s cannot be split: its %lld %ss have too few different contents; add %ss, or "
                   "give a %s of its own for validation",
                   s->source, s->classes[label], (long long)t->samples, s->noun, s->noun, s->holder);
    }
    return AT_OK;
}

static at_status count_labels(at_ctx *ctx, splitter *p, double share)
{
    const at_contents *s = p->set;
    for (int64_t i = 0; i < s->n; i++) {
        tally *t = &p->labels[s->items[i].label];
        t->wanted++;
        if (!is_taken(p, i)) t->samples++;
    }
    for (int label = 0; label < s->n_labels; label++) {
        tally *t = &p->labels[label];
        AT_REQUIRE(ctx, t->samples != 1 || !s->classes, AT_E_FORMAT,
                   "%s: class %s has one %s, which cannot be split; add %ss, or give a %s of its own for "
                   "validation",
                   s->source, s->classes[label], s->noun, s->noun, s->holder);
        t->wanted = at_min(at_max((int64_t)(share * (double)t->wanted + 0.5), 1), t->samples - 1);
    }
    return AT_OK;
}

at_status at_contents_split(at_ctx *ctx, bool *in_share, const at_contents *c, double share, uint64_t seed,
                            const bool *taken)
{
    AT_REQUIRE(ctx, share > 0 && share < 1, AT_E_RANGE,
               "a share of %g cannot be split off; it must be between 0 and 1", share);
    splitter p = {.set = c, .taken = taken};
    p.labels = at_alloc_array(ctx, c->n_labels, sizeof *p.labels);
    p.groups = at_alloc_array(ctx, c->n, sizeof *p.groups);
    p.in_share = at_alloc_array(ctx, c->n, sizeof *p.in_share);
    at_status status = p.labels && p.groups && p.in_share ? AT_OK : AT_E_NOMEM;
    if (status == AT_OK) status = count_labels(ctx, &p, share);
    if (status == AT_OK) {
        find_groups(&p, seed);
        status = choose(ctx, &p);
    }
    if (status == AT_OK) memcpy(in_share, p.in_share, (size_t)c->n * sizeof *in_share);
    at_free(ctx, p.in_share);
    at_free(ctx, p.groups);
    at_free(ctx, p.labels);
    return status;
}

/* ---- Duplicates ---- */

int64_t at_contents_duplicates(const at_contents *a, const at_contents *b,
                               void (*report)(void *data, int64_t i, int64_t j), void *data)
{
    int64_t pairs = 0, i = 0, j = 0;
    while (i < a->n && j < b->n) {
        const int order = compare_contents(a, &a->by_digest[i], b, &b->by_digest[j]);
        const int64_t n = at_contents_run(a, i), m = at_contents_run(b, j);
        for (int64_t x = 0; x < n && order == 0; x++)
            for (int64_t y = 0; y < m; y++, pairs++)
                if (report) report(data, a->by_digest[i + x].item, b->by_digest[j + y].item);
        i += order <= 0 ? n : 0;
        j += order >= 0 ? m : 0;
    }
    return pairs;
}
