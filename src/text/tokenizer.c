/* tokenizer.c: opening a tokenizer from a folder, and what it knows of its tokens. Layer: text.
 * Reading path: at_tokenizer_open, a route in files/, at__tokenizer_assemble, encode.c. */
#include "formats/file.h"
#include "text/tokenizer_internal.h"

enum { FILE_LIMIT = 256 << 20 }; /* bytes; the largest known are 40 MB */

/* ---- Opening ---- */

at_status at__tokenizer_read(at_tokenizer *t, const char *path, bool may_be_absent, char **text, size_t *size)
{
    *text = NULL;
    *size = 0;
    if (may_be_absent && !at_path_exists(path)) return AT_OK;
    AT_TRY(at_file_read(t->arena.ctx, text, size, path, FILE_LIMIT));
    const uint64_t n = *size;
    at_digest_add(&t->digest, &n, sizeof n);
    at_digest_add(&t->digest, *text, *size);
    return AT_OK;
}

static at_status sub_section(at_section *out, const at_section *s, const at_tree *sections, const char *key)
{
    const at_tree *child = at_tree_get(sections, key);
    *out = *s;
    out->tree = NULL;
    if (!child || child->kind == AT_NULL) return AT_OK;
    AT_REQUIRE(s->ctx, child->kind == AT_MAP, AT_E_FORMAT, "%s: %s must be a map, it is %s", s->where, key,
               at_tree_kind_name(child->kind));
    out->tree = child;
    out->where = at_arena_printf(s->arena, "%s: %s", s->where, key);
    return out->where ? AT_OK : AT_E_NOMEM;
}

at_status at__tokenizer_assemble(at_tokenizer *t, const at_tree *sections, const at_model_source *source,
                                 const char *path)
{
    const at_section all = {t->arena.ctx, &t->arena, t, sections, path, NULL};
    at_section s;
    AT_TRY(sub_section(&s, &all, sections, "model"));
    AT_REQUIRE(all.ctx, s.tree, AT_E_FORMAT, "%s: the section model is missing", path);
    s.source = source;
    AT_TRY(at_token_model_parse(&t->model, &t->model_params, &s));
    AT_TRY(sub_section(&s, &all, sections, "normalizer"));
    if (s.tree) AT_TRY(at_normalizer_parse(&t->normalizer, &s));
    AT_TRY(sub_section(&s, &all, sections, "pre_tokenizer"));
    if (s.tree) AT_TRY(at_pre_tokenizer_parse(&t->pre_tokenizer, &s));
    const at_tree *type = at_tree_get(s.tree, "type");
    t->of_bytes = type && strcmp(type->text, "ByteLevel") == 0;
    AT_TRY(at_added_parse(&all, at_tree_get(sections, "added_tokens")));
    AT_TRY(sub_section(&s, &all, sections, "post_processor"));
    return s.tree ? at_post_processor_parse(&t->post, &s) : AT_OK;
}

/* The file that says most among those that are there. */
static const at_tokenizer_file *find_file(at_arena *a, const char *folder)
{
    const at_tokenizer_file *best = NULL, *f;
    for (int cursor = 0; (f = at_registry_next(a->ctx, "tokenizer_file", &cursor));) {
        const char *path = at_arena_printf(a, "%s/%s", folder, f->name);
        if (path && at_path_exists(path) && (!best || f->rank < best->rank)) best = f;
    }
    return best;
}

static at_status no_file(at_ctx *ctx, const char *folder)
{
    at_text known;
    const at_tokenizer_file *f;
    at_text_init(&known, ctx);
    for (int cursor = 0; (f = at_registry_next(ctx, "tokenizer_file", &cursor));)
        at_text_printf(&known, "%s%s", known.size ? ", " : "", f->name);
    at_status status = at_text_status(&known);
    if (status == AT_OK)
        status = at_fail(ctx, AT_E_IO, "%s: there is no tokenizer; one of these files is needed: %s", folder,
                         known.data);
    at_text_deinit(&known);
    return status;
}

at_status at_tokenizer_open(at_tokenizer **out, at_ctx *ctx, const char *folder)
{
    at_tokenizer *t;
    *out = NULL;
    AT_NEW(ctx, t, 1);
    at_arena_init(&t->arena, ctx);
    at_vocab_init(&t->vocab, &t->arena);
    at_digest_init(&t->digest);
    const at_tokenizer_file *f = find_file(&t->arena, folder);
    at_status status = at_last_status(ctx);
    if (status == AT_OK) status = f ? f->open(t, folder) : no_file(ctx, folder);
    if (status != AT_OK) {
        at_tokenizer_close(ctx, t);
        return status;
    }
    at_digest_end(&t->digest, t->identity);
    *out = t;
    return AT_OK;
}

void at_tokenizer_close(at_ctx *ctx, at_tokenizer *t)
{
    if (!t) return;
    at_regex_free_all(ctx, t->regexes);
    t->arena.ctx = ctx;
    at_arena_deinit(&t->arena);
    at_free(ctx, t);
}

/* ---- Tokens ---- */

int64_t at_tokenizer_size(const at_tokenizer *t)
{
    int64_t size = t->vocab.size;
    for (int64_t i = 0; i < t->added.n; i++) size = at_max(size, t->added.list[i].id + (int64_t)1);
    return size;
}

const char *at_tokenizer_token(const at_tokenizer *t, int32_t id)
{
    if (id >= 0 && id < t->vocab.size && t->vocab.token[id]) return t->vocab.token[id];
    for (int64_t i = 0; i < t->added.n; i++)
        if (t->added.list[i].id == id) return t->added.list[i].content;
    return NULL;
}

int32_t at_tokenizer_id(const at_tokenizer *t, const char *token)
{
    for (int64_t i = 0; i < t->added.n; i++)
        if (strcmp(t->added.list[i].content, token) == 0) return t->added.list[i].id;
    return at_vocab_find(&t->vocab, token, strlen(token));
}

void at_tokenizer_digest(const at_tokenizer *t, at_digest *out)
{
    at_digest_add(out, t->identity, sizeof t->identity);
}
