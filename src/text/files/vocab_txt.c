/* vocab.txt: BERT's vocabulary, one token a line, the line's number its id. What tokenizer_config.json says,
 * if it is there, and BERT's defaults stand for the rest (BertTokenizer in Transformers). */
#include "text/files/parts.h"

typedef struct reading {
    at_tokenizer *t;
    at_arena *arena;
    const char *path;   /* of vocab.txt */
    at_section section; /* of the config, for its members */
} reading;

static at_status add_line(reading *r, const char *line, size_t n, int64_t id)
{
    bool taken;
    at_ctx *ctx = r->arena->ctx;
    at_vocab *v = &r->t->vocab;
    AT_REQUIRE(ctx, id < AT_VOCAB_LIMIT, AT_E_FORMAT, "%s:%lld: more tokens than %d", r->path,
               (long long)id + 1, AT_VOCAB_LIMIT);
    AT_REQUIRE(ctx, !memchr(line, '\0', n), AT_E_FORMAT, "%s:%lld: there is a NUL in the token", r->path,
               (long long)id + 1);
    AT_TRY(at_vocab_add(v, line, n, id, &taken));
    AT_REQUIRE(ctx, !taken, AT_E_FORMAT,
               "%s:%lld: the token \"%.*s\" is already in line %d; take the vocabulary that belongs to the "
               "checkpoint",
               r->path, (long long)id + 1, n < 100 ? (int)n : 100, line, at_vocab_find(v, line, n) + 1);
    return AT_OK;
}

/* An empty line takes a number and is no token. */
static at_status read_lines(reading *r, const char *text, size_t size)
{
    const char *end = text + size;
    int64_t id = 0;
    for (const char *line = text; line < end; id++) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        if (!stop) stop = end;
        size_t n = (size_t)(stop - line);
        if (n && line[n - 1] == '\r') n--;
        if (n) AT_TRY(add_line(r, line, n, id));
        line = stop + 1;
    }
    return AT_OK;
}

static at_status read_vocabulary(reading *r)
{
    char *text;
    size_t size;
    AT_TRY(at__tokenizer_read(r->t, r->path, false, &text, &size));
    at_status status = read_lines(r, text, size);
    at_free(r->arena->ctx, text);
    return status;
}

/* ---- The sections that tokenizer.json would have ---- */

static at_status add_normalizer(reading *r, at_tree *all)
{
    bool lower, chinese, accents;
    AT_TRY(at_section_flag(&r->section, &lower, "do_lower_case", true));
    AT_TRY(at_section_flag(&r->section, &chinese, "tokenize_chinese_chars", true));
    AT_TRY(at_section_flag(&r->section, &accents, "strip_accents", lower));
    at_tree *s = at__add_section(r->arena, all, "normalizer", "BertNormalizer");
    at__add_flag(r->arena, s, "lowercase", lower);
    at__add_flag(r->arena, s, "handle_chinese_chars", chinese);
    at__add_flag(r->arena, s, "strip_accents", accents);
    return at_last_status(r->arena->ctx);
}

static at_status add_special_tokens(reading *r, at_tree *all, at_tree *model)
{
    enum { UNK, SEP, PAD, CLS, MASK, N };
    at_special list[N] = {[UNK] = {.key = "unk_token", .fallback = "[UNK]"},
                          [SEP] = {.key = "sep_token", .fallback = "[SEP]"},
                          [PAD] = {.key = "pad_token", .fallback = "[PAD]"},
                          [CLS] = {.key = "cls_token", .fallback = "[CLS]"},
                          [MASK] = {.key = "mask_token", .fallback = "[MASK]"}};
    AT_TRY(at__add_specials(r->t, &r->section, all, list, N));
    for (int i = SEP; i <= CLS; i += CLS - SEP)
        AT_REQUIRE(r->arena->ctx, list[i].id >= 0, AT_E_FORMAT, "%s: the special token \"%s\" is not in it",
                   r->path, list[i].token);
    at__add_text(r->arena, model, "unk_token", list[UNK].token);
    at_tree *post = at__add_section(r->arena, all, "post_processor", "BertProcessing");
    at__add_pair(r->arena, post, "sep", list[SEP].token, list[SEP].id);
    at__add_pair(r->arena, post, "cls", list[CLS].token, list[CLS].id);
    return at_last_status(r->arena->ctx);
}

static at_status open(at_tokenizer *t, const char *folder)
{
    reading r = {.t = t, .arena = &t->arena};
    if (!(r.path = at_arena_printf(r.arena, "%s/vocab.txt", folder))) return AT_E_NOMEM;
    AT_TRY(read_vocabulary(&r));
    AT_TRY(at__config_read(t, &r.section, folder));
    at_tree *all = at_tree_new(r.arena, AT_MAP);
    at_tree *model = at__add_section(r.arena, all, "model", "WordPiece");
    AT_TRY(add_special_tokens(&r, all, model));
    AT_TRY(add_normalizer(&r, all));
    at__add_section(r.arena, all, "pre_tokenizer", "BertPreTokenizer");
    AT_TRY(at_last_status(r.arena->ctx));
    return at__tokenizer_assemble(t, all, NULL, r.path);
}

const at_tokenizer_file at_tokenizer_file_vocab_txt = {.name = "vocab.txt", .rank = 2, .open = open};
