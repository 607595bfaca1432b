/* tokens.c: texts as samples: tokenised in parallel when the data set is made, or found where an earlier run
 * has kept them; copied when a batch is filled. Reading path: at_tokens_create, prepare, tokenise, fill. */
#include "data/tokens.h"
#include "base/pool.h"
#include "data/tokens_cache.h"

enum {
    CHUNK = 64,           /* sequences that a thread tokenises at a time */
    NO_LABEL = -100,      /* what losses leave out */
    CACHE_BYTES = 1 << 20 /* of text, from which on tokens are kept: tokenising takes 40 ms by WordPiece, 130
                             by byte-level BPE, finding them 5 */
};

typedef struct piece { /* a sequence's tokens */
    int32_t *ids, *types, *words;
    int64_t n;
    bool cut;
} piece;

typedef struct tokens {
    at_dataset base;
    const at_texts *texts;
    const at_tagged *tagged; /* in place of texts; NULL = texts */
    int32_t *index;
    at_token_options o;
    int parts;      /* sequences of a sample */
    int64_t *start; /* [n * parts + 1] of a sequence's tokens in ids, types and words */
    int32_t *ids, *types;
    int32_t *words;       /* of tagged sentences: the word of each token; -1 = none */
    at_safetensors *file; /* where the four are mapped from; NULL = they are memory of our own */
} tokens;

static const char *name(const at_dataset *d, int64_t sample)
{
    const tokens *t = (const tokens *)d;
    const int32_t of = t->index[sample];
    return t->tagged ? t->tagged->text[of].text : at_texts_text(t->texts, of)->text;
}

static int64_t rows(const at_dataset *d, int64_t sample)
{
    const tokens *t = (const tokens *)d;
    return t->start[(sample + 1) * t->parts] - t->start[sample * t->parts];
}

static int64_t part_rows(const at_dataset *d, int64_t sample, int part)
{
    const tokens *t = (const tokens *)d;
    const int64_t *start = &t->start[sample * t->parts + part];
    return start[1] - start[0];
}

int32_t at_token_row_id(int64_t sequence, int64_t i)
{
    return (int32_t)((uint32_t)sequence << 12 ^ (uint32_t)i);
}

/* FNV-1a of the tokens; different texts that share it are a chance of 1 in 4 billion a pair. */
static int32_t hash(const tokens *t, int64_t sequence)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (int64_t i = t->start[sequence]; i < t->start[sequence + 1]; i++)
        h = (h ^ (uint32_t)t->ids[i]) * 0x100000001b3u;
    return (int32_t)(uint32_t)(h ^ h >> 32);
}

/* What is counted anew in each sequence: positions, and what random numbers are keyed by. */
static void count_rows(const tokens *t, int64_t sample, int32_t *positions, int32_t *row_ids)
{
    for (int64_t q = sample * t->parts; q < (sample + 1) * t->parts; q++)
        for (int64_t i = 0; i < t->start[q + 1] - t->start[q]; i++) {
            if (positions) *positions++ = (int32_t)i;
            if (row_ids) *row_ids++ = at_token_row_id(q, i);
        }
}

void at_token_columns(at_dataset *d, const at_column *labels)
{
    static const char *const ragged[] = {"input_ids", "token_type_ids", "position_ids", "row_id"};
    for (int i = 0; i < AT_COUNT(ragged); i++)
        d->columns[i] = (at_column){.name = ragged[i], .dtype = AT_I32, .ragged = true};
    d->n_columns = AT_COUNT(ragged);
    if (labels) d->columns[d->n_columns++] = *labels;
}

/* tagged: a label a token. */
static at_column label_column(const at_texts *t, const at_tagged *tagged)
{
    if (tagged) return (at_column){.name = "labels", .dtype = AT_I32, .ragged = true};
    switch (t->target) {
    case AT_TEXTS_NUMBER:
        return (at_column){.name = "labels", .dtype = AT_F32, .exact = true};
    case AT_TEXTS_SET:
        return (at_column){
            .name = "labels", .dtype = AT_F32, .rank = 1, .dim = {t->n_classes}, .exact = true};
    default:
        return (at_column){.name = "labels", .dtype = AT_I32};
    }
}

static void put_labels(const at_texts *t, int64_t sample, void *out)
{
    if (t->target == AT_TEXTS_NUMBER)
        *(float *)out = (float)t->samples[sample].number;
    else if (t->target == AT_TEXTS_SET)
        at_texts_set_row(t, sample, out);
    else
        *(int32_t *)out = t->samples[sample].label;
}

static int32_t label_of_token(const tokens *t, int64_t sample, int64_t i)
{
    const at_tagged *tagged = t->tagged;
    const int32_t *words = t->words + t->start[sample];
    if (words[i] < 0) return NO_LABEL;
    const int32_t tag = tagged->tag[tagged->start[t->index[sample]] + words[i]];
    if (i == 0 || words[i] != words[i - 1]) return tag;
    return t->o.tag_inside ? t->o.tag_inside[tag] : NO_LABEL;
}

static void fill_labels(const tokens *t, int64_t sample, void *out)
{
    if (!t->tagged) {
        put_labels(t->texts, t->index[sample], out);
        return;
    }
    const int64_t n = rows(&t->base, sample);
    for (int64_t i = 0; i < n; i++) ((int32_t *)out)[i] = label_of_token(t, sample, i);
}

static at_status fill(at_ctx *ctx, const at_dataset *d, int64_t sample, const at_fill *how, void *const *out)
{
    (void)ctx, (void)how;
    const tokens *t = (const tokens *)d;
    const int64_t n = rows(d, sample), first = t->start[sample * t->parts];
    if (out[0]) memcpy(out[0], t->ids + first, (size_t)n * sizeof *t->ids);
    if (out[1]) memcpy(out[1], t->types + first, (size_t)n * sizeof *t->types);
    count_rows(t, sample, out[2], out[3]);
    void *const *more = &out[4];
    if (t->o.labels && *more) fill_labels(t, sample, *more);
    more += t->o.labels;
    if (t->o.scores && *more) *(float *)*more = (float)t->texts->samples[t->index[sample]].number;
    more += t->o.scores;
    for (int p = 0; t->o.hashes && *more && p < t->parts; p++)
        ((int32_t *)*more)[p] = hash(t, sample * t->parts + p);
    return AT_OK;
}

static void digest(const at_dataset *d, at_digest *out)
{
    const tokens *t = (const tokens *)d;
    const int64_t sequences = d->n * t->parts, n = t->start[sequences];
    at_digest_add(out, t->start, (size_t)(sequences + 1) * sizeof *t->start);
    at_digest_add(out, t->ids, (size_t)n * sizeof *t->ids);
    at_digest_add(out, t->types, (size_t)n * sizeof *t->types);
}

static void close(at_ctx *ctx, at_dataset *d)
{
    tokens *t = (tokens *)d;
    at_free(ctx, t->index);
    if (!t->file) {
        at_free(ctx, t->start);
        at_free(ctx, t->ids);
        at_free(ctx, t->types);
        at_free(ctx, t->words);
    }
    at_safetensors_close(ctx, t->file);
    at_free(ctx, t);
}

/* ---- Tokenising: chunks of sequences, by whichever thread, then all of it end to end ---- */

typedef struct worker { /* a thread: words that it has met in one chunk it knows in the next */
    at_ctx ctx;
    at_arena memory; /* of what it finds */
    at_encoding encoding;
} worker;

typedef struct chunk {
    at_status status;
    const char *why; /* it failed; NULL: no memory for the reason */
} chunk;

typedef struct work {
    const tokens *t;
    piece *pieces;
    chunk *chunks;
    worker *workers;
} work;

static at_status encode(at_ctx *ctx, const tokens *t, at_encoding *e, int64_t of, int part)
{
    const at_tagged *g = t->tagged;
    if (g)
        return at_tokenizer_encode_words(ctx, t->o.tokenizer, e, g->words + g->start[of],
                                         g->start[of + 1] - g->start[of], t->o.max_length, true);
    const at_cell *text = at_texts_part(t->texts, of, part),
                  *pair = t->o.parts ? NULL : at_texts_pair(t->texts, of);
    return at_tokenizer_encode(ctx, t->o.tokenizer, e, text->text, text->n, pair ? pair->text : NULL,
                               pair ? pair->n : 0, t->o.max_length, true);
}

static const char *path_of(const tokens *t)
{
    return t->tagged ? t->tagged->path : t->texts->table.path;
}

static int64_t line_of(const tokens *t, int64_t of)
{
    return t->tagged ? t->tagged->line[t->tagged->start[of]] : at_texts_line(t->texts, of);
}

static at_status tokenise_one(const work *w, worker *by, int64_t sequence)
{
    const tokens *t = w->t;
    at_encoding *e = &by->encoding;
    AT_TRY(encode(&by->ctx, t, e, t->index[sequence / t->parts], (int)(sequence % t->parts)));
    AT_REQUIRE(&by->ctx, e->n > 0, AT_E_FORMAT, "the text gives no token");
    piece *p = &w->pieces[sequence];
    const size_t bytes = (size_t)e->n * sizeof *p->ids;
    p->ids = at_arena_alloc(&by->memory, 3 * bytes);
    if (!p->ids) return AT_E_NOMEM;
    p->types = p->ids + e->n;
    p->words = p->types + e->n;
    memcpy(p->ids, e->ids, bytes);
    memcpy(p->types, e->type_ids, bytes);
    for (int64_t i = 0; i < e->n; i++) p->words[i] = e->spans[i].word;
    p->n = e->n;
    p->cut = e->truncated;
    return AT_OK;
}

static const char *failure(const tokens *t, worker *by, at_status status, int64_t sequence)
{
    const char *why = at_last_error(&by->ctx);
    return status == AT_E_NOMEM ? at_arena_strdup(&by->memory, why)
                                : at_arena_printf(&by->memory, "%s:%lld: %s", path_of(t),
                                                  (long long)line_of(t, t->index[sequence / t->parts]), why);
}

static void tokenise_chunk(void *arg, int64_t i, int thread)
{
    const work *w = arg;
    chunk *c = &w->chunks[i];
    worker *by = &w->workers[thread];
    const int64_t end = at_min(w->t->base.n * w->t->parts, (i + 1) * CHUNK);
    for (int64_t k = i * CHUNK; k < end && c->status == AT_OK; k++) {
        c->status = tokenise_one(w, by, k);
        if (c->status == AT_OK) continue;
        c->why = failure(w->t, by, c->status, k);
        if (c->status != AT_E_NOMEM) c->status = AT_E_FORMAT;
    }
    at_clear_error(&by->ctx);
}

static at_status gather(at_ctx *ctx, tokens *t, const piece *pieces, at_token_stats *stats)
{
    const int64_t n = t->base.n * t->parts;
    AT_NEW(ctx, t->start, n + 1);
    for (int64_t i = 0; i < n; i++) {
        t->start[i + 1] = t->start[i] + pieces[i].n;
        stats->cut += pieces[i].cut;
    }
    AT_NEW(ctx, t->ids, t->start[n]);
    AT_NEW(ctx, t->types, t->start[n]);
    if (t->tagged) AT_NEW(ctx, t->words, t->start[n]);
    for (int64_t i = 0; i < n; i++) {
        memcpy(t->ids + t->start[i], pieces[i].ids, (size_t)pieces[i].n * sizeof *t->ids);
        memcpy(t->types + t->start[i], pieces[i].types, (size_t)pieces[i].n * sizeof *t->types);
        if (t->words) memcpy(t->words + t->start[i], pieces[i].words, (size_t)pieces[i].n * sizeof *t->words);
    }
    return AT_OK;
}

/* The first failure by position is the one that is told. */
static at_status tokenise_all(at_ctx *ctx, const work *w)
{
    const int64_t n_chunks = at_ceil_div(w->t->base.n * w->t->parts, CHUNK);
    at_parallel_for(ctx->pool, n_chunks, tokenise_chunk, (void *)(uintptr_t)w);
    for (int64_t i = 0; i < n_chunks; i++)
        if (w->chunks[i].status != AT_OK)
            return at_fail(ctx, w->chunks[i].status, "%s",
                           w->chunks[i].why ? w->chunks[i].why : "out of memory");
    return AT_OK;
}

static void open_workers(const at_ctx *ctx, const work *w)
{
    for (int i = 0; i < at_pool_threads(ctx->pool); i++) {
        worker *by = &w->workers[i];
        at_ctx_fork(&by->ctx, ctx);
        at_arena_init(&by->memory, &by->ctx);
    }
}

static void close_workers(const at_ctx *ctx, const work *w)
{
    for (int i = 0; i < at_pool_threads(ctx->pool); i++) {
        worker *by = &w->workers[i];
        at_encoding_deinit(&by->ctx, &by->encoding);
        at_arena_deinit(&by->memory);
    }
}

static at_status tokenise(at_ctx *ctx, tokens *t, at_token_stats *stats)
{
    const int64_t n = t->base.n * t->parts;
    work w = {.t = t};
    w.pieces = at_alloc_array(ctx, n, sizeof *w.pieces);
    w.chunks = at_alloc_array(ctx, at_ceil_div(n, CHUNK), sizeof *w.chunks);
    w.workers = at_alloc_array(ctx, at_pool_threads(ctx->pool), sizeof *w.workers);
    at_status s = w.pieces && w.chunks && w.workers ? AT_OK : AT_E_NOMEM;
    if (s == AT_OK) {
        open_workers(ctx, &w);
        s = tokenise_all(ctx, &w);
        if (s == AT_OK) s = gather(ctx, t, w.pieces, stats);
        close_workers(ctx, &w);
    }
    at_free(ctx, w.workers);
    at_free(ctx, w.chunks);
    at_free(ctx, w.pieces);
    return s;
}

/* ---- Tokens of earlier runs ---- */

typedef void (*text_fn)(void *to, const at_cell *text); /* NULL: there is none */

static void for_texts(const tokens *t, text_fn f, void *to)
{
    const at_tagged *g = t->tagged;
    for (int64_t i = 0; i < t->base.n; i++) {
        const int32_t of = t->index[i];
        if (g)
            for (int64_t w = g->start[of]; w < g->start[of + 1]; w++) f(to, &g->words[w]);
        else
            for (int p = 0; p < t->parts; p++) f(to, at_texts_part(t->texts, of, p));
        if (!g && !t->o.parts) f(to, at_texts_pair(t->texts, of));
        if (g) f(to, NULL); /* the sentence's end */
    }
}

static void count_text(void *to, const at_cell *text)
{
    if (text) *(int64_t *)to += (int64_t)text->n;
}

static void digest_text(void *to, const at_cell *text)
{
    const int64_t n =
        text ? (int64_t)text->n : -1; /* with its length, so that "ab"+"c" and "a"+"bc" differ */
    at_digest_add(to, &n, sizeof n);
    if (text) at_digest_add(to, text->text, text->n);
}

/* Everything that the tokens depend on. NULL: they are not to be kept; or no memory, which stands. */
static const char *cache_path(at_arena *a, const tokens *t)
{
    int64_t bytes = 0;
    const int64_t how[] = {t->base.n, t->parts, t->tagged != NULL, t->o.max_length};
    if (!t->o.cache) return NULL;
    for_texts(t, count_text, &bytes);
    if (bytes < (t->o.cache_bytes ? t->o.cache_bytes : CACHE_BYTES)) return NULL;
    at_digest key;
    at_digest_init(&key);
    at_digest_add_text(&key, AT_VERSION);
    at_tokenizer_digest(t->o.tokenizer, &key);
    at_digest_add(&key, how, sizeof how);
    for_texts(t, digest_text, &key);
    return at_cache_path(a, t->o.cache, "tokens", &key);
}

/* What is mapped is only read. */
static bool find(at_ctx *ctx, tokens *t, const char *path, at_token_stats *stats)
{
    at_kept_tokens k = {.sequences = t->base.n * t->parts};
    if (!at__tokens_find(ctx, &k, path, t->tagged != NULL)) return false;
    t->file = k.file;
    t->start = (int64_t *)(uintptr_t)k.start;
    t->ids = (int32_t *)(uintptr_t)k.ids;
    t->types = (int32_t *)(uintptr_t)k.types;
    t->words = (int32_t *)(uintptr_t)k.words;
    stats->cut = k.cut;
    return stats->found = true;
}

static at_status keep(at_ctx *ctx, const tokens *t, const char *path, at_token_stats *stats)
{
    const at_kept_tokens k = {.sequences = t->base.n * t->parts,
                              .cut = stats->cut,
                              .start = t->start,
                              .ids = t->ids,
                              .types = t->types,
                              .words = t->words};
    return at__tokens_keep(ctx, stats->lost, path, &k);
}

static at_status find_or_tokenise(at_ctx *ctx, tokens *t, at_token_stats *stats)
{
    at_arena a;
    at_arena_init(&a, ctx);
    const char *path = cache_path(&a, t);
    at_status s = at_last_status(ctx);
    if (s == AT_OK && !(path && find(ctx, t, path, stats))) {
        s = tokenise(ctx, t, stats);
        if (s == AT_OK && path) s = keep(ctx, t, path, stats);
    }
    at_arena_deinit(&a);
    return s;
}

static at_status prepare(at_ctx *ctx, tokens *t, at_token_stats *stats)
{
    const int64_t n = t->base.n * t->parts;
    AT_TRY(find_or_tokenise(ctx, t, stats));
    stats->tokens = t->start[n];
    for (int64_t i = 0; i < n; i++) stats->longest = at_max(stats->longest, t->start[i + 1] - t->start[i]);
    for (int64_t i = 0; i < t->base.n; i++) t->base.max_rows = at_max(t->base.max_rows, rows(&t->base, i));
    return AT_OK;
}

/* ---- Making ---- */

static void add_column(at_dataset *d, at_column c)
{
    d->columns[d->n_columns++] = c;
}

static void add_columns(tokens *t)
{
    at_dataset *d = &t->base;
    const at_column labels = label_column(t->texts, t->tagged);
    at_token_columns(d, t->o.labels ? &labels : NULL);
    if (t->o.scores) add_column(d, (at_column){.name = "scores", .dtype = AT_F32, .exact = true});
    if (t->o.hashes)
        add_column(d, (at_column){.name = "text_hash", .dtype = AT_I32, .rank = 1, .dim = {t->parts}});
}

static at_status create(at_dataset **out, at_ctx *ctx, const at_texts *texts, const at_tagged *tagged,
                        const int32_t *index, int64_t n, const at_token_options *o, at_token_stats *stats)
{
    at_token_stats unused = {0};
    tokens *t;
    *out = NULL;
    AT_NEW(ctx, t, 1);
    t->parts = o->parts > 0 ? o->parts : 1;
    t->base = (at_dataset){.n = n,
                           .parts = t->parts,
                           .rows = rows,
                           .part_rows = part_rows,
                           .fill = fill,
                           .name = name,
                           .digest = digest,
                           .close = close};
    t->texts = texts;
    t->tagged = tagged;
    t->o = *o;
    add_columns(t);
    if (!stats) stats = &unused;
    *stats = (at_token_stats){0};
    at_status s = AT_OK;
    if ((t->index = at_alloc_array(ctx, n, sizeof *index)))
        memcpy(t->index, index, (size_t)n * sizeof *index);
    else
        s = AT_E_NOMEM;
    if (s == AT_OK) s = prepare(ctx, t, stats);
    if (s != AT_OK) {
        close(ctx, &t->base);
        return s;
    }
    *out = &t->base;
    return AT_OK;
}

at_status at_tokens_create(at_dataset **out, at_ctx *ctx, const at_texts *texts, const int32_t *index,
                           int64_t n, const at_token_options *o, at_token_stats *stats)
{
    return create(out, ctx, texts, NULL, index, n, o, stats);
}

at_status at_tagged_tokens_create(at_dataset **out, at_ctx *ctx, const at_tagged *tagged,
                                  const int32_t *index, int64_t n, const at_token_options *o,
                                  at_token_stats *stats)
{
    return create(out, ctx, NULL, tagged, index, n, o, stats);
}

int64_t at_tagged_tokens_sentence(const at_dataset *d, int64_t sample)
{
    return ((const tokens *)d)->index[sample];
}

const int32_t *at_tagged_tokens_words(const at_dataset *d, int64_t sample)
{
    const tokens *t = (const tokens *)d;
    return t->words + t->start[sample];
}
