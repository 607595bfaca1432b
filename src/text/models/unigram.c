/* Unigram: of all ways to cut a word into tokens the one whose scores (logarithms of probabilities) have the
 * largest sum, by Viterbi's algorithm. A character that no token covers costs 10 more than the worst token;
 * a run of them is one unknown token, or its bytes as <0xE4> with byte_fallback. (Kudo 2018; as the model of
 * Hugging Face's `tokenizers` and SentencePiece's EncodeOptimized.) */
#include "text/kinds.h"
#include <math.h>
#include <stdio.h>

typedef struct unigram {
    const at_vocab *vocab;
    double *score;   /* by id; NaN = never found in a text */
    int64_t n;       /* scores */
    int32_t longest; /* token, in bytes */
    double unknown_score;
    int32_t unknown;   /* -1 = none */
    int32_t byte[256]; /* with byte_fallback; -1 = none */
} unigram;

/* ---- Reading: "vocab" is a list of [token, score], its place the id ---- */

static at_status more_scores(const at_section *s, unigram *p, int64_t *room)
{
    const int64_t more = at_max(1024, 2 * *room);
    double *score = at_arena_alloc(s->arena, (size_t)more * sizeof *score);
    if (!score) return AT_E_NOMEM;
    if (p->n) memcpy(score, p->score, (size_t)p->n * sizeof *score);
    p->score = score;
    *room = more;
    return AT_OK;
}

static at_status read_token(const at_section *s, unigram *p, at_json_scan *j, int64_t *room)
{
    const char *text;
    size_t n;
    double score;
    bool more, taken;
    AT_TRY(at_json_scan_enter(j, '['));
    AT_TRY(at_json_scan_next(j, &more, ']'));
    AT_TRY(at_json_scan_string(j, &text, &n));
    if (p->n == AT_VOCAB_LIMIT) return at_json_scan_fail(j, "more than %d tokens", AT_VOCAB_LIMIT);
    AT_TRY(at_vocab_add(at_section_vocab(s), text, n, p->n, &taken));
    if (taken)
        return at_json_scan_fail(j, "the token \"%.*s\" is there twice, as %d and %lld",
                                 n < 100 ? (int)n : 100, text, at_vocab_find(p->vocab, text, n),
                                 (long long)p->n);
    AT_TRY(at_json_scan_next(j, &more, ']'));
    AT_TRY(at_json_scan_number(j, &score));
    AT_TRY(at_json_scan_next(j, &more, ']'));
    if (more) return at_json_scan_fail(j, "a token must be [text, score]");
    if (p->n == *room) AT_TRY(more_scores(s, p, room));
    p->score[p->n++] = score;
    return AT_OK;
}

static at_status read_vocabulary(const at_section *s, unigram *p)
{
    at_json_scan j;
    bool more;
    int64_t room = 0;
    AT_TRY(at_model_scan(&j, s, "vocab"));
    at_status status = at_json_scan_enter(&j, '[');
    while (status == AT_OK && (status = at_json_scan_next(&j, &more, ']')) == AT_OK && more)
        status = read_token(s, p, &j, &room);
    at_json_scan_deinit(&j);
    return status;
}

static void prepare(unigram *p, bool fallback)
{
    double least = INFINITY;
    for (int64_t id = 0; id < p->n; id++) {
        if (p->score[id] < least) least = p->score[id];
        const char *token = p->vocab->token[id];
        if (token) p->longest = (int32_t)at_max(p->longest, (int64_t)strlen(token));
    }
    p->unknown_score = least - 10.0;
    for (int b = 0; b < 256; b++) {
        char name[8];
        snprintf(name, sizeof name, "<0x%02X>", (unsigned)b);
        p->byte[b] = fallback ? at_vocab_find(p->vocab, name, 6) : -1;
    }
}

static at_status parse(const at_section *s, void *params)
{
    unigram *p = params;
    bool fallback;
    int64_t unknown;
    p->vocab = at_section_vocab(s);
    AT_TRY(at_section_flag(s, &fallback, "byte_fallback", false));
    if (s->source && s->source->scores) { /* the vocabulary is there */
        p->score = s->source->scores;
        p->n = p->vocab->size;
    } else {
        AT_TRY(read_vocabulary(s, p));
    }
    AT_REQUIRE(s->ctx, p->n > 0, AT_E_FORMAT, "%s: the vocabulary is empty", s->where);
    AT_TRY(at_section_whole(s, &unknown, "unk_id", -1, p->n - 1, -1));
    p->unknown = (int32_t)unknown;
    prepare(p, fallback);
    return AT_OK;
}

/* ---- One word ---- */

typedef struct node { /* the best way to get to a byte */
    double score;
    int32_t id, from; /* its last token; from -1 = no way yet */
} node;

static void reach(node *to, double score, int32_t id, int32_t from)
{
    if (to->from < 0 || score > to->score) *to = (node){score, id, from};
}

static void walk_from(const unigram *p, node *best, const char *text, int32_t at, int32_t n)
{
    uint32_t code;
    const int32_t one = at_utf8_next(&code, text + at);
    const int32_t most = (int32_t)at_min(n - at, p->longest);
    const double here = best[at].score;
    uint64_t hash = at_vocab_hash_start();
    bool covered = false;
    for (int32_t k = 1; k <= most; k++) {
        hash = at_vocab_hash(hash, text + at + k - 1, 1);
        if (((unsigned char)text[at + k] & 0xc0) == 0x80 && at + k < n) continue; /* inside a character */
        const int32_t id = at_vocab_find_joined(p->vocab, hash, "", 0, text + at, (size_t)k);
        if (id < 0 || isnan(p->score[id])) continue;
        reach(&best[at + k], here + p->score[id], id, at);
        covered |= k == one;
    }
    if (!covered) reach(&best[at + one], here + p->unknown_score, p->unknown, at);
}

/* What the vocabulary has not, though it may have the whole run of it. */
static void add_unknown(at_pieces *w, const unigram *p, const char *text, int32_t first, int32_t end)
{
    const int32_t id = at_vocab_find(p->vocab, text + first, (size_t)(end - first));
    bool bytes = id < 0;
    for (int32_t i = first; i < end; i++) bytes &= p->byte[(unsigned char)text[i]] >= 0;
    if (id < 0 && !bytes && p->unknown < 0) {
        at_pieces_fail(w, at_fail(w->ctx, AT_E_FORMAT,
                                  "the tokenizer has no token for \"%.*s\", and no unknown token (unk_id)",
                                  end - first < 100 ? (int)(end - first) : 100, text + first));
        return;
    }
    if (!bytes) at_found_add(w, id >= 0 ? id : p->unknown, first, end);
    for (int32_t i = first; bytes && i < end; i++)
        at_found_add(w, p->byte[(unsigned char)text[i]], first, end);
}

static void tokenize(at_pieces *w, const void *params, const char *text, int32_t n)
{
    const unigram *p = params;
    node *best = at_pieces_scratch(w, ((size_t)n + 1) * sizeof *best);
    if (!best) return;
    for (int32_t i = 0; i <= n; i++) best[i] = (node){0.0, -1, -1};
    uint32_t code;
    for (int32_t i = 0; i < n; i += at_utf8_next(&code, text + i)) walk_from(p, best, text, i, n);
    /* turn the way round: from[end] becomes end[from] */
    for (int32_t end = n, next = -1; end > 0;) {
        const int32_t from = best[end].from;
        best[end].from = next;
        next = end;
        if (from == 0) best[0].from = next;
        end = from;
    }
    for (int32_t at = 0; at < n;) {
        int32_t end = best[at].from;
        const int32_t id = best[end].id;
        if (id != p->unknown) {
            at_found_add(w, id, at, end);
        } else {
            while (p->unknown >= 0 && end < n && best[best[end].from].id == p->unknown) end = best[end].from;
            add_unknown(w, p, text, at, end);
        }
        at = end;
    }
}

const at_token_model at_token_model_unigram = {
    .name = "Unigram",
    .doc = "the most probable way to cut a word",
    .size = sizeof(unigram),
    .parse = parse,
    .tokenize = tokenize,
    .cached = true,
};
