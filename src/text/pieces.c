/* pieces.c: pieces of text, rewritten, cut, and tokenised. Layer: text. */
#include "text/pieces.h"

/* ---- Memory ---- */

void at_pieces_fail(at_pieces *w, at_status status)
{
    if (w->status == AT_OK) w->status = status;
}

static bool grow(at_pieces *w, void **list, int64_t *room, int64_t n, size_t size)
{
    if (n <= *room) return true;
    const int64_t more = at_max(n, at_max(64, 2 * *room));
    void *grown = at_realloc(w->ctx, *list, (size_t)*room * size, (size_t)more * size);
    if (!grown) {
        at_pieces_fail(w, AT_E_NOMEM);
        return false;
    }
    *list = grown;
    *room = more;
    return true;
}

#define GROW(w, l, member, n) grow(w, (void **)&(l)->member, &(l)->room, n, sizeof *(l)->member)

static bool grow_text(at_pieces *w, int64_t n)
{
    at_lettering *l = &w->now;
    if (n < l->room) return true; /* a NUL fits behind */
    if (n > AT_TEXT_LIMIT) {
        at_pieces_fail(w, at_fail(w->ctx, AT_E_RANGE, "a text to tokenise has more than %d bytes; cut it",
                                  AT_TEXT_LIMIT));
        return false;
    }
    int64_t room = l->room; /* both arrays, or neither is known to be larger */
    if (!grow(w, (void **)&l->text, &room, n + 1, 1)) return false;
    room = l->room;
    return grow(w, (void **)&l->from, &l->room, n + 1, sizeof *l->from);
}

void *at_pieces_scratch(at_pieces *w, size_t bytes)
{
    if (bytes > w->scratch_room) {
        at_free(w->ctx, w->scratch);
        w->scratch = at_alloc(w->ctx, 2 * bytes);
        w->scratch_room = w->scratch ? 2 * bytes : 0;
        if (!w->scratch) at_pieces_fail(w, AT_E_NOMEM);
    }
    return w->scratch;
}

static void free_lettering(at_ctx *ctx, at_lettering *l)
{
    at_free(ctx, l->text);
    at_free(ctx, l->from);
}

void at_pieces_deinit(at_pieces *w)
{
    free_lettering(w->ctx, &w->now);
    free_lettering(w->ctx, &w->old);
    at_free(w->ctx, w->list.list);
    at_free(w->ctx, w->past.list);
    at_free(w->ctx, w->scratch);
    at_free(w->ctx, w->cache.slot);
    at_free(w->ctx, w->cache.text);
    at_free(w->ctx, w->cache.found);
    *w = (at_pieces){0};
}

/* ---- Beginning ---- */

static void push(at_pieces *w, at_piece piece)
{
    if (GROW(w, &w->list, list, w->list.n + 1)) w->list.list[w->list.n++] = piece;
}

/* Every character comes from itself. */
static at_status take(at_pieces *w, const char *text, int32_t n, const char *what)
{
    memcpy(w->now.text, text, (size_t)n);
    w->now.text[n] = '\0';
    for (int32_t i = 0; i < n;) {
        uint32_t code;
        const int32_t k = at_utf8_next(&code, w->now.text + i);
        AT_REQUIRE(w->ctx, k > 0, AT_E_FORMAT,
                   "%s: byte %d (0x%02x) is not valid UTF-8; convert the text to UTF-8", what, i + 1,
                   (unsigned char)text[i]);
        for (int32_t j = i; j < i + k; j++) w->now.from[j] = (at_range){i, i + k};
        i += k;
    }
    w->now.n = n;
    return AT_OK;
}

at_status at_pieces_begin(at_pieces *w, at_ctx *ctx, const char *text, size_t n, const char *what)
{
    w->ctx = ctx;
    w->status = AT_OK;
    w->list.n = w->now.n = 0;
    if (!grow_text(w, (int64_t)(n > AT_TEXT_LIMIT ? AT_TEXT_LIMIT + (int64_t)1 : (int64_t)n)))
        return w->status;
    AT_TRY(take(w, n ? text : "", (int32_t)n, what));
    push(w, (at_piece){{0, (int32_t)n}, 0, -1});
    return w->status;
}

bool at_pieces_are_ascii(const at_pieces *w)
{
    unsigned char any = 0;
    for (int32_t i = 0; i < w->now.n; i++) any |= (unsigned char)w->now.text[i];
    return any < 0x80;
}

/* ---- Rewriting ---- */

static void put(at_pieces *w, const char *bytes, int32_t n, at_range from)
{
    at_lettering *l = &w->now;
    if (w->status != AT_OK || !grow_text(w, (int64_t)l->n + n)) return;
    for (int32_t i = 0; i < n; i++) {
        l->text[l->n + i] = bytes[i];
        l->from[l->n + i] = from;
    }
    l->n += n;
}

/* Read on over the next n characters. */
static void pass(at_pieces *w, int n)
{
    uint32_t code;
    for (; n > 0 && w->read < w->piece->at.end; n--) w->read += at_utf8_next(&code, w->old.text + w->read);
}

void at_emit(at_pieces *w, uint32_t code, int change)
{
    char bytes[4];
    const int32_t before = w->read - 1;
    at_range from = {w->piece->origin, w->piece->origin};
    if (change <= 0 && w->read < w->piece->at.end)
        from = w->old.from[w->read];
    else if (before >= w->piece->at.first)
        from = w->old.from[before];
    if (change <= 0) pass(w, 1 - change);
    put(w, bytes, at_utf8_encode(bytes, code), from);
}

void at_emit_text(at_pieces *w, const char *text, int change)
{
    uint32_t code;
    while (*text) {
        text += at_utf8_next(&code, text);
        at_emit(w, code, change);
    }
}

void at_emit_before(at_pieces *w, const char *text)
{
    put(w, text, (int32_t)strlen(text), w->old.from[w->read]);
}

void at_keep(at_pieces *w, int32_t n)
{
    at_lettering *l = &w->now;
    if (n == 0) return;
    if (w->status == AT_OK && grow_text(w, (int64_t)l->n + n)) {
        memcpy(l->text + l->n, w->old.text + w->read, (size_t)n);
        memcpy(l->from + l->n, w->old.from + w->read, (size_t)n * sizeof *l->from);
        l->n += n;
    }
    w->read += n;
}

void at_drop(at_pieces *w, int32_t n)
{
    w->read += n;
}

void at_pieces_rewrite(at_pieces *w, at_piece_fn fn, const void *params)
{
    if (w->status != AT_OK) return;
    const at_lettering old = w->now;
    w->now = w->old;
    w->old = old;
    w->now.n = 0;
    if (!grow_text(w, old.n)) return;
    for (int64_t i = 0; i < w->list.n && w->status == AT_OK; i++) {
        at_piece *p = &w->list.list[i];
        const int32_t first = w->now.n, n = p->at.end - p->at.first;
        w->piece = p;
        w->read = p->at.first;
        if (p->token < 0)
            fn(w, params, old.text + p->at.first, n);
        else
            at_keep(w, n);
        p->at = (at_range){first, w->now.n};
    }
    if (w->status == AT_OK) w->now.text[w->now.n] = '\0';
}

/* ---- Splitting ---- */

void at_cut_token(at_pieces *w, int32_t first, int32_t end, int32_t token)
{
    if (first >= end || w->status != AT_OK) return;
    first += w->piece->at.first;
    end += w->piece->at.first;
    push(w, (at_piece){{first, end}, w->now.from[first].first, token});
}

void at_cut(at_pieces *w, int32_t first, int32_t end)
{
    at_cut_token(w, first, end, -1);
}

void at_pieces_split(at_pieces *w, at_piece_fn fn, const void *params)
{
    if (w->status != AT_OK) return;
    const at_piece_list past = w->list;
    w->list = w->past;
    w->past = past;
    w->list.n = 0;
    for (int64_t i = 0; i < past.n && w->status == AT_OK; i++) {
        const at_piece *p = w->piece = &past.list[i];
        if (p->token < 0)
            fn(w, params, w->now.text + p->at.first, p->at.end - p->at.first);
        else
            push(w, *p);
    }
}

/* ---- Words that are known ---- */

enum { CACHE_SLOTS = 1 << 14, CACHE_TEXT = 1 << 18, CACHE_FOUND = 1 << 16, CACHE_WORD = 64 };

struct at_cached_word {
    uint64_t hash;
    int32_t text, n_text, found, n_found; /* n_text 0: free */
};

static uint64_t hash_word(const char *text, int32_t n)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (int32_t i = 0; i < n; i++) h = (h ^ (unsigned char)text[i]) * 0x100000001b3u; /* FNV-1a */
    return h ^ h >> 32;
}

void at_pieces_forget(at_pieces *w)
{
    at_word_cache *c = &w->cache;
    c->n_text = c->n_found = 0;
    if (c->slot) memset(c->slot, 0, CACHE_SLOTS * sizeof *c->slot);
}

/* Without memory there is no cache. */
static bool have_cache(at_pieces *w)
{
    at_word_cache *c = &w->cache;
    if (c->slot && c->text && c->found) return true;
    if (!c->slot) c->slot = at_alloc_array(w->ctx, CACHE_SLOTS, sizeof *c->slot);
    if (!c->text) c->text = at_alloc(w->ctx, CACHE_TEXT);
    if (!c->found) c->found = at_alloc_array(w->ctx, CACHE_FOUND, sizeof *c->found);
    if (c->slot && c->text && c->found) return true;
    at_pieces_fail(w, AT_E_NOMEM);
    return false;
}

static void remember(at_pieces *w, uint64_t hash, const char *text, int32_t n, int64_t first)
{
    at_word_cache *c = &w->cache;
    const int32_t n_found = (int32_t)(w->found->n - first);
    if (w->status != AT_OK) return;
    if (c->n_text + n > CACHE_TEXT || c->n_found + n_found > CACHE_FOUND) at_pieces_forget(w);
    c->slot[hash % CACHE_SLOTS] = (struct at_cached_word){hash, c->n_text, n, c->n_found, n_found};
    memcpy(c->text + c->n_text, text, (size_t)n);
    if (n_found) memcpy(c->found + c->n_found, w->found->list + first, (size_t)n_found * sizeof *c->found);
    c->n_text += n;
    c->n_found += n_found;
}

/* What fn finds in a word, by fn or from memory. */
static void find_cached(at_pieces *w, at_piece_fn fn, const void *params, const char *text, int32_t n)
{
    const at_word_cache *c = &w->cache;
    const uint64_t hash = hash_word(text, n);
    const struct at_cached_word *known = &c->slot[hash % CACHE_SLOTS];
    if (known->n_text == n && known->hash == hash && memcmp(c->text + known->text, text, (size_t)n) == 0) {
        for (int32_t i = 0; i < known->n_found; i++) {
            const at_found *f = &c->found[known->found + i];
            at_found_add(w, f->id, f->first, f->end);
        }
        return;
    }
    const int64_t first = w->found->n;
    fn(w, params, text, n);
    remember(w, hash, text, n, first);
}

/* ---- Tokens ---- */

void at_found_add(at_pieces *w, int32_t id, int32_t first, int32_t end)
{
    at_found_list *f = w->found;
    if (w->status == AT_OK && GROW(w, f, list, f->n + 1))
        f->list[f->n++] = (at_found){id, first, end, w->word};
}

/* From places in the piece to places in the original text. */
static void place(at_pieces *w, int64_t first)
{
    const at_range *from = w->now.from + w->piece->at.first;
    for (int64_t i = first; i < w->found->n; i++) {
        at_found *f = &w->found->list[i];
        f->first = from[f->first].first;
        f->end = from[f->end - 1].end;
    }
}

void at_pieces_tokenize(at_pieces *w, at_found_list *found, at_piece_fn fn, const void *params, bool cached)
{
    w->found = found;
    found->n = 0;
    if (cached && !have_cache(w)) return;
    for (int64_t i = 0; i < w->list.n && w->status == AT_OK; i++) {
        const at_piece *p = w->piece = &w->list.list[i];
        const char *text = w->now.text + p->at.first;
        const int32_t n = p->at.end - p->at.first;
        const int64_t first = found->n;
        w->word = (int32_t)i;
        if (p->token >= 0)
            at_found_add(w, p->token, 0, n);
        else if (cached && n <= CACHE_WORD)
            find_cached(w, fn, params, text, n);
        else
            fn(w, params, text, n);
        place(w, first);
    }
}

/* ---- Cutting where something matches ---- */

void at_splitter_begin(at_splitter *s, at_pieces *w, at_behaviour behaviour, bool invert)
{
    *s = (at_splitter){.w = w, .behaviour = behaviour, .invert = invert};
}

static void flush(at_splitter *s)
{
    if (s->holds) at_cut(s->w, s->held.first, s->held.end);
    s->holds = false;
}

static void hold(at_splitter *s, at_range part)
{
    flush(s);
    s->held = part;
    s->holds = true;
}

/* The next part of the piece, a match or what is between matches. */
static void part(at_splitter *s, int32_t first, int32_t end, bool match)
{
    match ^= s->invert;
    bool joins = false; /* what is held */
    switch (s->behaviour) {
    case AT_REMOVED:
        if (!match) at_cut(s->w, first, end);
        return;
    case AT_ISOLATED:
        at_cut(s->w, first, end);
        return;
    case AT_MERGED_WITH_PREVIOUS:
        joins = match && !s->after_match;
        break;
    case AT_MERGED_WITH_NEXT:
        joins = !match && s->after_match;
        break;
    case AT_CONTIGUOUS:
        joins = match == s->after_match;
        break;
    }
    if (joins && s->holds)
        s->held.end = end;
    else
        hold(s, (at_range){first, end});
    s->after_match = match;
}

void at_splitter_match(at_splitter *s, int32_t first, int32_t end)
{
    if (s->at < first) part(s, s->at, first, false);
    part(s, first, end, true);
    s->at = end;
}

void at_splitter_end(at_splitter *s, int32_t n)
{
    if (s->at < n) part(s, s->at, n, false);
    flush(s);
}

void at_split_class(at_pieces *w, const char *text, int32_t n, bool (*is)(uint32_t c), at_behaviour behaviour)
{
    at_splitter s;
    uint32_t code;
    at_splitter_begin(&s, w, behaviour, false);
    for (int32_t i = 0, k; i < n; i += k) {
        k = at_utf8_next(&code, text + i);
        if (is(code)) at_splitter_match(&s, i, i + k);
    }
    at_splitter_end(&s, n);
}
