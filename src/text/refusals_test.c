/* refusals_test.c: tokenizers and texts that must be refused, with file, place and cause; and failing
 * memory. */
#include "formats/file.h"
#include "tests/harness/scene.h"
#include "tests/harness/test.h"
#include "tests/harness/torture.h"
#include "text/tokenizer.h"
#include <stdio.h>

/* Open a folder that has one file. */
static void expect_refused(at_ctx *ctx, const char *file, const char *content, at_status want,
                           const char *part)
{
    char folder[1024];
    at_tokenizer *t = (at_tokenizer *)folder;
    at_test_folder(folder, "refused");
    at_put_text(folder, file, content);
    at_expect_error(ctx, at_tokenizer_open(&t, ctx, folder), want, part);
    assert_null(t);
}

#define WORDPIECE                                                                                            \
    "\"model\": {\"type\": \"WordPiece\", \"unk_token\": \"[UNK]\", \"vocab\": {\"[UNK]\": 0, \"a\": 1}}"

typedef struct refusal {
    const char *json;
    at_status status;
    const char *part;
} refusal;

static const refusal refusals[] = {
    {"", AT_E_FORMAT, "tokenizer.json:1:1: a map is needed here"},
    {"[]", AT_E_FORMAT, "tokenizer.json:1:1: a map is needed here"},
    {"{", AT_E_FORMAT, "tokenizer.json:1:2: a string is needed here"},
    {"{}", AT_E_FORMAT, "tokenizer.json: the section model is missing"},
    {"{\"model\": 7}", AT_E_FORMAT, "tokenizer.json: the section model is missing"},
    {"{" WORDPIECE ",}", AT_E_FORMAT, "a value is needed behind the comma"},
    {"{" WORDPIECE "} x", AT_E_FORMAT, "nothing may follow here"},
    {"{" WORDPIECE "," WORDPIECE "}", AT_E_FORMAT, "\"model\" is there twice"},
    {"{\"normalizer\": null, \"normalizer\": null}", AT_E_FORMAT,
     "tokenizer.json:1:35: \"normalizer\" is there"},
    {"{\"model\": {\"vocab\": {\"a\": 0, \"b\": 1}", AT_E_FORMAT, "tokenizer.json:1:37: ',' expected"},
    {"{\"model\": {\"vocab\": {\"a\": 0", AT_E_FORMAT, "this bracket is not closed"},
    {"{\"model\": {\"vocab\": \"a", AT_E_FORMAT, "this string does not end"},
    {"{\"model\": {}}", AT_E_FORMAT, "tokenizer.json: model: type must be text, it is missing"},
    {"{\"model\": {\"type\": \"Foo\"}}", AT_E_UNSUPPORTED,
     "tokenizer.json: model: type \"Foo\" is not known; known are "},
    {"{\"model\": {\"type\": \"WordPiece\"}}", AT_E_FORMAT, "model: vocab is missing"},
    {"{\"model\": {\"type\": \"WordPiece\", \"vocab\": {}}}", AT_E_FORMAT, "model: the vocabulary is empty"},
    {"{\"model\": {\"type\": \"WordPiece\", \"vocab\": []}}", AT_E_FORMAT, "a map is needed here"},
    {"{\"model\": {\"type\": \"WordPiece\", \"vocab\": {\"a\": 0}}}", AT_E_FORMAT,
     "the unknown token \"[UNK]\" is not in the vocabulary of 1; take the vocabulary that belongs to the"},
    {"{\"model\": {\"type\": \"WordPiece\", \"vocab\": {\"a\": 0,\n\"a\": 1}}}", AT_E_FORMAT,
     "tokenizer.json:2:7: the token \"a\" is there twice, as 0 and 1"},
    {"{\"model\": {\"type\": \"WordPiece\", \"vocab\": {\"a\": 0, \"b\": 0}}}", AT_E_FORMAT,
     "\"a\" and \"b\" have the same id 0"},
    {"{\"model\": {\"type\": \"WordPiece\", \"vocab\": {\"a\": -1}}}", AT_E_FORMAT,
     "an id must be from 0 to 16777215"},
    {"{\"model\": {\"type\": \"WordPiece\", \"vocab\": {\"a\": 99999999999}}}", AT_E_FORMAT,
     "an id must be from"},
    {"{\"model\": {\"type\": \"WordPiece\", \"vocab\": {\"a\": 1.5}}}", AT_E_FORMAT,
     "a whole number is needed"},
    {"{\"model\": {\"type\": \"WordPiece\", \"vocab\": {\"a\": \"b\"}}}", AT_E_FORMAT,
     "a whole number is needed"},
    {"{\"model\": {\"type\": \"WordPiece\", \"vocab\": {\"a\xff\": 1}}}", AT_E_FORMAT,
     "tokenizer.json:1:45: invalid UTF-8"},
    {"{\"model\": {\"type\": \"WordPiece\", \"vocab\": {\"a\\u0000\": 1}}}", AT_E_FORMAT, "NUL in a string"},
    {"{\"model\": {\"type\": \"WordPiece\", \"vocab\": {\"\\ud83d\": 1}}}", AT_E_FORMAT,
     "half of a surrogate"},
    {"{\"model\": {\"type\": \"WordPiece\", \"vocab\": {\"\\ude00\": 1}}}", AT_E_FORMAT,
     "half of a surrogate"},
    {"{\"model\": {\"type\": \"WordPiece\", \"vocab\": {\"\\u12g4\": 1}}}", AT_E_FORMAT,
     "four hexadecimal digits"},
    {"{\"model\": {\"type\": \"WordPiece\", \"vocab\": {\"\\x\": 1}}}", AT_E_FORMAT, "unknown escape"},
    {"{\"model\": {\"type\": \"WordPiece\", \"vocab\": {\"a\nb\": 1}}}", AT_E_FORMAT, "control character"},
    {"{\"model\": {\"type\": \"WordPiece\", \"vocab\": {\"a\": 0}, \"vocab\": {}}}", AT_E_FORMAT,
     "\"vocab\" is there twice"},
    {"{\"model\": {\"type\": \"WordPiece\", \"a\": [], \"b\": [], \"c\": [], \"d\": [], \"e\": []}}",
     AT_E_FORMAT, "more than 4 lists in the model"},
    {"{\"model\": {\"type\": \"WordPiece\", \"max_input_chars_per_word\": -1}}", AT_E_FORMAT,
     "model: max_input_chars_per_word must be from 0 to 2147483647, it is -1"},
    {"{\"normalizer\": [], " WORDPIECE "}", AT_E_FORMAT, "normalizer must be a map, it is a list"},
    {"{\"normalizer\": {\"type\": \"Nmt\"}, " WORDPIECE "}", AT_E_UNSUPPORTED,
     "tokenizer.json: normalizer: type \"Nmt\" is not known; known are BertNormalizer, "},
    {"{\"normalizer\": {\"type\": \"BertNormalizer\", \"lowercase\": 1}, " WORDPIECE "}", AT_E_FORMAT,
     "normalizer: lowercase must be true or false, it is a whole number"},
    {"{\"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"NFC\"}, {\"type\": "
     "\"X\"}]}, " WORDPIECE "}",
     AT_E_UNSUPPORTED, "tokenizer.json: normalizer.normalizers[1]: type \"X\" is not known"},
    {"{\"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [7]}, " WORDPIECE "}", AT_E_FORMAT,
     "normalizer.normalizers[0] must be a map, it is a whole number"},
    {"{\"normalizer\": {\"type\": \"Sequence\"}, " WORDPIECE "}", AT_E_FORMAT,
     "normalizer: normalizers must be a list, it is missing"},
    {"{\"normalizer\": {\"type\": \"Replace\", \"pattern\": {\"Regex\": \"(a\"}, \"content\": "
     "\"\"}, " WORDPIECE "}",
     AT_E_UNSUPPORTED,
     "normalizer: PCRE2 does not take the pattern (a: missing closing parenthesis at its byte 3"},
    {"{\"normalizer\": {\"type\": \"Replace\", \"pattern\": {\"Regex\": \"a\\\\C\"}, \"content\": "
     "\"\"}, " WORDPIECE "}",
     AT_E_UNSUPPORTED, "normalizer: PCRE2 does not take the pattern a\\C: using \\C is disabled"},
    {"{\"normalizer\": {\"type\": \"Replace\", \"pattern\": \"a\", \"content\": \"\"}, " WORDPIECE "}",
     AT_E_FORMAT, "normalizer: pattern must be a map, it is text"},
    {"{\"normalizer\": {\"type\": \"Replace\", \"pattern\": {\"Wild\": \"a\"}, \"content\": \"\"}, " WORDPIECE
     "}",
     AT_E_FORMAT, "pattern must be {\"String\": text} or {\"Regex\": text}"},
    {"{\"pre_tokenizer\": {\"type\": \"Punctuation\", \"behavior\": \"Merged\"}, " WORDPIECE "}",
     AT_E_UNSUPPORTED,
     "pre_tokenizer: behavior \"Merged\" is not known; known are Removed, Isolated, MergedWithPrevious, "},
    {"{\"post_processor\": {\"type\": \"BertProcessing\", \"cls\": [\"x\"]}, " WORDPIECE "}", AT_E_FORMAT,
     "post_processor: cls must be [token, id]"},
    {"{\"post_processor\": {\"type\": \"BertProcessing\", \"cls\": [\"x\", 2]}, " WORDPIECE "}", AT_E_FORMAT,
     "post_processor: cls must be [token, id], the id one from 0 to 1"},
    {"{\"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\": {\"id\": "
     "\"x\"}}], \"special_tokens\": {\"x\": {\"ids\": [2]}}}, " WORDPIECE "}",
     AT_E_FORMAT, "special_tokens: an id of \"x\" is none; they go from 0 to 1"},
    {"{\"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [{\"Sequence\": {\"id\": "
     "\"B\"}}]}, " WORDPIECE "}",
     AT_E_FORMAT, "post_processor.single[0]: Sequence \"B\" is not known; known are A"},
    {"{\"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\": {\"id\": "
     "\"x\"}}]}, " WORDPIECE "}",
     AT_E_FORMAT, "post_processor: special_tokens says no ids for \"x\""},
    {"{\"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [{}]}, " WORDPIECE "}", AT_E_FORMAT,
     "post_processor.single[0] must be {\"Sequence\": "},
    {"{\"added_tokens\": {}, " WORDPIECE "}", AT_E_FORMAT, "added_tokens must be a list, it is a map"},
    {"{\"added_tokens\": [{\"id\": 2}], " WORDPIECE "}", AT_E_FORMAT,
     "tokenizer.json: added_tokens[0]: content must be text, it is missing"},
    {"{\"added_tokens\": [{\"id\": 7, \"content\": \"x\"}], " WORDPIECE "}", AT_E_FORMAT,
     "added_tokens[0]: \"x\" has id 7, but 2 by the vocabulary"},
};

AT_TEST(test_tokenizer__refuses_files_with_their_place)
{
    at_ctx *ctx = at_test_ctx();
    for (int i = 0; i < AT_COUNT(refusals); i++)
        expect_refused(ctx, "tokenizer.json", refusals[i].json, refusals[i].status, refusals[i].part);
    expect_refused(ctx, "readme.txt", "", AT_E_IO, "there is no tokenizer; one of these files is needed: ");
    at_test_done(ctx);
}

AT_TEST(test_tokenizer__refuses_vocab_txt)
{
    at_ctx *ctx = at_test_ctx();
    expect_refused(ctx, "vocab.txt", "", AT_E_FORMAT, "vocab.txt: the special token \"[SEP]\" is not in it");
    expect_refused(ctx, "vocab.txt", "[SEP]\n[CLS]\na\n", AT_E_FORMAT,
                   "vocab.txt: model: the unknown token \"[UNK]\" is not in the vocabulary of 3");
    expect_refused(ctx, "vocab.txt", "[UNK]\na\nb\r\na\n", AT_E_FORMAT,
                   "vocab.txt:4: the token \"a\" is already in line 2");
    at_test_done(ctx);
}

AT_TEST(test_tokenizer__refuses_what_follows_vocab_json)
{
    at_ctx *ctx = at_test_ctx();
    char folder[1024];
    at_tokenizer *t;
    at_test_folder(folder, "refused_vocab_json");
    at_put_text(folder, "vocab.json", "{\"<|endoftext|>\": 0, \"a\": 1}\n]");
    at_put_text(folder, "merges.txt", "");
    at_expect_error(ctx, at_tokenizer_open(&t, ctx, folder), AT_E_FORMAT,
                    "vocab.json:2:1: nothing may follow here");
    assert_null(t);
    at_test_done(ctx);
}

/* ---- What a folder with vocab.txt becomes ---- */

static void expect_ids(at_ctx *ctx, const at_tokenizer *t, const char *text, const int32_t *want, int64_t n)
{
    at_encoding e = {0};
    at_expect_ok(ctx, at_tokenizer_encode(ctx, t, &e, text, strlen(text), NULL, 0, 0, true));
    assert_int_equal(e.n, n);
    for (int64_t i = 0; i < n; i++) assert_int_equal(e.ids[i], want[i]);
    at_encoding_deinit(ctx, &e);
}

#define EXPECT_IDS(ctx, t, text, ...)                                                                        \
    expect_ids(ctx, t, text, (const int32_t[]){__VA_ARGS__}, AT_COUNT(((const int32_t[]){__VA_ARGS__})))

static at_tokenizer *open_vocab(at_ctx *ctx, const char *config)
{
    char folder[1024];
    at_tokenizer *t;
    at_test_folder(folder, "vocab_txt");
    at_put_text(folder, "vocab.txt", "[UNK]\n[CLS]\r\n[SEP]\n\ne\n##e\nE\n\xc3\xa9\n<s>\nx[MASK]\n[MASK]");
    if (config) at_put_text(folder, "tokenizer_config.json", config);
    at_expect_ok(ctx, at_tokenizer_open(&t, ctx, folder));
    return t;
}

AT_TEST(test_tokenizer__vocab_txt_by_berts_defaults_and_its_config)
{
    at_ctx *ctx = at_test_ctx();
    at_tokenizer *t = open_vocab(ctx, NULL);
    EXPECT_IDS(ctx, t, "Ee \xc3\xa9 x[MASK]", 1, 4, 5, 4, 0, 10, 2);
    assert_int_equal(at_tokenizer_size(t), 11); /* the empty line counts */
    assert_string_equal(at_tokenizer_token(t, 2), "[SEP]");
    assert_null(at_tokenizer_token(t, 3));
    assert_null(at_tokenizer_token(t, 11));
    assert_null(at_tokenizer_token(t, -1));
    assert_int_equal(at_tokenizer_id(t, "##e"), 5);
    assert_int_equal(at_tokenizer_id(t, "##"), -1);
    at_tokenizer_close(ctx, t);
    t = open_vocab(ctx, "{\"do_lower_case\": false, \"mask_token\": null}");
    EXPECT_IDS(ctx, t, "Ee \xc3\xa9", 1, 6, 5, 7, 2);
    at_tokenizer_close(ctx, t);
    t = open_vocab(ctx, "{\"strip_accents\": false, \"cls_token\": {\"content\": \"<s>\"}}");
    EXPECT_IDS(ctx, t, "Ee \xc3\xa9 <s>", 8, 4, 5, 7, 8, 2);
    at_tokenizer_close(ctx, t);
    at_test_done(ctx);
}

/* ---- Texts ---- */

static at_tokenizer *open_json(at_ctx *ctx, const char *json)
{
    char folder[1024];
    at_tokenizer *t;
    at_test_folder(folder, "tokenizer_refusals");
    at_put_text(folder, "tokenizer.json", json);
    at_expect_ok(ctx, at_tokenizer_open(&t, ctx, folder));
    return t;
}

AT_TEST(test_tokenizer__refuses_texts)
{
    at_ctx *ctx = at_test_ctx();
    at_tokenizer *t = open_json(ctx, "{\"post_processor\": {\"type\": \"BertProcessing\", \"cls\": [\"a\", "
                                     "1], \"sep\": [\"a\", 1]}, " WORDPIECE "}");
    at_encoding e = {0};
    at_expect_error(ctx, at_tokenizer_encode(ctx, t, &e, "ab\xe9", 3, NULL, 0, 0, true), AT_E_FORMAT,
                    "the text: byte 3 (0xe9) is not valid UTF-8; convert the text to UTF-8");
    at_expect_error(ctx, at_tokenizer_encode(ctx, t, &e, "a", 1, "\xed\xa0\x80", 3, 0, true), AT_E_FORMAT,
                    "the second text: byte 1 (0xed) is not valid UTF-8");
    at_expect_error(ctx, at_tokenizer_encode(ctx, t, &e, "a\xc3\xa9", 2, NULL, 0, 0, true), AT_E_FORMAT,
                    "the text: byte 2 (0xc3) is not valid UTF-8"); /* cut in the middle */
    at_expect_error(ctx, at_tokenizer_encode(ctx, t, &e, "a", 1, NULL, 0, 1, true), AT_E_RANGE,
                    "a length of 1 tokens has no room for the 2 special ones");
    at_expect_error(ctx, at_tokenizer_encode(ctx, t, &e, "a", 1, NULL, 0, -1, true), AT_E_ARG, "max_length");
    assert_int_equal(e.n, 0);
    at_expect_ok(ctx, at_tokenizer_encode(ctx, t, &e, "a", 1, NULL, 0, 2, true));
    assert_int_equal(e.n, 2);
    assert_true(e.truncated);
    at_expect_ok(ctx,
                 at_tokenizer_encode(ctx, t, &e, "a\0a", 3, NULL, 0, 0, false)); /* a NUL is a character */
    assert_int_equal(e.n, 1);
    assert_int_equal(e.ids[0], 0);
    assert_int_equal(e.spans[0].end, 3);
    at_expect_ok(ctx, at_tokenizer_encode(ctx, t, &e, NULL, 0, NULL, 0, 0, false));
    assert_int_equal(e.n, 0);
    at_encoding_deinit(ctx, &e);
    at_tokenizer_close(ctx, t);
    at_test_done(ctx);
}

AT_TEST(test_tokenizer__nul_before_the_end_of_a_word_is_no_suffix)
{
    at_ctx *ctx = at_test_ctx();
    at_tokenizer *t =
        open_json(ctx, "{\"model\": {\"type\": \"BPE\", \"unk_token\": \"u\", \"end_of_word_suffix\": \"/\", "
                       "\"vocab\": {\"u\": 0, \"/\": 1, \"a/\": 2}, \"merges\": []}}");
    at_encoding e = {0};
    at_expect_ok(ctx, at_tokenizer_encode(ctx, t, &e, "\0", 1, NULL, 0, 0, false));
    assert_int_equal(e.n, 1);
    assert_int_equal(e.ids[0], 0);
    EXPECT_IDS(ctx, t, "a", 2);
    at_encoding_deinit(ctx, &e);
    at_tokenizer_close(ctx, t);
    at_test_done(ctx);
}

/* ---- What identifies a tokenizer ---- */

static void digest_of(at_ctx *ctx, const char *json, uint8_t out[AT_DIGEST_BYTES])
{
    at_tokenizer *t = open_json(ctx, json);
    at_digest d;
    at_digest_init(&d);
    at_tokenizer_digest(t, &d);
    at_digest_end(&d, out);
    at_tokenizer_close(ctx, t);
}

AT_TEST(test_tokenizer__digest_depends_on_the_file)
{
    at_ctx *ctx = at_test_ctx();
    uint8_t a[AT_DIGEST_BYTES], b[AT_DIGEST_BYTES], c[AT_DIGEST_BYTES];
    digest_of(ctx, "{" WORDPIECE "}", a);
    digest_of(ctx, "{" WORDPIECE "}", b);
    digest_of(ctx, "{\"normalizer\": {\"type\": \"Lowercase\"}, " WORDPIECE "}", c);
    assert_memory_equal(a, b, sizeof a);
    assert_memory_not_equal(a, c, sizeof a);
    at_test_done(ctx);
}

/* ---- Failing memory ---- */

static at_status open_and_encode(at_ctx *ctx, void *arg)
{
    at_tokenizer *t;
    at_encoding e = {0};
    AT_TRY(at_tokenizer_open(&t, ctx, arg));
    char text[600] = "Caf\xc3\xa9 [CLS]\xe4\xbd\xa0 a1-b2 \xc7\x85 x";
    for (size_t i = strlen(text); i < sizeof text - 1; i++) text[i] = " a"[i % 2]; /* buffers must grow */
    at_status status = at_tokenizer_encode(ctx, t, &e, "a", 1, NULL, 0, 0, true);
    if (status == AT_OK) status = at_tokenizer_encode(ctx, t, &e, text, strlen(text), text, 5, 0, true);
    at_cell words[40];
    for (int i = 0; i < AT_COUNT(words); i++) words[i] = (at_cell){text, 10};
    if (status == AT_OK) status = at_tokenizer_encode_words(ctx, t, &e, words, AT_COUNT(words), 0, true);
    at_encoding_deinit(ctx, &e);
    at_tokenizer_close(ctx, t);
    return status;
}

AT_TEST(test_tokenizer__survives_failing_allocations)
{
    at_ctx *ctx = at_test_ctx();
    char folder[1024];
    at_test_folder(folder, "tokenizer_torture");
    at_put_text(
        folder, "tokenizer.json",
        "{\"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"NFKC\"}, {\"type\": "
        "\"Lowercase\"}, "
        "{\"type\": \"Replace\", \"pattern\": {\"Regex\": \"x+\"}, \"content\": \"\\u00e9\"}, {\"type\": "
        "\"BertNormalizer\"}]},"
        "\"pre_tokenizer\": {\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"BertPreTokenizer\"}, "
        "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"\\\\d\"}, \"behavior\": \"MergedWithNext\"}]},"
        "\"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [{\"Sequence\": {\"id\": "
        "\"A\"}}, "
        "{\"SpecialToken\": {\"id\": \"b\"}}], \"pair\": [{\"Sequence\": {\"id\": \"A\"}}, {\"Sequence\": "
        "{\"id\": \"B\"}}],"
        "\"special_tokens\": {\"b\": {\"ids\": [1]}}},"
        "\"added_tokens\": [{\"content\": \"[CLS]\"}, {\"content\": \"B\", \"normalized\": true}]," WORDPIECE
        "}");
    at_torture(ctx, open_and_encode, folder);
    at_test_folder(folder, "tokenizer_torture_vocab");
    at_put_text(folder, "vocab.txt", "[UNK]\n[CLS]\n[SEP]\na\n");
    at_put_text(folder, "tokenizer_config.json", "{\"cls_token\": {\"content\": \"[CLS]\"}}");
    at_torture(ctx, open_and_encode, folder);
    at_test_done(ctx);
}
