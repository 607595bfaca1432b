/* tokenizer.model, spiece.model: SentencePiece's models (sentencepiece_model.proto), BPE and Unigram, made to
 * the stages that give SentencePiece's ids (much as LlamaTokenizer and T5Tokenizer do in Transformers).
 * tokenizer_config.json says which special tokens stand around the text (add_bos_token, add_eos_token); its
 * class is asked because some number the tokens of the file in a way of their own. */
#include "formats/protobuf.h"
#include "text/files/parts.h"
#include <math.h>

enum { NORMAL = 1, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE };

typedef struct reading {
    at_tokenizer *t;
    at_arena *arena;
    const char *path;
    at_section config;
    at_tree *added; /* the list added_tokens */
    double *score;
    int64_t room;
    bool bpe, bytes, prefix, one_space;
    int64_t unknown;
    at_protobuf_field charsmap;
    at_model_source source;
} reading;

static at_status broken(const reading *r, const char *what)
{
    return at_fail(r->arena->ctx, AT_E_FORMAT, "%s: %s; it is no model of SentencePiece, or damaged", r->path,
                   what);
}

/* ---- Pieces ---- */

typedef struct piece {
    const char *text;
    size_t n;
    double score;
    uint64_t type;
} piece;

static at_status read_piece(const reading *r, const at_protobuf_field *field, piece *out)
{
    at_protobuf m = at_protobuf_inside(field);
    at_protobuf_field f;
    *out = (piece){.text = "", .type = NORMAL};
    while (at_protobuf_next(&m, &f)) {
        if (f.number == 1 && f.data) {
            out->text = (const char *)f.data;
            out->n = f.size;
        }
        if (f.number == 2) out->score = (double)at_protobuf_float(&f);
        if (f.number == 3) out->type = f.whole;
    }
    return m.broken ? broken(r, "a piece ends early") : AT_OK;
}

static at_status more_scores(reading *r)
{
    const int64_t room = at_max(1024, 2 * r->room);
    double *score = at_arena_alloc(r->arena, (size_t)room * sizeof *score);
    if (!score) return AT_E_NOMEM;
    if (r->room) memcpy(score, r->score, (size_t)r->room * sizeof *score);
    r->score = score;
    r->room = room;
    return AT_OK;
}

static at_status check_text(const reading *r, const char *text)
{
    uint32_t code;
    while (*text) {
        const int k = at_utf8_decode(&code, text);
        if (k == 0) return broken(r, "a piece is not valid UTF-8");
        text += k;
    }
    return AT_OK;
}

/* Pieces with a meaning of their own are taken out of the text before the model sees it. */
static at_status add_piece(reading *r, const piece *p, int64_t id)
{
    bool taken;
    at_vocab *v = &r->t->vocab;
    if (id >= AT_VOCAB_LIMIT) return broken(r, "there are more pieces than 16777216");
    if (memchr(p->text, '\0', p->n)) return broken(r, "there is a NUL in a piece");
    AT_TRY(at_vocab_add(v, p->text, p->n, id, &taken));
    AT_REQUIRE(r->arena->ctx, !taken, AT_E_FORMAT, "%s: the piece \"%.*s\" is there twice, as %d and %lld",
               r->path, p->n < 100 ? (int)p->n : 100, p->text, at_vocab_find(v, p->text, p->n),
               (long long)id);
    AT_TRY(check_text(r, v->token[id]));
    if (id >= r->room) AT_TRY(more_scores(r));
    r->score[id] = p->type == NORMAL ? p->score : (double)NAN;
    r->bytes |= p->type == BYTE;
    if (p->type == UNKNOWN) r->unknown = id;
    if (p->type != UNKNOWN && p->type != CONTROL && p->type != USER_DEFINED) return AT_OK;
    at_tree *entry = at_tree_add(r->arena, r->added, NULL, at_tree_new(r->arena, AT_MAP));
    at__add_text(r->arena, entry, "content", v->token[id]);
    at__add_flag(r->arena, entry, "special", p->type != USER_DEFINED);
    return at__add_flag(r->arena, entry, "normalized", false) ? AT_OK : AT_E_NOMEM;
}

/* ---- The file ---- */

static at_status read_trainer(reading *r, const at_protobuf_field *field)
{
    enum { UNIGRAM = 1, BPE = 2 };
    at_protobuf m = at_protobuf_inside(field);
    at_protobuf_field f;
    uint64_t type = UNIGRAM;
    while (at_protobuf_next(&m, &f))
        if (f.number == 3) type = f.whole;
    if (m.broken) return broken(r, "the training's options end early");
    AT_REQUIRE(r->arena->ctx, type == UNIGRAM || type == BPE, AT_E_UNSUPPORTED,
               "%s: its kind of model is %llu; known are 1 (Unigram) and 2 (BPE)", r->path,
               (unsigned long long)type);
    r->bpe = type == BPE;
    return AT_OK;
}

static at_status read_normalizer(reading *r, const at_protobuf_field *field)
{
    at_protobuf m = at_protobuf_inside(field);
    at_protobuf_field f;
    while (at_protobuf_next(&m, &f)) {
        if (f.number == 2) r->charsmap = f;
        if (f.number == 3) r->prefix = f.whole != 0;
        if (f.number == 4) r->one_space = f.whole != 0;
    }
    return m.broken ? broken(r, "the normalizer's options end early") : AT_OK;
}

static at_status read_model(reading *r, const char *bytes, size_t size)
{
    at_protobuf m = {(const unsigned char *)bytes, (const unsigned char *)bytes + size, false};
    at_protobuf_field f;
    int64_t n = 0;
    while (at_protobuf_next(&m, &f)) {
        piece p;
        if (f.number == 1) {
            AT_TRY(read_piece(r, &f, &p));
            AT_TRY(add_piece(r, &p, n++));
        }
        if (f.number == 2) AT_TRY(read_trainer(r, &f));
        if (f.number == 3) AT_TRY(read_normalizer(r, &f));
    }
    if (m.broken) return broken(r, "a field ends early");
    if (n == 0) return broken(r, "there are no pieces");
    return r->unknown < 0 ? broken(r, "no piece stands for the unknown") : AT_OK;
}

/* ---- The sections that tokenizer.json would have ---- */

/* {"type": "Replace", "pattern": {KIND: pattern}, "content": content} */
static void add_replace(at_arena *a, at_tree *list, const char *kind, const char *pattern,
                        const char *content)
{
    at_tree *s = at__add_section(a, list, NULL, "Replace");
    at__add_text(a, at_tree_add(a, s, "pattern", at_tree_new(a, AT_MAP)), kind, pattern);
    at__add_text(a, s, "content", content);
}

static at_status add_normalizers(reading *r, at_tree *all)
{
    at_arena *a = r->arena;
    at_tree *list = at_tree_add(a, at__add_section(a, all, "normalizer", "Sequence"), "normalizers",
                                at_tree_new(a, AT_LIST));
    if (r->charsmap.size) {
        at_text base64;
        at_text_init(&base64, a->ctx);
        at_text_base64(&base64, r->charsmap.data, r->charsmap.size);
        if (at_text_status(&base64) == AT_OK)
            at__add_text(a, at__add_section(a, list, NULL, "Precompiled"), "precompiled_charsmap",
                         base64.data);
        at_text_deinit(&base64);
    }
    if (r->one_space) {
        add_replace(a, list, "Regex", "^ +| +\\z", ""); /* spaces alone: Strip would take every blank */
        add_replace(a, list, "Regex", " {2,}", " ");
    }
    if (!r->bpe) return at_last_status(a->ctx); /* Metaspace does the rest */
    if (r->prefix) at__add_text(a, at__add_section(a, list, NULL, "Prepend"), "prepend", "\xe2\x96\x81");
    add_replace(a, list, "String", " ", "\xe2\x96\x81");
    return at_last_status(a->ctx);
}

/* The token of a key of the config, or the one that SentencePiece names so. */
static at_status add_special(reading *r, at_tree *lists[2], at_tree *known, const char *key,
                             const char *fallback)
{
    at_arena *a = r->arena;
    const at_tree *map = at_tree_get(r->config.tree, key);
    const char *token;
    at_section s = r->config;
    if (map && map->kind == AT_MAP) s.tree = map;
    AT_TRY(at_section_text(&s, &token, s.tree == map && map ? "content" : key, fallback));
    const int32_t id = at_vocab_find(&r->t->vocab, token, strlen(token));
    AT_REQUIRE(a->ctx, id >= 0, AT_E_FORMAT, "%s: the special token \"%s\" (%s) is not in it", r->path, token,
               key);
    for (int i = 0; i < 2; i++) {
        at_tree *item = at_tree_add(a, at_tree_add(a, lists[i], NULL, at_tree_new(a, AT_MAP)), "SpecialToken",
                                    at_tree_new(a, AT_MAP));
        at__add_text(a, item, "id", token);
        at_tree_add(a, item, "type_id", at_tree_whole(a, 0));
    }
    if (at_tree_get(known, token)) return at_last_status(a->ctx);
    at_tree *entry = at_tree_add(a, known, token, at_tree_new(a, AT_MAP));
    at_tree *ids = at_tree_add(a, entry, "ids", at_tree_new(a, AT_LIST));
    at_tree_add(a, ids, NULL, at_tree_whole(a, id));
    return at_last_status(a->ctx);
}

static void add_sequence(at_arena *a, at_tree *list, const char *id)
{
    at_tree *item = at_tree_add(a, at_tree_add(a, list, NULL, at_tree_new(a, AT_MAP)), "Sequence",
                                at_tree_new(a, AT_MAP));
    at__add_text(a, item, "id", id);
    at_tree_add(a, item, "type_id", at_tree_whole(a, 0));
}

/* bos and eos stand around each text; the types are 0 throughout. */
static at_status add_post_processor(reading *r, at_tree *all, bool bos, bool eos)
{
    at_arena *a = r->arena;
    at_tree *post = at__add_section(a, all, "post_processor", "TemplateProcessing");
    at_tree *single = at_tree_add(a, post, "single", at_tree_new(a, AT_LIST));
    at_tree *pair = at_tree_add(a, post, "pair", at_tree_new(a, AT_LIST));
    at_tree *known = at_tree_add(a, post, "special_tokens", at_tree_new(a, AT_MAP));
    at_tree *both[2] = {single, pair}, *second[2] = {pair, NULL};
    AT_TRY(at_last_status(a->ctx));
    if (bos) AT_TRY(add_special(r, both, known, "bos_token", "<s>"));
    add_sequence(a, single, "A");
    add_sequence(a, pair, "A");
    if (eos) AT_TRY(add_special(r, both, known, "eos_token", "</s>"));
    if (bos) AT_TRY(add_special(r, second, known, "bos_token", "<s>"));
    add_sequence(a, pair, "B");
    return eos ? add_special(r, second, known, "eos_token", "</s>") : at_last_status(a->ctx);
}

/* What stands around the text when the config is silent. */
static at_status check_class(const reading *r, bool *bos, bool *eos)
{
    const char *class;
    AT_TRY(at_section_text(&r->config, &class, "tokenizer_class", ""));
    const bool llama = strncmp(class, "Llama", 5) == 0, t5 = strncmp(class, "T5", 2) == 0;
    AT_REQUIRE(
        r->arena->ctx, !*class || llama || t5, AT_E_UNSUPPORTED,
        "%s: tokenizer_class %s may number the pieces of %s in its own way; known are LlamaTokenizer and "
        "T5Tokenizer; save the tokenizer as tokenizer.json",
        r->config.where, class, r->path);
    *bos = llama;
    *eos = t5;
    AT_TRY(at_section_flag(&r->config, bos, "add_bos_token", *bos));
    return at_section_flag(&r->config, eos, "add_eos_token", *eos);
}

static at_status assemble(reading *r, at_tree *all)
{
    at_arena *a = r->arena;
    bool bos, eos;
    AT_TRY(check_class(r, &bos, &eos));
    AT_TRY(add_normalizers(r, all));
    at_tree *model = at__add_section(a, all, "model", r->bpe ? "BPE" : "Unigram");
    at_tree_add(a, model, "unk_id", at_tree_whole(a, r->unknown));
    at__add_text(a, model, "unk_token", r->t->vocab.token[r->unknown]);
    at__add_flag(a, model, "fuse_unk", true);
    at__add_flag(a, model, "byte_fallback", r->bytes);
    if (!r->bpe) {
        at_tree *words = at__add_section(a, all, "pre_tokenizer", "Metaspace");
        at__add_text(a, words, "prepend_scheme", r->prefix ? "always" : "never");
    }
    AT_TRY(at_last_status(a->ctx));
    AT_TRY(add_post_processor(r, all, bos, eos));
    r->source.scores = r->score;
    return at__tokenizer_assemble(r->t, all, &r->source, r->path);
}

static at_status open_file(at_tokenizer *t, const char *folder, const char *name)
{
    char *bytes;
    size_t size;
    reading r = {.t = t, .arena = &t->arena, .prefix = true, .one_space = true, .unknown = -1};
    at_tree *all = at_tree_new(r.arena, AT_MAP);
    r.added = at_tree_add(r.arena, all, "added_tokens", at_tree_new(r.arena, AT_LIST));
    r.path = at_arena_printf(r.arena, "%s/%s", folder, name);
    if (!r.added || !r.path) return AT_E_NOMEM;
    AT_TRY(at__config_read(t, &r.config, folder));
    AT_TRY(at__tokenizer_read(t, r.path, false, &bytes, &size));
    at_status status = read_model(&r, bytes, size);
    if (status == AT_OK) status = assemble(&r, all);
    at_free(t->arena.ctx, bytes);
    return status;
}

static at_status open_tokenizer(at_tokenizer *t, const char *folder)
{
    return open_file(t, folder, "tokenizer.model");
}

static at_status open_spiece(at_tokenizer *t, const char *folder)
{
    return open_file(t, folder, "spiece.model");
}

const at_tokenizer_file at_tokenizer_file_model = {
    .name = "tokenizer.model", .rank = 3, .open = open_tokenizer};
const at_tokenizer_file at_tokenizer_file_spiece = {.name = "spiece.model", .rank = 4, .open = open_spiece};
