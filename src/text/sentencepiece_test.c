/* sentencepiece_test.c: SentencePiece's own files against SentencePiece (golden.py), and what is refused. */
#include "formats/file.h"
#include "formats/protobuf.h"
#include "formats/tree.h"
#include "tests/harness/scene.h"
#include "tests/harness/test.h"
#include "tests/harness/torture.h"
#include "text/tokenizer.h"
#include <stdio.h>

static size_t decode_base64(char *out, const char *text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits = 0;
    size_t n = 0;
    for (int have = 0; *text && *text != '='; text++) {
        bits = bits << 6 | (uint32_t)(strchr(digits, *text) - digits);
        have += 6;
        if (have >= 8) out[n++] = (char)(bits >> (have -= 8));
    }
    return n;
}

typedef struct rig {
    at_ctx *ctx;
    at_arena arena;
    const at_tree *golden;
    char folder[1024];
    char *model; /* the file */
    size_t n_model;
} rig;

static void begin(rig *r, const char *file)
{
    at_tree *golden;
    r->ctx = at_test_ctx();
    at_arena_init(&r->arena, r->ctx);
    at_expect_ok(r->ctx,
                 at_tree_read(&r->arena, &golden, AT_SOURCE_DIR "/src/text/golden_sentencepiece.json"));
    r->golden = golden;
    at_test_folder(r->folder, file);
}

static void end(rig *r)
{
    at_arena_deinit(&r->arena);
    at_test_done(r->ctx);
}

/* A golden's file, written under a name. */
static const at_tree *put_model(rig *r, const char *name, const char *file)
{
    const at_tree *g = at_tree_get(r->golden, name);
    assert_non_null(g);
    const char *base64 = at_tree_get(g, "model")->text;
    r->model = at_arena_alloc(&r->arena, strlen(base64));
    r->n_model = decode_base64(r->model, base64);
    at_expect_ok(r->ctx, at_file_write(r->ctx, at_arena_printf(&r->arena, "%s/%s", r->folder, file), r->model,
                                       r->n_model));
    return g;
}

static bool check_text(rig *r, const at_tokenizer *t, at_encoding *e, const at_tree *want)
{
    const char *text = at_tree_get(want, "text")->text;
    const at_tree *c = at_tree_get(want, "ids")->first;
    at_expect_ok(r->ctx, at_tokenizer_encode(r->ctx, t, e, text, strlen(text), NULL, 0, 0, true));
    int64_t i = 0;
    for (; i < e->n && c && c->whole == e->ids[i]; c = c->next) i++;
    if (i == e->n && !c) return true;
    printf("\"%s\"\nwant:", text);
    for (c = at_tree_get(want, "ids")->first; c; c = c->next)
        printf(" %lld=%s", (long long)c->whole, at_tokenizer_token(t, (int32_t)c->whole));
    printf("\ngot: ");
    for (i = 0; i < e->n; i++) printf(" %d=%s", e->ids[i], at_tokenizer_token(t, e->ids[i]));
    printf("\n");
    return false;
}

static void check_model(const char *name, const char *file)
{
    rig r;
    at_tokenizer *t;
    at_encoding e = {0};
    int wrong = 0;
    begin(&r, "sentencepiece");
    const at_tree *g = put_model(&r, name, file);
    at_expect_ok(r.ctx, at_tokenizer_open(&t, r.ctx, r.folder));
    assert_true(at_tree_get(g, "encodings")->n > 10);
    for (const at_tree *c = at_tree_get(g, "encodings")->first; c; c = c->next)
        wrong += !check_text(&r, t, &e, c);
    assert_int_equal(wrong, 0);
    at_encoding_deinit(r.ctx, &e);
    at_tokenizer_close(r.ctx, t);
    end(&r);
}

AT_TEST(test_sentencepiece__unigram)
{
    check_model("unigram", "spiece.model");
}

AT_TEST(test_sentencepiece__unigram_with_bytes)
{
    check_model("unigram bytes", "tokenizer.model");
}

AT_TEST(test_sentencepiece__bpe)
{
    check_model("bpe", "tokenizer.model");
}

AT_TEST(test_sentencepiece__bpe_with_bytes)
{
    check_model("bpe bytes", "spiece.model");
}

/* ---- Around the text ---- */

static void expect_ends(rig *r, const char *config, int32_t first, int32_t last)
{
    at_tokenizer *t;
    at_encoding e = {0};
    at_put_text(r->folder, "tokenizer_config.json", config);
    at_expect_ok(r->ctx, at_tokenizer_open(&t, r->ctx, r->folder));
    at_expect_ok(r->ctx, at_tokenizer_encode(r->ctx, t, &e, "the", 3, "the", 3, 0, true));
    const int64_t n = e.n;
    assert_true(n > 1 && n % 2 == 0);
    for (int64_t half = 0; half < n; half += n / 2) {
        if (first >= 0) assert_int_equal(e.ids[half], first);
        if (first < 0) assert_true(e.ids[half] > 2);
        if (last >= 0) assert_int_equal(e.ids[half + n / 2 - 1], last);
        if (last < 0) assert_true(e.ids[half + n / 2 - 1] > 2);
    }
    at_encoding_deinit(r->ctx, &e);
    at_tokenizer_close(r->ctx, t);
}

AT_TEST(test_sentencepiece__config_says_what_stands_around)
{
    rig r;
    begin(&r, "sentencepiece_config");
    put_model(&r, "bpe", "tokenizer.model");
    expect_ends(&r, "{}", -1, -1);
    expect_ends(&r, "{\"tokenizer_class\": \"LlamaTokenizer\"}", 1, -1);
    expect_ends(&r, "{\"tokenizer_class\": \"T5Tokenizer\"}", -1, 2);
    expect_ends(&r,
                "{\"add_bos_token\": true, \"add_eos_token\": true, \"eos_token\": {\"content\": \"<s>\"}}",
                1, 1);
    at_tokenizer *t;
    at_put_text(r.folder, "tokenizer_config.json", "{\"tokenizer_class\": \"XLMRobertaTokenizer\"}");
    at_expect_error(r.ctx, at_tokenizer_open(&t, r.ctx, r.folder), AT_E_UNSUPPORTED,
                    "tokenizer_class XLMRobertaTokenizer may number the pieces");
    end(&r);
}

/* ---- Damage ---- */

AT_TEST(test_sentencepiece__no_cut_file_is_taken_for_another)
{
    rig r;
    at_tokenizer *t;
    begin(&r, "sentencepiece_cut");
    put_model(&r, "bpe", "tokenizer.model");
    const char *path = at_arena_printf(&r.arena, "%s/tokenizer.model", r.folder);
    int refused = 0, cuts = 0;
    for (size_t n = 0; n < r.n_model; n += 41, cuts++) {
        at_expect_ok(r.ctx, at_file_write(r.ctx, path, r.model, n));
        const at_status status = at_tokenizer_open(&t, r.ctx, r.folder);
        assert_true(status == AT_OK || status == AT_E_FORMAT);
        if (status != AT_OK) assert_non_null(strstr(at_last_error(r.ctx), "tokenizer.model: "));
        refused += status != AT_OK;
        at_clear_error(r.ctx);
        at_tokenizer_close(r.ctx, t);
    }
    assert_true(refused > cuts * 8 / 10); /* where a field ends, a shorter model is one, too */
    end(&r);
}

static at_status open_and_encode(at_ctx *ctx, void *folder)
{
    at_tokenizer *t;
    at_encoding e = {0};
    AT_TRY(at_tokenizer_open(&t, ctx, folder));
    const at_status status =
        at_tokenizer_encode(ctx, t, &e, "the  \xef\xac\x81 x\xe4\xb8\x80", 13, NULL, 0, 0, true);
    at_encoding_deinit(ctx, &e);
    at_tokenizer_close(ctx, t);
    return status;
}

AT_TEST(test_sentencepiece__survives_failing_allocations)
{
    rig r;
    begin(&r, "sentencepiece_torture");
    at_put_text(r.folder, "tokenizer_config.json", "{\"add_bos_token\": true, \"add_eos_token\": true}");
    put_model(&r, "bpe", "tokenizer.model");
    at_torture(r.ctx, open_and_encode, r.folder);
    put_model(&r, "unigram", "tokenizer.model");
    at_torture(r.ctx, open_and_encode, r.folder);
    end(&r);
}

/* ---- The wire format ---- */

AT_TEST(test_protobuf__fields)
{
    static const unsigned char bytes[] = {0x08, 0xac, 0x02, 0x12, 0x02, 'h', 'i', 0x1d, 0, 0,   0xc0,
                                          0x3f, 0x21, 1,    0,    0,    0,   0,   0,    0, 0x80};
    at_protobuf m = {bytes, bytes + sizeof bytes, false};
    at_protobuf_field f;
    assert_true(at_protobuf_next(&m, &f));
    assert_int_equal(f.number, 1);
    assert_int_equal(f.whole, 300);
    assert_true(at_protobuf_next(&m, &f));
    assert_int_equal(f.number, 2);
    assert_int_equal(f.size, 2);
    assert_memory_equal(f.data, "hi", 2);
    assert_true(at_protobuf_next(&m, &f));
    assert_int_equal(f.number, 3);
    assert_true(at_protobuf_float(&f) == 1.5f);
    assert_true(at_protobuf_next(&m, &f));
    assert_int_equal(f.whole, 0x8000000000000001u);
    assert_false(m.broken);
    assert_false(at_protobuf_next(&m, &f));     /* the end */
    for (size_t n = 1; n < sizeof bytes; n++) { /* cut anywhere: no field beyond the end */
        m = (at_protobuf){bytes, bytes + n, false};
        while (at_protobuf_next(&m, &f)) assert_true(m.at <= bytes + n);
    }
}
