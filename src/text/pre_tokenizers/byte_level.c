/* ByteLevel: words by GPT-2's pattern (use_regex), then every byte becomes a printable character. */
#include "text/bytes.h"
#include "text/kinds.h"

typedef struct byte_level {
    bool prefix_space;
    at_regex *words; /* NULL: pieces stay whole */
} byte_level;

/* GPT-2's encoder.py. */
static const char pattern[] =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

static at_status parse(const at_section *s, void *params)
{
    byte_level *p = params;
    bool words;
    AT_TRY(at_section_flag(s, &p->prefix_space, "add_prefix_space", true));
    AT_TRY(at_section_flag(s, &words, "use_regex", true));
    return words ? at_section_regex(s, &p->words, pattern) : AT_OK;
}

static void put_space(at_pieces *w, const void *params, const char *text, int32_t n)
{
    (void)params;
    if (n && *text != ' ') at_emit_before(w, " ");
    at_keep(w, n);
}

static void split(at_pieces *w, const void *params, const char *text, int32_t n)
{
    const byte_level *p = params;
    at_split_regex(w, p->words, text, n, AT_ISOLATED, false);
}

static void apply(const void *params, at_pieces *w)
{
    const byte_level *p = params;
    if (p->prefix_space) at_pieces_rewrite(w, put_space, NULL);
    if (p->words) at_pieces_split(w, split, p);
    at_apply_bytes(w);
}

const at_pre_tokenizer at_pre_tokenizer_byte_level = {
    .name = "ByteLevel",
    .doc = "GPT-2's words, as bytes",
    .size = sizeof(byte_level),
    .parse = parse,
    .apply = apply,
};
