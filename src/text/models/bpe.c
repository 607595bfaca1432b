/* BPE: byte-pair encoding. A word begins as its characters; of all neighbours that a merge joins, those of
 * the earliest merge are joined first, the leftmost first. (Sennrich, Haddow and Birch 2016.)
 *
 * Characters that the vocabulary has not: their bytes as <0xE4> with byte_fallback, else the unknown token
 * (fuse_unk: one for a run of them), and without one nothing. ignore_merges: a word that is a token is it. */
#include "text/kinds.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct merge {
    uint64_t pair; /* left id << 32 | right id; ~0 = free */
    int32_t rank, id;
} merge;

typedef struct bpe {
    const at_vocab *vocab;
    merge *merges;               /* open addressing */
    uint64_t n_merges, n_slots;  /* a power of two, at least twice n_merges */
    const char *prefix, *suffix; /* of characters that continue a word; of its last one */
    int32_t unknown;             /* -1 = none */
    int32_t byte[256];           /* with byte_fallback; -1 = not in the vocabulary */
    bool fuse_unknown, ignore_merges;
} bpe;

/* ---- Merges ---- */

/* The slot that holds a pair, or the free one where it would go. */
static merge *find_merge(const bpe *p, uint64_t pair)
{
    uint64_t i = (pair * 0x9e3779b97f4a7c15u >> 20) & (p->n_slots - 1);
    while (p->merges[i].pair != pair && p->merges[i].pair != UINT64_MAX) i = (i + 1) & (p->n_slots - 1);
    return &p->merges[i];
}

static uint64_t pair_of(int32_t left, int32_t right)
{
    return (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
}

static const merge *known_merge(const bpe *p, int32_t left, int32_t right)
{
    const merge *m = find_merge(p, pair_of(left, right));
    return m->pair == UINT64_MAX ? NULL : m;
}

/* What a table leaves behind stays in the arena: less than the table itself. */
static at_status more_slots(const at_section *s, bpe *p)
{
    const merge *old = p->merges;
    const uint64_t n_old = p->n_slots, n = n_old ? 2 * n_old : 1024;
    merge *grown = at_arena_alloc(s->arena, n * sizeof *grown);
    if (!grown) return AT_E_NOMEM;
    memset(grown, 0xff, n * sizeof *grown);
    p->merges = grown;
    p->n_slots = n;
    for (uint64_t i = 0; i < n_old; i++)
        if (old[i].pair != UINT64_MAX) *find_merge(p, old[i].pair) = old[i];
    return AT_OK;
}

/* The last merge of a pair counts. */
static at_status put_merge(const at_section *s, bpe *p, merge m)
{
    if (2 * (p->n_merges + 1) > p->n_slots) AT_TRY(more_slots(s, p));
    AT_REQUIRE(s->ctx, p->n_merges < AT_VOCAB_LIMIT, AT_E_FORMAT, "%s: more than %d merges", s->where,
               AT_VOCAB_LIMIT);
    merge *slot = find_merge(p, m.pair);
    p->n_merges += slot->pair == UINT64_MAX;
    *slot = m;
    return AT_OK;
}

/* A list of merges being read. */
typedef struct reading {
    const at_section *s;
    bpe *p;
    at_json_scan scan;
    at_text first;        /* of a merge of two strings */
    int32_t rank, joined; /* of this merge; what the one before made */
} reading;

/* Tokens that merges make mostly have ids in the order of the merges: no search is needed then. */
static int32_t find_joined(const reading *r, const char *a, size_t n_a, const char *b, size_t n_b)
{
    const at_vocab *v = r->p->vocab;
    if (at_vocab_is_joined(v, r->joined + (int64_t)1, a, n_a, b, n_b)) return r->joined + 1;
    const uint64_t hash = at_vocab_hash(at_vocab_hash(at_vocab_hash_start(), a, n_a), b, n_b);
    return at_vocab_find_joined(v, hash, a, n_a, b, n_b);
}

static at_status add_merge(reading *r, const char *a, size_t n_a, const char *b, size_t n_b)
{
    bpe *p = r->p;
    const size_t skip = strlen(p->prefix);
    const int32_t left = at_vocab_find(p->vocab, a, n_a), right = at_vocab_find(p->vocab, b, n_b);
    const int32_t joined =
        left >= 0 && right >= 0 && n_b >= skip ? find_joined(r, a, n_a, b + skip, n_b - skip) : -1;
    if (joined < 0)
        return at_json_scan_fail(&r->scan,
                                 "merge %d joins \"%.*s\" and \"%.*s\", but %s is not in the vocabulary",
                                 r->rank + 1, n_a < 50 ? (int)n_a : 50, a, n_b < 50 ? (int)n_b : 50, b,
                                 left < 0    ? "the first"
                                 : right < 0 ? "the second"
                                             : "the result");
    r->joined = joined;
    return put_merge(r->s, p, (merge){pair_of(left, right), r->rank++, joined});
}

/* "a b": as of old. */
static at_status read_line(reading *r)
{
    const char *text;
    size_t n;
    AT_TRY(at_json_scan_string(&r->scan, &text, &n));
    const char *blank = memchr(text, ' ', n);
    const size_t n_a = blank ? (size_t)(blank - text) : 0;
    if (!blank || memchr(blank + 1, ' ', n - n_a - 1))
        return at_json_scan_fail(&r->scan, "merge %d must be two tokens with a space between", r->rank + 1);
    return add_merge(r, text, n_a, blank + 1, n - n_a - 1);
}

/* ["a", "b"] */
static at_status read_pair(reading *r)
{
    const char *text;
    size_t n;
    bool more;
    AT_TRY(at_json_scan_enter(&r->scan, '['));
    AT_TRY(at_json_scan_next(&r->scan, &more, ']'));
    AT_TRY(at_json_scan_string(&r->scan, &text, &n));
    r->first.size = 0;
    at_text_add(&r->first, "");
    at_text_bytes(&r->first, text, n);
    AT_TRY(at_text_status(&r->first));
    AT_TRY(at_json_scan_next(&r->scan, &more, ']'));
    AT_TRY(at_json_scan_string(&r->scan, &text, &n));
    AT_TRY(add_merge(r, r->first.data, r->first.size, text, n));
    AT_TRY(at_json_scan_next(&r->scan, &more, ']'));
    return more ? at_json_scan_fail(&r->scan, "merge %d has more than two tokens", r->rank) : AT_OK;
}

static at_status read_list(reading *r)
{
    bool more;
    AT_TRY(at_json_scan_enter(&r->scan, '['));
    for (;;) {
        AT_TRY(at_json_scan_next(&r->scan, &more, ']'));
        if (!more) return AT_OK;
        AT_TRY(at_json_scan_peek(&r->scan) == '"' ? read_line(r) : read_pair(r));
    }
}

static at_status read_merges(const at_section *s, bpe *p)
{
    reading r = {.s = s, .p = p, .joined = -1};
    AT_TRY(more_slots(s, p)); /* there may be no merge */
    AT_TRY(at_model_scan(&r.scan, s, "merges"));
    at_text_init(&r.first, s->ctx);
    const at_status status = read_list(&r);
    at_text_deinit(&r.first);
    at_json_scan_deinit(&r.scan);
    return status;
}

/* ---- Merges of SentencePiece: any two tokens that make one, the one of the best score first ---- */

typedef struct scored {
    double score;
    int32_t id;
} scored;

static int best_first(const void *a, const void *b)
{
    const scored *x = a, *y = b;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* The pairs of tokens that make a token. */
static at_status add_splits(const at_section *s, bpe *p, int32_t id, int32_t rank)
{
    const char *token = p->vocab->token[id];
    const size_t n = strlen(token);
    for (size_t k = 1; k < n; k++) {
        if (((unsigned char)token[k] & 0xc0) == 0x80) continue;
        const int32_t left = at_vocab_find(p->vocab, token, k),
                      right = left < 0 ? -1 : at_vocab_find(p->vocab, token + k, n - k);
        if (right >= 0) AT_TRY(put_merge(s, p, (merge){pair_of(left, right), rank, id}));
    }
    return AT_OK;
}

static at_status merges_by_score(const at_section *s, bpe *p, const double *score)
{
    int64_t n = 0;
    scored *order = at_arena_alloc(s->arena, (size_t)p->vocab->size * sizeof *order);
    if (!order) return AT_E_NOMEM;
    for (int32_t id = 0; id < p->vocab->size; id++)
        if (p->vocab->token[id] && !isnan(score[id])) order[n++] = (scored){score[id], id};
    qsort(order, (size_t)n, sizeof *order, best_first);
    AT_TRY(more_slots(s, p));
    for (int64_t i = 0, rank = 0; i < n; i++) { /* of equal scores the leftmost place is first */
        if (i > 0 && order[i].score != order[i - 1].score) rank = i;
        AT_TRY(add_splits(s, p, order[i].id, (int32_t)rank));
    }
    return AT_OK;
}

/* ---- Reading ---- */

static void find_bytes(bpe *p, bool fallback)
{
    for (int b = 0; b < 256; b++) {
        char name[8];
        snprintf(name, sizeof name, "<0x%02X>", (unsigned)b);
        p->byte[b] = fallback ? at_vocab_find(p->vocab, name, 6) : -1;
    }
}

static at_status parse(const at_section *s, void *params)
{
    bpe *p = params;
    const char *unknown;
    bool fallback;
    const at_tree *dropout = at_tree_get(s->tree, "dropout");
    AT_REQUIRE(s->ctx, !dropout || dropout->kind == AT_NULL || dropout->number == 0.0, AT_E_UNSUPPORTED,
               "%s: dropout of merges is not supported; set it to null", s->where);
    AT_TRY(at_section_text(s, &unknown, "unk_token", ""));
    AT_TRY(at_section_text(s, &p->prefix, "continuing_subword_prefix", ""));
    AT_TRY(at_section_text(s, &p->suffix, "end_of_word_suffix", ""));
    AT_TRY(at_section_flag(s, &p->fuse_unknown, "fuse_unk", false));
    AT_TRY(at_section_flag(s, &fallback, "byte_fallback", false));
    AT_TRY(at_section_flag(s, &p->ignore_merges, "ignore_merges", false));
    AT_TRY(at_model_vocab(s));
    p->vocab = at_section_vocab(s);
    p->unknown = *unknown ? at_vocab_find(p->vocab, unknown, strlen(unknown)) : -1;
    AT_REQUIRE(
        s->ctx, !*unknown || p->unknown >= 0, AT_E_FORMAT,
        "%s: the unknown token \"%s\" is not in the vocabulary of %lld; take the vocabulary that belongs "
        "to the checkpoint",
        s->where, unknown, (long long)p->vocab->n);
    find_bytes(p, fallback);
    return s->source && s->source->scores ? merges_by_score(s, p, s->source->scores) : read_merges(s, p);
}

/* ---- One word ---- */

typedef struct symbol {
    int32_t id, n;          /* bytes; 0 = joined to the one before */
    int32_t before, behind; /* -1 = none */
} symbol;

typedef struct candidate { /* a merge that may be done: a symbol and the one behind it */
    int32_t rank, at, id;
} candidate;

typedef struct word {
    const bpe *p;
    symbol *list;
    candidate *heap; /* the earliest merge on top, of equals the leftmost */
    int32_t n, n_heap;
    int32_t unknown_bytes; /* of unknown characters that are not symbols yet */
} word;

static void add_symbol(word *w, int32_t id, int32_t n)
{
    w->list[w->n] = (symbol){id, n, w->n - 1, w->n + 1};
    w->n++;
}

static void flush_unknown(word *w)
{
    if (w->unknown_bytes) add_symbol(w, w->p->unknown, w->unknown_bytes);
    w->unknown_bytes = 0;
}

static bool add_bytes(word *w, const char *text, int32_t n)
{
    for (int32_t i = 0; i < n; i++)
        if (w->p->byte[(unsigned char)text[i]] < 0) return false;
    for (int32_t i = 0; i < n; i++) add_symbol(w, w->p->byte[(unsigned char)text[i]], 1);
    return true;
}

/* The token of one character with the prefix and suffix that its place asks for, or -1. */
static int32_t find_character(const bpe *p, const char *text, int32_t n, bool first, bool last)
{
    const char *prefix = first ? "" : p->prefix;
    if (!last || !*p->suffix) {
        const uint64_t start = at_vocab_hash(at_vocab_hash_start(), prefix, strlen(prefix));
        return at_vocab_find_joined(p->vocab, at_vocab_hash(start, text, (size_t)n), prefix, strlen(prefix),
                                    text, (size_t)n);
    }
    char whole[256];
    const size_t before = strlen(prefix), behind = strlen(p->suffix), size = before + (size_t)n + behind;
    if (size > sizeof whole) return -1;
    memcpy(whole, prefix, before);
    memcpy(whole + before, text, (size_t)n); /* may be NUL */
    memcpy(whole + before + n, p->suffix, behind);
    return at_vocab_find(p->vocab, whole, size);
}

static void add_character(word *w, const char *text, int32_t n, bool first, bool last)
{
    const bpe *p = w->p;
    const int32_t id = find_character(p, text, n, first, last);
    if (id >= 0) {
        flush_unknown(w);
        add_symbol(w, id, n);
        return;
    }
    if (add_bytes(w, text, n) || p->unknown < 0) return;
    if (!p->fuse_unknown) flush_unknown(w);
    w->unknown_bytes += n;
}

static bool earlier(candidate a, candidate b)
{
    return a.rank != b.rank ? a.rank < b.rank : a.at < b.at;
}

static void push(word *w, int32_t at)
{
    if (at < 0 || w->list[at].behind >= w->n) return;
    const merge *m = known_merge(w->p, w->list[at].id, w->list[w->list[at].behind].id);
    if (!m) return;
    const candidate c = {m->rank, at, m->id};
    int32_t i = w->n_heap++;
    for (; i > 0 && earlier(c, w->heap[(i - 1) / 2]); i = (i - 1) / 2) w->heap[i] = w->heap[(i - 1) / 2];
    w->heap[i] = c;
}

static candidate pop(word *w)
{
    const candidate top = w->heap[0], last = w->heap[--w->n_heap];
    int32_t i = 0;
    for (int32_t child; (child = 2 * i + 1) < w->n_heap; i = child) {
        if (child + 1 < w->n_heap && earlier(w->heap[child + 1], w->heap[child])) child++;
        if (!earlier(w->heap[child], last)) break;
        w->heap[i] = w->heap[child];
    }
    w->heap[i] = last;
    return top;
}

/* What has changed since it was pushed shows in that its merge is another one now. */
static void join(word *w, candidate c)
{
    symbol *left = &w->list[c.at];
    if (left->n == 0 || left->behind >= w->n) return;
    symbol *right = &w->list[left->behind];
    const merge *m = known_merge(w->p, left->id, right->id);
    if (!m || m->id != c.id) return;
    left->id = c.id;
    left->n += right->n;
    left->behind = right->behind;
    right->n = 0;
    if (right->behind < w->n) w->list[right->behind].before = c.at;
    push(w, left->before);
    push(w, c.at);
}

static void tokenize(at_pieces *pieces, const void *params, const char *text, int32_t n)
{
    const bpe *p = params;
    const int32_t whole = p->ignore_merges ? at_vocab_find(p->vocab, text, (size_t)n) : -1;
    if (whole >= 0) {
        at_found_add(pieces, whole, 0, n);
        return;
    }
    /* each join adds at most two candidates: 3 n in all */
    char *memory = at_pieces_scratch(pieces, (size_t)n * (sizeof(symbol) + 3 * sizeof(candidate)));
    if (!memory) return;
    word w = {.p = p, .list = (symbol *)memory, .heap = (candidate *)(memory + (size_t)n * sizeof(symbol))};
    uint32_t code;
    for (int32_t i = 0, k; i < n; i += k) {
        k = at_utf8_next(&code, text + i);
        add_character(&w, text + i, k, i == 0, i + k == n);
    }
    flush_unknown(&w);
    for (int32_t i = 0; i < w.n; i++) push(&w, i);
    while (w.n_heap > 0) join(&w, pop(&w));
    int32_t at = 0; /* characters that are nothing shift those behind, as in `tokenizers` */
    for (int32_t i = 0; i < w.n; i++) {
        if (w.list[i].n) at_found_add(pieces, w.list[i].id, at, at + w.list[i].n);
        at += w.list[i].n;
    }
}

const at_token_model at_token_model_bpe = {
    .name = "BPE",
    .doc = "byte-pair encoding",
    .size = sizeof(bpe),
    .parse = parse,
    .tokenize = tokenize,
    .cached = true,
};
