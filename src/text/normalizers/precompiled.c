/* Precompiled: SentencePiece's table of characters and what they become: a double-array trie over their bytes
 * (darts-clone), then the results, NUL-terminated. Like Hugging Face's `tokenizers`, whole graphemes of up to
 * 5 bytes are looked up first, then single characters, and the shortest entry that one begins with counts. */
#include "text/kinds.h"
#include <utf8proc.h>

typedef struct precompiled {
    const uint32_t *unit; /* the trie; NULL = the table is empty */
    uint32_t n_units;
    const char *results;
    uint32_t n_results;
} precompiled;

/* ---- Reading ---- */

static int sextet(char c)
{
    return c >= 'A' && c <= 'Z'   ? c - 'A'
           : c >= 'a' && c <= 'z' ? c - 'a' + 26
           : c >= '0' && c <= '9' ? c - '0' + 52
           : c == '+'             ? 62
           : c == '/'             ? 63
                                  : -1;
}

/* Base64 (RFC 4648): the number of bytes, or -1. */
static int64_t decode_base64(unsigned char *out, const char *text)
{
    int64_t n = 0;
    uint32_t bits = 0;
    int have = 0;
    for (; *text && *text != '='; text++) {
        const int six = sextet(*text);
        if (six < 0) return -1;
        bits = bits << 6 | (uint32_t)six;
        have += 6;
        if (have >= 8) out[n++] = (unsigned char)(bits >> (have -= 8));
    }
    return strspn(text, "=") == strlen(text) ? n : -1;
}

static uint32_t little_endian(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static at_status parse(const at_section *s, void *params)
{
    precompiled *p = params;
    const char *text;
    AT_TRY(at_section_text(s, &text, "precompiled_charsmap", ""));
    if (!*text) return AT_OK;
    unsigned char *bytes = at_arena_alloc(s->arena, strlen(text) + 1);
    if (!bytes) return AT_E_NOMEM;
    const int64_t n = decode_base64(bytes, text);
    const int64_t trie = n < 4 ? -1 : (int64_t)little_endian(bytes);
    AT_REQUIRE(s->ctx, trie > 0 && trie % 4 == 0 && trie < n - 4 && bytes[n - 1] == 0, AT_E_FORMAT,
               "%s: precompiled_charsmap is no table in base64 of a trie and its results", s->where);
    uint32_t *unit = at_arena_alloc(s->arena, (size_t)trie);
    if (!unit) return AT_E_NOMEM;
    p->n_units = (uint32_t)(trie / 4);
    for (uint32_t i = 0; i < p->n_units; i++) unit[i] = little_endian(bytes + 4 + 4 * (int64_t)i);
    p->unit = unit;
    p->results = (const char *)bytes + 4 + trie;
    p->n_results = (uint32_t)(n - 4 - trie);
    for (uint32_t i = 0; i < p->n_results;) { /* valid UTF-8, so that what they are put into stays it */
        uint32_t code;
        const int k = at_utf8_decode(&code, p->results + i);
        AT_REQUIRE(s->ctx, k > 0, AT_E_FORMAT, "%s: precompiled_charsmap: a result is not valid UTF-8",
                   s->where);
        i += (uint32_t)k;
    }
    return AT_OK;
}

/* ---- Looking up (the layout of a unit: darts-clone's darts.h) ---- */

static uint32_t offset(uint32_t unit)
{
    return (unit >> 10) << ((unit & (1u << 9)) >> 6);
}

/* What the shortest entry becomes that the text begins with; NULL = there is none. */
static const char *look_up(const precompiled *p, const char *text, int32_t n)
{
    uint32_t at = offset(p->unit[0]);
    for (int32_t i = 0; i < n && text[i]; i++) {
        const uint32_t byte = (unsigned char)text[i];
        at ^= byte;
        if (at >= p->n_units || (p->unit[at] & (1u << 31 | 0xff)) != byte) return NULL;
        const bool leaf = p->unit[at] >> 8 & 1;
        at ^= offset(p->unit[at]);
        if (at >= p->n_units) return NULL;
        if (!leaf) continue;
        const uint32_t result = p->unit[at] & 0x7fffffff;
        return result < p->n_results && (result == 0 || ((unsigned char)p->results[result] & 0xc0) != 0x80)
                   ? p->results + result
                   : NULL;
    }
    return NULL;
}

static int count(const char *text, int32_t n)
{
    int characters = 0;
    for (int32_t i = 0; i < n; i++) characters += ((unsigned char)text[i] & 0xc0) != 0x80;
    return characters;
}

/* Old characters become new ones, one by one; what is over is new, or goes with the last. */
static void replace(at_pieces *w, const char *new, int32_t n_old, int old)
{
    const int fresh = count(new, (int32_t)strlen(new));
    if (fresh == 0) at_drop(w, n_old);
    for (int i = 0; i < fresh; i++) {
        uint32_t code;
        new += at_utf8_next(&code, new);
        const int change = fresh > old ? i >= old : i == fresh - 1 ? fresh - old : 0;
        at_emit(w, code, change);
    }
}

static int32_t grapheme_end(const char *text, int32_t at, int32_t n)
{
    uint32_t before, code;
    utf8proc_int32_t state = 0;
    int32_t end = at + at_utf8_next(&before, text + at);
    while (end < n) {
        const int k = at_utf8_next(&code, text + end);
        if (utf8proc_grapheme_break_stateful((utf8proc_int32_t)before, (utf8proc_int32_t)code, &state)) break;
        before = code;
        end += k;
    }
    return end;
}

static void rewrite(at_pieces *w, const void *params, const char *text, int32_t n)
{
    const precompiled *p = params;
    uint32_t code;
    for (int32_t at = 0, end; at < n; at = end) {
        end = grapheme_end(text, at, n);
        const char *whole = end - at < 6 ? look_up(p, text + at, end - at) : NULL;
        if (whole) {
            replace(w, whole, end - at, count(text + at, end - at));
            continue;
        }
        for (int32_t i = at, k; i < end; i += k) {
            k = at_utf8_next(&code, text + i);
            const char *one = look_up(p, text + i, k);
            if (one)
                replace(w, one, k, 1);
            else
                at_keep(w, k);
        }
    }
}

static void apply(const void *params, at_pieces *w)
{
    const precompiled *p = params;
    if (p->unit) at_pieces_rewrite(w, rewrite, p);
}

const at_normalizer at_normalizer_precompiled = {
    .name = "Precompiled",
    .doc = "SentencePiece's table of characters",
    .size = sizeof(precompiled),
    .parse = parse,
    .apply = apply,
};
