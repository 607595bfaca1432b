/* encode_fuzz.c: any bytes as text through small tokenizers. Spans lie in the text and between characters; a
 * length is kept; where every byte has a token, the tokens are the text. */
#include "tests/fuzz/tokenizer_fuzz.h"

/* clang-format off */
#define ADDED \
    "'added_tokens': [{'content': '[CLS]', 'special': true, 'lstrip': true, 'rstrip': true}," \
    "                 {'content': 'th', 'normalized': true, 'single_word': true}],"

/* JSON with ' for ". */
static const char wordpiece[] =
    "{" ADDED
    "'normalizer': {'type': 'BertNormalizer'}, 'pre_tokenizer': {'type': 'BertPreTokenizer'},"
    "'post_processor': {'type': 'BertProcessing', 'cls': ['[CLS]', 1], 'sep': ['[CLS]', 1]},"
    "'model': {'type': 'WordPiece', 'vocab': {'[UNK]': 0, '[CLS]': 1, 'a': 2, '##b': 3, '##a': 4, 'th': 5,"
    "          'the': 6, '##\\u00e9': 7, '\\u4f60': 8, '!': 9, 'e': 10, 'ab': 11}}}";

static const char byte_level[] = /* @: the vocabulary of the bytes */
    "{'pre_tokenizer': {'type': 'ByteLevel', 'add_prefix_space': false},"
    "'post_processor': {'type': 'ByteLevel', 'add_prefix_space': false, 'trim_offsets': true},"
    "'model': {'type': 'BPE', 'vocab': {@ 'th': 256, 'the': 257, '\\u0120the': 258, 'aa': 259, 'aaaa': 260},"
    "          'merges': [['t', 'h'], ['th', 'e'], ['\\u0120', 'the'], ['a', 'a'], ['aa', 'aa']]}}";

static const char unigram[] =
    "{" ADDED
    "'normalizer': {'type': 'Sequence', 'normalizers': [{'type': 'NFKC'},"
    "    {'type': 'Replace', 'pattern': {'Regex': ' {2,}'}, 'content': ' '},"
    "    {'type': 'StripAccents'}, {'type': 'Lowercase'}]},"
    "'pre_tokenizer': {'type': 'Metaspace'},"
    "'model': {'type': 'Unigram', 'unk_id': 0, 'vocab': [['<unk>', 0], ['[CLS]', 0], ['\\u2581', -2], ['a', -3],"
    "    ['\\u2581th', -2.5], ['e', -2], ['the', -4], ['aa', -3.5], ['\\u4f60', -7]]}}";
/* clang-format on */

/* ---- Bytes as characters: bytes_to_unicode in GPT-2's encoder.py, written the other way round ---- */

static uint32_t character_of[256];

static void add_vocabulary(at_text *out)
{
    uint32_t next = 0x100;
    for (int b = 0; b < 256; b++) {
        const bool shown = (b > 0x20 && b < 0x7f) || (b > 0xa0 && b != 0xad);
        character_of[b] = shown ? (uint32_t)b : next++;
        at_text_printf(out, "\"\\u%04x\": %d,", (unsigned)character_of[b], b);
    }
}

static void check_bytes(const at_tokenizer *t, const at_encoding *e, const uint8_t *data, size_t size)
{
    size_t at = 0;
    for (int64_t i = 0; i < e->n; i++) {
        uint32_t code;
        for (const char *p = at_tokenizer_token(t, e->ids[i]); *p;) {
            p += at_utf8_decode(&code, p);
            AT_MUST(at < size && character_of[data[at]] == code);
            at++;
        }
    }
    AT_MUST(at == size);
}

/* ---- The target ---- */

/* Cut to each of some lengths; a length that cuts nothing gives the same again. */
static void check_lengths(at_ctx *ctx, const at_tokenizer *t, const char *text, size_t n,
                          const at_encoding *all)
{
    at_encoding e = {0};
    for (int64_t length = 2; length <= 32; length *= 4) {
        AT_MUST(at_tokenizer_encode(ctx, t, &e, text, n, NULL, 0, length, true) == AT_OK);
        AT_MUST(e.n == at_min(length, all->n) && e.truncated == (all->n > length));
        if (!e.truncated && e.n) AT_MUST(memcmp(e.ids, all->ids, (size_t)e.n * sizeof *e.ids) == 0);
        at_fuzz_check(t, &e, text, n);
    }
    at_encoding_deinit(ctx, &e);
}

enum { WORDPIECE, BYTES, UNIGRAM, N };

static at_tokenizer *open_json(const char *json)
{
    at_ctx *ctx = at_fuzz_begin();
    at_tokenizer *t;
    at_text text;
    at_text_init(&text, ctx);
    for (; *json; json++)
        if (*json == '@')
            add_vocabulary(&text);
        else
            at_text_bytes(&text, *json == '\'' ? "\"" : json, 1);
    AT_MUST(at_text_status(&text) == AT_OK);
    const at_fuzz_file file = {"tokenizer.json", text.data, text.size};
    AT_MUST(at_fuzz_open(&t, ctx, &file, 1) == AT_OK);
    at_text_deinit(&text);
    return t;
}

static const at_tokenizer *tokenizer_of(int which)
{
    static at_tokenizer *opened[N]; /* once, for every input */
    static const char *const json[N] = {wordpiece, byte_level, unigram};
    if (!opened[which]) opened[which] = open_json(json[which]);
    return opened[which];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    for (int which = 0; which < N; which++) {
        const at_tokenizer *t = tokenizer_of(which);
        at_ctx *ctx = at_fuzz_begin();
        at_encoding e = {0};
        const at_status status = at_tokenizer_encode(ctx, t, &e, text, size, NULL, 0, 0, true);
        if (status == AT_OK) {
            at_fuzz_check(t, &e, text, size);
            if (which == BYTES) check_bytes(t, &e, data, size);
            check_lengths(ctx, t, text, size, &e);
            AT_MUST(at_fuzz_encode(ctx, t, &e, text, size) == AT_OK);
        }
        at_encoding_deinit(ctx, &e);
        at_fuzz_end(ctx, status);
    }
    return 0;
}
