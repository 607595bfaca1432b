/* conformance_test.c: tokenizers of known models on texts whose ids are known (real data in ATTUNE_DATA). */
#include "formats/file.h"
#include "formats/tree.h"
#include "tests/harness/scene.h"
#include "tests/harness/test.h"
#include "text/tokenizer.h"
#include <stdio.h>
#include <stdlib.h>

#define LLAMA_CPP "data/tokenizer-conformance/llama.cpp/"

typedef struct rig {
    at_ctx *ctx;
    at_arena arena;
    at_tokenizer *t;
    at_encoding e;
} rig;

static void begin(rig *r)
{
    *r = (rig){.ctx = at_test_ctx()};
    at_arena_init(&r->arena, r->ctx);
}

static void end(rig *r)
{
    at_encoding_deinit(r->ctx, &r->e);
    at_tokenizer_close(r->ctx, r->t);
    at_arena_deinit(&r->arena);
    at_test_done(r->ctx);
}

static char *read_file(rig *r, const char *relative, size_t *n)
{
    char path[1024], *text;
    assert_non_null(at_test_data(path, relative));
    at_expect_ok(r->ctx, at_file_read(r->ctx, &text, n, path, 64 << 20));
    char *copy = at_arena_alloc(&r->arena, *n + 1);
    memcpy(copy, text, *n);
    at_free(r->ctx, text);
    return copy;
}

/* ---- Vocabularies in GGUF files (the format: docs/gguf.md of ggml) ---- */

static uint64_t take_number(const char **p, int bytes)
{
    uint64_t x = 0;
    memcpy(&x, *p, (size_t)bytes); /* little-endian, as are we */
    *p += bytes;
    return x;
}

static const char *take_text(const char **p, uint64_t *n)
{
    *n = take_number(p, 8);
    const char *text = *p;
    *p += *n;
    return text;
}

static void skip_value(const char **p, uint64_t kind)
{
    static const int size[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    uint64_t n;
    if (kind == 8) {
        take_text(p, &n);
    } else if (kind == 9) {
        const uint64_t inner = take_number(p, 4);
        for (n = take_number(p, 8); n > 0; n--) skip_value(p, inner);
    } else {
        *p += size[kind];
    }
}

/* llama.cpp marks where words begin; vocab.txt what continues one. */
static void write_token(FILE *f, const char *token, int n)
{
    if (n > 2 && token[0] == '[' && token[n - 1] == ']')
        fprintf(f, "%.*s\n", n, token);
    else if (n > 3 && memcmp(token, "\xe2\x96\x81", 3) == 0)
        fprintf(f, "%.*s\n", n - 3, token + 3);
    else
        fprintf(f, "##%.*s\n", n, token);
}

/* The folder of a WordPiece tokenizer made from a GGUF file. */
static const char *bert_folder(rig *r, char folder[1024])
{
    size_t size;
    const char *p = read_file(r, LLAMA_CPP "ggml-vocab-bert-bge.gguf", &size) + 16;
    FILE *f = fopen(at_arena_printf(&r->arena, "%s/vocab.txt", at_test_folder(folder, "bert")), "w");
    assert_non_null(f);
    for (uint64_t members = take_number(&p, 8); members > 0; members--) {
        uint64_t n;
        const char *key = take_text(&p, &n);
        const bool tokens = n == 21 && memcmp(key, "tokenizer.ggml.tokens", 21) == 0;
        const uint64_t kind = take_number(&p, 4);
        if (!tokens) {
            skip_value(&p, kind);
            continue;
        }
        p += 4; /* texts */
        for (uint64_t count = take_number(&p, 8); count > 0; count--) {
            const char *token = take_text(&p, &n);
            write_token(f, token, (int)n);
        }
    }
    fclose(f);
    return folder;
}

/* ---- llama.cpp's texts ---- */

static void encode(rig *r, const char *text, size_t n, bool special)
{
    at_expect_ok(r->ctx, at_tokenizer_encode(r->ctx, r->t, &r->e, text, n, NULL, 0, 0, special));
}

/* Ids of one line of a .out file; moves on to the next. */
static bool same_line(const rig *r, const char **out)
{
    bool same = true;
    int64_t n = 0;
    while (**out && **out != '\n') {
        char *stop;
        const long id = strtol(*out, &stop, 10);
        same &= n < r->e.n && r->e.ids[n] == id;
        n++;
        *out = stop;
    }
    if (**out) ++*out;
    return same && n == r->e.n;
}

static void check_texts(rig *r, const char *name, int want)
{
    static const char mark[] = "\n__ggml_vocab_test__\n";
    size_t size;
    const char *in = read_file(r, at_arena_printf(&r->arena, LLAMA_CPP "%s.inp", name), &size);
    const char *out = read_file(r, at_arena_printf(&r->arena, LLAMA_CPP "%s.out", name), &size);
    int n = 0, wrong = 0;
    for (const char *stop; (stop = strstr(in, mark)); in = stop + strlen(mark), n++) {
        const char *line = out;
        encode(r, in, (size_t)(stop - in), false);
        if (same_line(r, &out)) continue;
        printf("text %d \"%.*s\"\nwant: %.*s\ngot: ", n, (int)(stop - in), in, (int)(out - line), line);
        for (int64_t i = 0; i < r->e.n; i++) printf(" %d", r->e.ids[i]);
        printf("\n");
        wrong++;
    }
    assert_int_equal(n, want);
    assert_int_equal(wrong, 0);
}

AT_TEST(test_conformance__bert_texts)
{
    char folder[1024];
    if (!at_test_data(folder, "")) AT_SKIP("ATTUNE_DATA is not set");
    rig r;
    begin(&r);
    at_expect_ok(r.ctx, at_tokenizer_open(&r.t, r.ctx, bert_folder(&r, folder)));
    assert_int_equal(at_tokenizer_size(r.t), 30522);
    check_texts(&r, "ggml-vocab-bert-bge.gguf", 46);
    end(&r);
}

static void check_all_reviews(rig *r, const char *name);

/* A folder with copies of real files under other names. */
static void copy_file(rig *r, const char *relative, const char *folder, const char *name)
{
    size_t n;
    const char *bytes = read_file(r, relative, &n);
    at_expect_ok(r->ctx, at_file_write(r->ctx, at_arena_printf(&r->arena, "%s/%s", folder, name), bytes, n));
}

#define CONFORMANCE "data/tokenizer-conformance/"

AT_TEST(test_conformance__gpt2_texts)
{
    char folder[1024];
    if (!at_test_data(folder, "")) AT_SKIP("ATTUNE_DATA is not set");
    rig r;
    begin(&r);
    at_test_folder(folder, "gpt2");
    copy_file(&r, CONFORMANCE "gpt2/encoder.json", folder, "vocab.json");
    copy_file(&r, CONFORMANCE "gpt2/vocab.bpe", folder, "merges.txt");
    at_expect_ok(r.ctx, at_tokenizer_open(&r.t, r.ctx, folder));
    assert_int_equal(at_tokenizer_size(r.t), 50257);
    check_texts(&r, "ggml-vocab-gpt-2.gguf", 46);
    check_all_reviews(&r, "gpt2 reviews");
    end(&r);
}

/* ---- Texts whose ids golden.py has written down ---- */

static void check_golden_texts(rig *r, const char *name, int least)
{
    at_tree *golden;
    at_expect_ok(r->ctx, at_tree_read(&r->arena, &golden, AT_SOURCE_DIR "/src/text/golden_real.json"));
    const at_tree *list = at_tree_get(golden, name);
    assert_non_null(list);
    assert_true(list->n >= least);
    for (const at_tree *c = list->first; c; c = c->next) {
        const char *text = at_tree_get(c, "text")->text;
        const at_tree *want = at_tree_get(c, "ids")->first;
        encode(r, text, strlen(text), true);
        for (int64_t i = 0; i < r->e.n; i++, want = want->next)
            if (!want || want->whole != r->e.ids[i])
                fail_msg("%s: \"%s\": token %lld", name, text, (long long)i);
        assert_null(want);
    }
}

AT_TEST(test_conformance__torchtune)
{
    char folder[1024];
    if (!at_test_data(folder, "")) AT_SKIP("ATTUNE_DATA is not set");
    rig r;
    begin(&r);
    at_test_folder(folder, "torchtune");
    copy_file(&r, CONFORMANCE "torchtune/tiny_bpe_tokenizer.json", folder, "tokenizer.json");
    at_expect_ok(r.ctx, at_tokenizer_open(&r.t, r.ctx, folder));
    check_golden_texts(&r, "torchtune tiny_bpe", 12);
    end(&r);
    begin(&r);
    at_test_folder(folder, "torchtune");
    copy_file(&r, CONFORMANCE "torchtune/tokenizer.json", folder, "tokenizer.json");
    at_expect_ok(r.ctx, at_tokenizer_open(&r.t, r.ctx, folder));
    check_golden_texts(&r, "torchtune", 12);
    end(&r);
}

AT_TEST(test_conformance__stories260k)
{
    char folder[1024];
    if (!at_test_data(folder, "models/stories260k")) AT_SKIP("ATTUNE_DATA is not set");
    rig r;
    begin(&r);
    at_expect_ok(r.ctx, at_tokenizer_open(&r.t, r.ctx, folder));
    check_golden_texts(&r, "stories260k", 12);
    end(&r);
}

AT_TEST(test_conformance__llama_texts)
{
    char folder[1024];
    if (!at_test_data(folder, "")) AT_SKIP("ATTUNE_DATA is not set");
    rig r;
    begin(&r);
    at_test_folder(folder, "llama2");
    copy_file(&r, CONFORMANCE "llama2/tokenizer.model", folder, "tokenizer.model");
    at_expect_ok(r.ctx, at_tokenizer_open(&r.t, r.ctx, folder));
    assert_int_equal(at_tokenizer_size(r.t), 32000);
    check_texts(&r, "ggml-vocab-llama-spm.gguf", 46);
    end(&r);
}

AT_TEST(test_conformance__m_reviews)
{
    char folder[1024];
    if (!at_test_data(folder, "")) AT_SKIP("ATTUNE_DATA is not set");
    rig r;
    begin(&r);
    at_test_folder(folder, "m");
    copy_file(&r, CONFORMANCE "torchtune/m.model", folder, "spiece.model");
    at_expect_ok(r.ctx, at_tokenizer_open(&r.t, r.ctx, folder));
    check_all_reviews(&r, "m reviews");
    end(&r);
}

/* ---- Ids that other programs' own tests expect (expected.json) ---- */

static void check_listed(rig *r, const char *name, const char *ids, bool special, int cases)
{
    char path[1024];
    at_tree *all;
    assert_non_null(at_test_data(path, CONFORMANCE "expected.json"));
    at_expect_ok(r->ctx, at_tree_read(&r->arena, &all, path));
    const at_tree *list = at_tree_get(all, name);
    assert_non_null(list);
    assert_int_equal(list->n, cases);
    for (const at_tree *c = list->first; c; c = c->next) {
        const char *text = at_tree_get(c, "text")->text;
        const at_tree *want = at_tree_get(c, ids)->first;
        encode(r, text, strlen(text), special);
        for (int64_t i = 0; i < r->e.n; i++, want = want->next)
            if (!want || want->whole != r->e.ids[i])
                fail_msg("%s: \"%s\": token %lld", name, text, (long long)i);
        assert_null(want);
    }
}

/* So that <s> stands in front. */
static void write_llama_config(rig *r, const char *folder)
{
    static const char text[] = "{\"tokenizer_class\": \"LlamaTokenizer\"}";
    const char *path = at_arena_printf(&r->arena, "%s/tokenizer_config.json", folder);
    at_expect_ok(r->ctx, at_file_write(r->ctx, path, text, sizeof text - 1));
}

AT_TEST(test_conformance__llama2_prompts)
{
    char folder[1024];
    if (!at_test_data(folder, "")) AT_SKIP("ATTUNE_DATA is not set");
    rig r;
    begin(&r);
    at_test_folder(folder, "llama2-prompts");
    copy_file(&r, CONFORMANCE "llama2/tokenizer.model", folder, "tokenizer.model");
    write_llama_config(&r, folder);
    at_expect_ok(r.ctx, at_tokenizer_open(&r.t, r.ctx, folder));
    check_listed(&r, "llama2/tokenizer.model and tokenizer.bin (from llama2.c test.c)", "ids_with_bos", true,
                 5);
    end(&r);
}

AT_TEST(test_conformance__torchtune_sentencepiece)
{
    char folder[1024];
    if (!at_test_data(folder, "")) AT_SKIP("ATTUNE_DATA is not set");
    rig r;
    begin(&r);
    at_test_folder(folder, "torchtune-m");
    copy_file(&r, CONFORMANCE "torchtune/m.model", folder, "tokenizer.model");
    at_expect_ok(r.ctx, at_tokenizer_open(&r.t, r.ctx, folder));
    assert_int_equal(at_tokenizer_size(r.t), 2000);
    assert_int_equal(at_tokenizer_id(r.t, "<s>"), 1);
    assert_int_equal(at_tokenizer_id(r.t, "</s>"), 2);
    check_listed(&r, "torchtune/m.model (test_sentencepiece.py)", "ids", false, 1);
    end(&r);
}

/* ---- tiktoken's files: "BASE64 RANK" a line; the pair whose whole has the least rank is merged first ----
 */

enum { RANKS = 2000, TOKEN_BYTES = 128 };

typedef struct ranks {
    struct {
        unsigned char bytes[TOKEN_BYTES];
        int n;
    } token[RANKS];
    int n;
} ranks;

static int decode_base64(unsigned char *out, const char *text, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned bits = 0;
    int n = 0, held = 0;
    for (size_t i = 0; i < size && text[i] != '='; i++) {
        bits = bits << 6 | (unsigned)(strchr(digits, text[i]) - digits);
        held += 6;
        if (held < 8) continue;
        held -= 8;
        out[n++] = (unsigned char)(bits >> held);
    }
    return n;
}

static void read_ranks(ranks *k, const char *text)
{
    for (k->n = 0; *text; k->n++) {
        const size_t n = strcspn(text, " ");
        assert_true(k->n < RANKS && n < TOKEN_BYTES);
        assert_int_equal(atoi(text + n), k->n);
        k->token[k->n].n = decode_base64(k->token[k->n].bytes, text, n);
        text += strcspn(text, "\n");
        text += *text == '\n';
    }
}

static bool has_token(const ranks *k, const unsigned char *bytes, int n)
{
    for (int i = 0; i < k->n; i++)
        if (k->token[i].n == n && memcmp(k->token[i].bytes, bytes, (size_t)n) == 0) return true;
    return false;
}

/* Bytes as GPT-2 writes them: itself where it is printable, else the next character from U+0100 on. */
static void write_bytes(FILE *f, const unsigned char *bytes, int n)
{
    for (int i = 0; i < n; i++) {
        int other = 0;
        for (int b = 0; b < bytes[i]; b++) other += b < '!' || (b > '~' && b < 0xa1) || b == 0xad;
        const int b = bytes[i], plain = !(b < '!' || (b > '~' && b < 0xa1) || b == 0xad);
        fprintf(f, "\\u%04x", plain ? b : 0x100 + other);
    }
}

static void write_merges(FILE *f, const ranks *k)
{
    bool some = false;
    for (int i = 0; i < k->n; i++)
        for (int cut = 1; cut < k->token[i].n; cut++) {
            const unsigned char *left = k->token[i].bytes, *right = left + cut;
            if (!has_token(k, left, cut) || !has_token(k, right, k->token[i].n - cut)) continue;
            fprintf(f, "%s[\"", some ? "," : "");
            write_bytes(f, left, cut);
            fprintf(f, "\",\"");
            write_bytes(f, right, k->token[i].n - cut);
            fprintf(f, "\"]");
            some = true;
        }
}

/* The same as tokenizer.json, with the pattern of GPT-4 (cl100k_base in tiktoken). */
static void write_tiktoken(const ranks *k, const char *path)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fprintf(f,
            "{\"pre_tokenizer\": {\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"Split\", "
            "\"behavior\": \"Isolated\", \"invert\": false, \"pattern\": {\"Regex\": \"%s\"}}, "
            "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"use_regex\": false}]}, "
            "\"model\": {\"type\": \"BPE\", \"vocab\": {",
            "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|\\\\p{N}{1,3}| "
            "?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+");
    for (int i = 0; i < k->n; i++) {
        fprintf(f, "%s\"", i ? "," : "");
        write_bytes(f, k->token[i].bytes, k->token[i].n);
        fprintf(f, "\":%d", i);
    }
    fprintf(f, "}, \"merges\": [");
    write_merges(f, k);
    fprintf(f, "]}}");
    fclose(f);
}

AT_TEST(test_conformance__tiktoken)
{
    char folder[1024];
    size_t size;
    if (!at_test_data(folder, "")) AT_SKIP("ATTUNE_DATA is not set");
    rig r;
    begin(&r);
    ranks *k = at_arena_alloc(&r.arena, sizeof *k);
    read_ranks(k, read_file(&r, CONFORMANCE "torchtune/tiktoken_small.model", &size));
    assert_int_equal(k->n, RANKS);
    write_tiktoken(k, at_arena_printf(&r.arena, "%s/tokenizer.json", at_test_folder(folder, "tiktoken")));
    at_expect_ok(r.ctx, at_tokenizer_open(&r.t, r.ctx, folder));
    check_listed(&r, "torchtune/tiktoken_small.model, cl100k pattern (test_tiktoken.py)", "ids", false, 1);
    end(&r);
}

/* ---- stories260k: tokenizer.model gives what tokenizer.json gives ---- */

static void encode_both(rig *r, rig *model, const char *text, size_t n)
{
    encode(r, text, n, true);
    encode(model, text, n, true);
    assert_int_equal(r->e.ids[0], 1); /* <s> */
    if (model->e.n != r->e.n || memcmp(model->e.ids, r->e.ids, (size_t)r->e.n * sizeof *r->e.ids) != 0)
        fail_msg("\"%.*s\" differs", (int)n, text);
}

AT_TEST(test_conformance__stories260k_model)
{
    static const char mark[] = "\n__ggml_vocab_test__\n";
    char folder[1024];
    size_t size;
    int n = 0;
    if (!at_test_data(folder, "models/stories260k")) AT_SKIP("ATTUNE_DATA is not set");
    rig r, model;
    begin(&r);
    begin(&model);
    at_expect_ok(r.ctx, at_tokenizer_open(&r.t, r.ctx, folder));
    at_test_folder(folder, "stories260k");
    copy_file(&model, "models/stories260k/tokenizer.model", folder, "tokenizer.model");
    write_llama_config(&model, folder);
    at_expect_ok(model.ctx, at_tokenizer_open(&model.t, model.ctx, folder));
    assert_int_equal(at_tokenizer_size(model.t), 512);
    check_golden_texts(&model, "stories260k", 12);
    const char *in = read_file(&r, LLAMA_CPP "ggml-vocab-llama-spm.gguf.inp", &size);
    for (const char *stop; (stop = strstr(in, mark)); in = stop + strlen(mark), n++)
        encode_both(&r, &model, in, (size_t)(stop - in));
    assert_int_equal(n, 46);
    end(&model);
    end(&r);
}

/* ---- 20,662 sentences of film reviews ---- */

typedef struct reviews {
    at_digest digest;
    int64_t n, line;
    const at_tree *golden;
} reviews;

static void check_line(rig *r, reviews *v)
{
    char number[24];
    snprintf(number, sizeof number, "%lld", (long long)v->line++);
    const at_tree *want = at_tree_get(at_tree_get(v->golden, "lines"), number);
    const at_tree *c = want ? want->first : NULL;
    at_digest_add(&v->digest, r->e.ids, (size_t)r->e.n * sizeof *r->e.ids);
    v->n += r->e.n;
    if (!want) return;
    for (int64_t i = 0; i < r->e.n; i++, c = c->next)
        if (!c || c->whole != r->e.ids[i]) fail_msg("line %s, token %lld differs", number, (long long)i);
    assert_null(c);
}

/* The files are Latin-1. */
static void check_reviews(rig *r, reviews *v, const char *relative)
{
    size_t size;
    const char *text = read_file(r, relative, &size), *stop = text + size;
    at_text line;
    at_text_init(&line, r->ctx);
    while (text < stop) {
        line.size = 0;
        for (; text < stop && *text != '\n'; text++) {
            char utf8[4];
            at_text_bytes(&line, utf8, (size_t)at_utf8_encode(utf8, (unsigned char)*text));
        }
        text++;
        encode(r, line.size ? line.data : "", line.size, true);
        check_line(r, v);
    }
    at_text_deinit(&line);
}

static void check_all_reviews(rig *r, const char *name)
{
    reviews v = {.n = 0};
    at_tree *golden;
    uint8_t bytes[AT_DIGEST_BYTES];
    char hex[AT_DIGEST_TEXT];
    at_expect_ok(r->ctx, at_tree_read(&r->arena, &golden, AT_SOURCE_DIR "/src/text/golden_real.json"));
    v.golden = at_tree_get(golden, name);
    at_digest_init(&v.digest);
    check_reviews(r, &v, "data/text-mr-polarity/rt-polarity.all");
    check_reviews(r, &v, "data/text-mr-polarity/subj.all");
    assert_int_equal(v.line, 20662);
    assert_int_equal(v.n, at_tree_get(v.golden, "n")->whole);
    at_digest_end(&v.digest, bytes);
    at_digest_hex(hex, bytes);
    assert_string_equal(hex, at_tree_get(v.golden, "sha256")->text);
}

AT_TEST(test_conformance__bert_reviews)
{
    char folder[1024];
    if (!at_test_data(folder, "")) AT_SKIP("ATTUNE_DATA is not set");
    rig r;
    begin(&r);
    at_expect_ok(r.ctx, at_tokenizer_open(&r.t, r.ctx, bert_folder(&r, folder)));
    check_all_reviews(&r, "bert reviews");
    end(&r);
}

/* ---- MiniLM ---- */

static void check_minilm(rig *r, const at_tree *text)
{
    const char *bytes = at_tree_get(text, "text")->text;
    const at_tree *c = at_tree_get(text, "ids")->first;
    const int64_t whole = at_tree_get(text, "untruncated_length")->whole;
    at_expect_ok(r->ctx, at_tokenizer_encode(r->ctx, r->t, &r->e, bytes, strlen(bytes), NULL, 0, 128, true));
    assert_int_equal(r->e.n, at_tree_get(text, "ids")->n);
    assert_int_equal(r->e.truncated, whole > 128);
    for (int64_t i = 0; i < r->e.n; i++, c = c->next) assert_int_equal(r->e.ids[i], c->whole);
}

AT_TEST(test_conformance__minilm)
{
    char path[1024];
    const char *folder = getenv("ATTUNE_MINILM");
    if (!at_test_data(path, "models/minilm-l6-v2-expected/expected.json")) AT_SKIP("ATTUNE_DATA is not set");
    if (!folder || !*folder) AT_SKIP("ATTUNE_MINILM is not set");
    rig r;
    at_tree *expected;
    begin(&r);
    at_expect_ok(r.ctx, at_tokenizer_open(&r.t, r.ctx, folder));
    at_expect_ok(r.ctx, at_tree_read(&r.arena, &expected, path));
    assert_int_equal(at_tree_get(expected, "texts")->n, 8);
    for (const at_tree *c = at_tree_get(expected, "texts")->first; c; c = c->next) check_minilm(&r, c);
    check_all_reviews(&r, "bert reviews"); /* the same vocabulary, by tokenizer.json */
    end(&r);
}
