/* tokenizer_fuzz.h: what the fuzz targets of tokenizers share: opening a folder, and what must hold of a
 * tokenizer that opens. */
#ifndef AT_TOKENIZER_FUZZ_H
#define AT_TOKENIZER_FUZZ_H

#include "tests/fuzz/folder_fuzz.h"
#include "text/tokenizer.h"

/* Open a folder with these files. The folder goes again: a tokenizer keeps no file. */
static inline at_status at_fuzz_open(at_tokenizer **out, at_ctx *ctx, const at_fuzz_file *files, int n)
{
    char folder[] = "/tmp/attune_fuzz.XXXXXX";
    at_fuzz_make_folder(folder, files, n);
    const at_status status = at_tokenizer_open(out, ctx, folder);
    AT_MUST((status == AT_OK) == (*out != NULL));
    at_fuzz_remove_folder(folder);
    return status;
}

static inline bool at_fuzz_starts(const char *text, int32_t n, int32_t at)
{
    return at >= 0 && at <= n && (at == n || ((unsigned char)text[at] & 0xc0) != 0x80);
}

/* Every token has an id of the tokenizer, and its place in the text, between characters. */
static inline void at_fuzz_check(const at_tokenizer *t, const at_encoding *e, const char *text, size_t n)
{
    for (int64_t i = 0; i < e->n; i++) {
        const at_token_span *s = &e->spans[i];
        AT_MUST(e->ids[i] >= 0 && e->ids[i] < at_tokenizer_size(t));
        AT_MUST(s->sequence >= -1 && s->sequence <= 1);
        if (s->sequence < 0) AT_MUST(s->first == -1 && s->end == -1 && s->word == -1);
        if (s->sequence < 0) continue;
        AT_MUST(s->word >= 0 && s->first <= s->end);
        AT_MUST(at_fuzz_starts(text, (int32_t)n, s->first) && at_fuzz_starts(text, (int32_t)n, s->end));
    }
}

/* The text alone and as its own pair. */
static inline at_status at_fuzz_encode(at_ctx *ctx, const at_tokenizer *t, at_encoding *e, const char *text,
                                       size_t n)
{
    for (int pair = 0; pair < 2; pair++) {
        const at_status status =
            at_tokenizer_encode(ctx, t, e, text, n, pair ? text : NULL, pair ? n : 0, 0, true);
        AT_MUST(status == AT_OK || e->n == 0);
        if (status != AT_OK) return status;
        at_fuzz_check(t, e, text, n);
    }
    return AT_OK;
}

/* A whole run of a target: open, encode a text of several scripts, close. */
static inline void at_fuzz_tokenizer_of(const at_fuzz_file *files, int n)
{
    static const char text[] = "The caf\xc3\xa9 \xe4\xbd\xa0\xe5\xa5\xbd [MASK]  x1-2\n\xef\xac\x81 "
                               "e\xcc\x81 \xf0\x9f\x98\x80 </s><unk> \xe2\x96\x81the aaaa";
    at_ctx *ctx = at_fuzz_begin();
    at_tokenizer *t;
    at_encoding e = {0};
    at_status status = at_fuzz_open(&t, ctx, files, n);
    if (status == AT_OK) {
        for (int32_t id = 0; id < at_min(at_tokenizer_size(t), 1000); id++) {
            const char *token = at_tokenizer_token(t, id);
            if (token) AT_MUST(at_tokenizer_id(t, token) >= 0);
        }
        status = at_fuzz_encode(ctx, t, &e, text, sizeof text - 1);
    }
    at_encoding_deinit(ctx, &e);
    at_tokenizer_close(ctx, t);
    at_fuzz_end(ctx, status == AT_E_RANGE ? AT_E_FORMAT
                                          : status); /* a text made too long is a fault of the file */
}

/* The same of one file, and tokenizer_config.json when config is not NULL. */
static inline void at_fuzz_tokenizer(const char *name, const void *data, size_t size, const char *config)
{
    const at_fuzz_file files[] = {{name, data, size},
                                  {"tokenizer_config.json", config, config ? strlen(config) : 0}};
    at_fuzz_tokenizer_of(files, config ? 2 : 1);
}

#endif
