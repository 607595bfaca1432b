/* WordPiece: the longest token that a word begins with, then the longest that goes on behind it with the
 * prefix of continuations ("##"), and so on; a word of which no part is left to go on is the unknown token.
 * (BERT: Devlin et al. 2019; FullTokenizer's WordpieceTokenizer.) */
#include "text/kinds.h"

typedef struct wordpiece {
    const at_vocab *vocab;
    const char *prefix;
    size_t n_prefix;
    uint64_t hash_prefix;
    int32_t unknown;
    int64_t max_chars; /* longer words are unknown */
} wordpiece;

static at_status parse(const at_section *s, void *params)
{
    wordpiece *p = params;
    const char *unknown;
    AT_TRY(at_section_text(s, &unknown, "unk_token", "[UNK]"));
    AT_TRY(at_section_text(s, &p->prefix, "continuing_subword_prefix", "##"));
    AT_TRY(at_section_whole(s, &p->max_chars, "max_input_chars_per_word", 0, INT32_MAX, 100));
    AT_TRY(at_model_vocab(s));
    p->vocab = at_section_vocab(s);
    p->n_prefix = strlen(p->prefix);
    p->hash_prefix = at_vocab_hash(at_vocab_hash_start(), p->prefix, p->n_prefix);
    p->unknown = at_vocab_find(p->vocab, unknown, strlen(unknown));
    AT_REQUIRE(
        s->ctx, p->unknown >= 0, AT_E_FORMAT,
        "%s: the unknown token \"%s\" is not in the vocabulary of %lld; take the vocabulary that belongs "
        "to the checkpoint",
        s->where, unknown, (long long)p->vocab->n);
    return AT_OK;
}

/* Longest token at `at`: hashes of all beginnings from one pass, tried from the longest. */
static int32_t longest(const wordpiece *p, const char *text, int32_t at, int32_t n, uint64_t *hash,
                       int32_t *end)
{
    const bool first = at == 0;
    hash[0] = first ? at_vocab_hash_start() : p->hash_prefix;
    for (int32_t i = at; i < n; i++) hash[i - at + 1] = at_vocab_hash(hash[i - at], text + i, 1);
    for (*end = n; *end > at; --*end) {
        if (((unsigned char)text[*end] & 0xc0) == 0x80 && *end < n) continue; /* inside a character */
        const int32_t id = at_vocab_find_joined(p->vocab, hash[*end - at], p->prefix, first ? 0 : p->n_prefix,
                                                text + at, (size_t)(*end - at));
        if (id >= 0) return id;
    }
    return -1;
}

static int64_t count_chars(const char *text, int32_t n)
{
    int64_t count = 0;
    for (int32_t i = 0; i < n; i++) count += ((unsigned char)text[i] & 0xc0) != 0x80;
    return count;
}

static void tokenize(at_pieces *w, const void *params, const char *text, int32_t n)
{
    const wordpiece *p = params;
    const int64_t before = w->found->n;
    if (count_chars(text, n) > p->max_chars) {
        at_found_add(w, p->unknown, 0, n);
        return;
    }
    uint64_t *hash = at_pieces_scratch(w, ((size_t)n + 1) * sizeof *hash);
    if (!hash) return;
    for (int32_t at = 0, end; at < n; at = end) {
        const int32_t id = longest(p, text, at, n, hash, &end);
        if (id < 0) { /* what was found before does not count */
            w->found->n = before;
            at_found_add(w, p->unknown, 0, n);
            return;
        }
        at_found_add(w, id, at, end);
    }
}

const at_token_model at_token_model_wordpiece = {
    .name = "WordPiece",
    .doc = "longest beginnings from the left",
    .size = sizeof(wordpiece),
    .parse = parse,
    .tokenize = tokenize,
    .cached = true,
};
