/* vocab.txt: BERT's vocabulary, one token a line, the line's number its id. What tokenizer_config.json says,
 * if it is there, and BERT's defaults stand for the rest (BertTokenizer in Transformers). */
#include "text/tokenizer_internal.h"

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

static at_status read_config(reading *r, const char *folder)
{
    char *text;
    size_t size;
    at_tree *tree = NULL;
    const char *path = at_arena_printf(r->arena, "%s/tokenizer_config.json", folder);
    if (!path) return AT_E_NOMEM;
    AT_TRY(at__tokenizer_read(r->t, path, true, &text, &size));
    at_status status = text ? at_json_parse(r->arena, &tree, text, size, path) : AT_OK;
    at_free(r->arena->ctx, text);
    r->section = (at_section){r->arena->ctx, r->arena, r->t, tree, path, NULL};
    return status;
}

/* ---- The sections that tokenizer.json would have ---- */

static at_tree *add_text(at_arena *a, at_tree *parent, const char *key, const char *text)
{
    return at_tree_add(a, parent, key, at_tree_string(a, text));
}

static at_tree *add_flag(at_arena *a, at_tree *parent, const char *key, bool flag)
{
    return at_tree_add(a, parent, key, at_tree_flag(a, flag));
}

static at_tree *add_section(at_arena *a, at_tree *parent, const char *key, const char *type)
{
    at_tree *s = at_tree_add(a, parent, key, at_tree_new(a, AT_MAP));
    add_text(a, s, "type", type);
    return s;
}

static at_status add_normalizer(reading *r, at_tree *all)
{
    bool lower, chinese, accents;
    AT_TRY(at_section_flag(&r->section, &lower, "do_lower_case", true));
    AT_TRY(at_section_flag(&r->section, &chinese, "tokenize_chinese_chars", true));
    AT_TRY(at_section_flag(&r->section, &accents, "strip_accents", lower));
    at_tree *s = add_section(r->arena, all, "normalizer", "BertNormalizer");
    add_flag(r->arena, s, "lowercase", lower);
    add_flag(r->arena, s, "handle_chinese_chars", chinese);
    add_flag(r->arena, s, "strip_accents", accents);
    return at_last_status(r->arena->ctx);
}

/* A special token is text, or a map with its content. */
static at_status special_token(reading *r, const char **out, const char *key, const char *fallback)
{
    const at_tree *map = at_tree_get(r->section.tree, key);
    at_section s = r->section;
    if (!map || map->kind != AT_MAP) return at_section_text(&s, out, key, fallback);
    s.tree = map;
    s.where = at_arena_printf(r->arena, "%s: %s", s.where, key);
    return s.where ? at_section_text(&s, out, "content", NULL) : AT_E_NOMEM;
}

/* Those that the vocabulary has are taken out of the text. */
static at_status add_special_tokens(reading *r, at_tree *all, at_tree *model)
{
    static const struct {
        const char *key, *fallback;
    } known[] = {{"unk_token", "[UNK]"},
                 {"sep_token", "[SEP]"},
                 {"pad_token", "[PAD]"},
                 {"cls_token", "[CLS]"},
                 {"mask_token", "[MASK]"}};
    at_tree *list = at_tree_add(r->arena, all, "added_tokens", at_tree_new(r->arena, AT_LIST));
    at_tree *post = add_section(r->arena, all, "post_processor", "BertProcessing");
    for (int i = 0; i < AT_COUNT(known); i++) {
        const char *token, *key = known[i].key;
        AT_TRY(special_token(r, &token, key, known[i].fallback));
        const int32_t id = at_vocab_find(&r->t->vocab, token, strlen(token));
        if (strcmp(key, "unk_token") == 0) add_text(r->arena, model, "unk_token", token);
        if (strcmp(key, "sep_token") == 0 || strcmp(key, "cls_token") == 0) {
            AT_REQUIRE(r->arena->ctx, id >= 0, AT_E_FORMAT, "%s: the special token \"%s\" is not in it",
                       r->path, token);
            const char name[] = {key[0], key[1], key[2], '\0'};
            at_tree *pair = at_tree_add(r->arena, post, name, at_tree_new(r->arena, AT_LIST));
            add_text(r->arena, pair, NULL, token);
            at_tree_add(r->arena, pair, NULL, at_tree_whole(r->arena, id));
        }
        if (id < 0) continue;
        at_tree *entry = at_tree_add(r->arena, list, NULL, at_tree_new(r->arena, AT_MAP));
        add_text(r->arena, entry, "content", token);
        add_flag(r->arena, entry, "special", true);
    }
    return at_last_status(r->arena->ctx);
}

static at_status open(at_tokenizer *t, const char *folder)
{
    reading r = {.t = t, .arena = &t->arena};
    if (!(r.path = at_arena_printf(r.arena, "%s/vocab.txt", folder))) return AT_E_NOMEM;
    AT_TRY(read_vocabulary(&r));
    AT_TRY(read_config(&r, folder));
    at_tree *all = at_tree_new(r.arena, AT_MAP);
    at_tree *model = add_section(r.arena, all, "model", "WordPiece");
    AT_TRY(add_special_tokens(&r, all, model));
    AT_TRY(add_normalizer(&r, all));
    add_section(r.arena, all, "pre_tokenizer", "BertPreTokenizer");
    AT_TRY(at_last_status(r.arena->ctx));
    return at__tokenizer_assemble(t, all, NULL, r.path);
}

const at_tokenizer_file at_tokenizer_file_vocab_txt = {.name = "vocab.txt", .rank = 2, .open = open};
