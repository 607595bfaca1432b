/* sentence.c: reading, applying and writing what makes one row of a text. Reading path: at_sentence_read,
 * read_modules, read_pooling; the formats are those of sentence-transformers 2 to 6. */
#include "models/sentence.h"
#include "formats/file.h"
#include "ops/l2norm/l2norm.h"
#include "ops/segment_max/segment_max.h"
#include "ops/segment_pool/segment_pool.h"

/* Poolings as newer folders name them, and older ones behind "pooling_mode_". */
static const struct {
    const char *name, *older;
    bool always; /* is written whether it is used or not; the first versions know no others */
    const char *text;
    at_segment_mode mode; /* but for max */
} poolings[] = {
    [AT_POOL_MEAN] = {"mean", "mean_tokens", true, "the mean of its tokens", AT_SEGMENT_MEAN},
    [AT_POOL_FIRST] = {"cls", "cls_token", true, "its first token", AT_SEGMENT_FIRST},
    [AT_POOL_MAX] = {"max", "max_tokens", true, "the largest of its tokens' numbers", 0},
    [AT_POOL_MEAN_SQRT] = {"mean_sqrt_len_tokens", "mean_sqrt_len_tokens", true,
                           "the sum of its tokens over the square root of their number",
                           AT_SEGMENT_MEAN_SQRT},
    [AT_POOL_WEIGHTED] = {"weightedmean", "weightedmean_tokens", false,
                          "the mean of its tokens, weighted by position", AT_SEGMENT_WEIGHTED},
    [AT_POOL_LAST] = {"lasttoken", "lasttoken", false, "its last token", AT_SEGMENT_LAST},
};

/* ---- Reading ---- */

typedef struct reader {
    at_arena arena;
    const char *folder;
    at_sentence *s;
    at_text poolings; /* "cls and mean" */
    int n_poolings;
} reader;

/* NULL = the file is not there. */
static at_status read_file(reader *r, const at_tree **out, const char **path, const char *name)
{
    at_tree *t;
    *out = NULL;
    if (!(*path = at_path_join(&r->arena, r->folder, name))) return AT_E_NOMEM;
    if (!at_path_exists(*path)) return AT_OK;
    AT_TRY(at_tree_read(&r->arena, &t, *path));
    *out = t;
    return AT_OK;
}

static const char *text_of(const at_tree *map, const char *key)
{
    const at_tree *t = at_tree_get(map, key);
    return t && t->kind == AT_STRING ? t->text : "";
}

static at_status no_such_pooling(reader *r, const char *path, const char *name)
{
    at_text known;
    at_text_init(&known, r->arena.ctx);
    for (int i = 0; i < AT_COUNT(poolings); i++)
        at_text_printf(&known, "%s%s", i ? ", " : "", poolings[i].name);
    at_status s = at_text_status(&known);
    if (s == AT_OK)
        s = at_fail(r->arena.ctx, AT_E_UNSUPPORTED, "%s: pooling %s is not known; known are %s", path, name,
                    known.data);
    at_text_deinit(&known);
    return s;
}

static at_status add_pooling(reader *r, const char *path, const char *name)
{
    for (int i = 0; i < AT_COUNT(poolings); i++)
        if (strcmp(name, poolings[i].name) == 0 || strcmp(name, poolings[i].older) == 0) {
            r->s->pooling = (at_pooling)i;
            at_text_printf(&r->poolings, "%s%s", r->n_poolings++ ? " and " : "", poolings[i].name);
            return at_text_status(&r->poolings);
        }
    return no_such_pooling(r, path, name);
}

/* "pooling_mode": "mean" of newer folders, {"pooling_mode_mean_tokens": true} of older ones; several are
 * lists, or several flags; none is the mean. Newer keys count where both are. */
static at_status add_poolings(reader *r, const char *path, const at_tree *config)
{
    static const char prefix[] = "pooling_mode_";
    const at_tree *mode = at_tree_get(config, "pooling_mode");
    if (mode && mode->kind == AT_STRING) return add_pooling(r, path, mode->text);
    if (mode && mode->kind == AT_LIST) {
        for (const at_tree *t = mode->first; t; t = t->next)
            AT_TRY(add_pooling(r, path, t->kind == AT_STRING ? t->text : at_tree_kind_name(t->kind)));
        return AT_OK;
    }
    for (const at_tree *t = config->first; t; t = t->next)
        if (strncmp(t->key, prefix, sizeof prefix - 1) == 0 && t->kind == AT_FLAG && t->flag)
            AT_TRY(add_pooling(r, path, t->key + sizeof prefix - 1));
    return AT_OK;
}

static at_status read_pooling(reader *r, const char *folder)
{
    const at_tree *config;
    const char *path, *file = at_arena_printf(&r->arena, "%s/config.json", folder);
    if (!file) return AT_E_NOMEM;
    AT_TRY(read_file(r, &config, &path, file));
    AT_REQUIRE(r->arena.ctx, config && config->kind == AT_MAP, AT_E_FORMAT,
               "%s: is named by modules.json, and must hold one object", path);
    AT_TRY(add_poolings(r, path, config));
    AT_REQUIRE(r->arena.ctx, r->n_poolings <= 1, AT_E_UNSUPPORTED,
               "%s: poolings %s side by side are not supported; keep one of them", path, r->poolings.data);
    return AT_OK;
}

static at_status read_module(reader *r, const char *path, const at_tree *module)
{
    const char *type = text_of(module, "type"), *dot = strrchr(type, '.'), *kind = dot ? dot + 1 : type;
    if (strcmp(kind, "Transformer") == 0) {
        AT_REQUIRE(r->arena.ctx, !*text_of(module, "path"), AT_E_UNSUPPORTED,
                   "%s: the network is in the folder %s; move its files beside modules.json", path,
                   text_of(module, "path"));
        return AT_OK;
    }
    if (strcmp(kind, "Pooling") == 0) return read_pooling(r, text_of(module, "path"));
    AT_REQUIRE(r->arena.ctx, strcmp(kind, "Normalize") == 0, AT_E_UNSUPPORTED,
               "%s: module %s is not known; known are Transformer, Pooling and Normalize", path,
               *type ? type : "without a type");
    r->s->normalise = true;
    return AT_OK;
}

static at_status read_modules(reader *r)
{
    const at_tree *modules;
    const char *path;
    AT_TRY(read_file(r, &modules, &path, "modules.json"));
    if (!modules) return AT_OK;
    AT_REQUIRE(r->arena.ctx, modules->kind == AT_LIST, AT_E_FORMAT, "%s: must hold a list of modules", path);
    r->s->found = true;
    for (const at_tree *m = modules->first; m; m = m->next) AT_TRY(read_module(r, path, m));
    return AT_OK;
}

static at_status read_rest(reader *r)
{
    const at_tree *config;
    const char *path;
    AT_TRY(read_file(r, &config, &path, "sentence_bert_config.json"));
    const at_tree *length = at_tree_get(config, "max_seq_length");
    if (length && length->kind == AT_WHOLE) {
        AT_REQUIRE(r->arena.ctx, length->whole >= 3, AT_E_FORMAT,
                   "%s: max_seq_length is %lld, must be 3 at least", path, (long long)length->whole);
        r->s->max_length = length->whole;
    }
    AT_TRY(read_file(r, &config, &path, "config_sentence_transformers.json"));
    const at_tree *prompts = at_tree_get(config, "prompts");
    const char *name = text_of(config, "default_prompt_name");
    r->s->has_prompt = *name && *text_of(prompts, name);
    return AT_OK;
}

at_status at_sentence_read(at_ctx *ctx, at_sentence *out, const char *folder)
{
    *out = (at_sentence){0};
    at_sentence s = {0};
    reader r = {.folder = folder, .s = &s};
    at_arena_init(&r.arena, ctx);
    at_text_init(&r.poolings, ctx);
    at_status status = read_modules(&r);
    if (status == AT_OK && s.found) status = read_rest(&r);
    at_text_deinit(&r.poolings);
    at_arena_deinit(&r.arena);
    if (status == AT_OK) *out = s;
    return status;
}

bool at_sentence_is(at_ctx *ctx, const char *folder)
{
    at_arena a;
    at_arena_init(&a, ctx);
    const char *path = at_path_join(&a, folder, "modules.json");
    const bool is = path && at_path_exists(path);
    at_arena_deinit(&a);
    return is;
}

/* ---- Writing ---- */

static at_status write_tree(at_arena *a, const at_tree *t, const char *folder, const char *name)
{
    at_text text;
    const char *path = at_path_join(a, folder, name);
    if (!path || !t) return AT_E_NOMEM;
    at_text_init(&text, a->ctx);
    at_json_write(&text, t, 2);
    at_status s = at_text_status(&text);
    if (s == AT_OK) s = at_file_write(a->ctx, path, text.data, text.size);
    at_text_deinit(&text);
    return s;
}

static void add_module(at_arena *a, at_tree *list, const char *folder, const char *kind)
{
    at_tree *m = at_tree_add(a, list, NULL, at_tree_new(a, AT_MAP));
    const int64_t number = list ? list->n - 1 : 0;
    at_tree_add(a, m, "idx", at_tree_whole(a, number));
    at_tree_add(a, m, "name", at_tree_string(a, at_arena_printf(a, "%lld", (long long)number)));
    at_tree_add(a, m, "path", at_tree_string(a, folder));
    at_tree_add(a, m, "type", at_tree_string(a, at_arena_printf(a, "sentence_transformers.models.%s", kind)));
}

static at_status write_modules(at_arena *a, const at_sentence *s, const char *folder)
{
    at_tree *list = at_tree_new(a, AT_LIST);
    add_module(a, list, "", "Transformer");
    add_module(a, list, "1_Pooling", "Pooling");
    if (s->normalise) add_module(a, list, "2_Normalize", "Normalize");
    AT_TRY(at_last_status(a->ctx));
    return write_tree(a, list, folder, "modules.json");
}

static at_status write_pooling(at_arena *a, const at_sentence *s, const char *folder, int64_t width)
{
    at_tree *t = at_tree_new(a, AT_MAP);
    const char *to = at_path_join(a, folder, "1_Pooling");
    if (!to) return AT_E_NOMEM;
    at_tree_add(a, t, "word_embedding_dimension", at_tree_whole(a, width));
    for (int i = 0; i < AT_COUNT(poolings); i++)
        if (poolings[i].always || s->pooling == (at_pooling)i)
            at_tree_add(a, t, at_arena_printf(a, "pooling_mode_%s", poolings[i].older),
                        at_tree_flag(a, s->pooling == (at_pooling)i));
    AT_TRY(at_last_status(a->ctx));
    AT_TRY(at_folder_make(a->ctx, to));
    return write_tree(a, t, to, "config.json");
}

static at_status write_rest(at_arena *a, const at_sentence *s, const char *folder)
{
    at_tree *length = at_tree_new(a, AT_MAP), *config = at_tree_new(a, AT_MAP);
    at_tree_add(a, length, "max_seq_length",
                s->max_length ? at_tree_whole(a, s->max_length) : at_tree_new(a, AT_NULL));
    at_tree_add(a, length, "do_lower_case", at_tree_flag(a, false));
    at_tree_add(a, config, "similarity_fn_name", at_tree_string(a, "cosine"));
    AT_TRY(at_last_status(a->ctx));
    AT_TRY(write_tree(a, length, folder, "sentence_bert_config.json"));
    return write_tree(a, config, folder, "config_sentence_transformers.json");
}

at_status at_sentence_write(at_ctx *ctx, const at_sentence *s, const char *folder, int64_t width)
{
    at_arena a;
    at_arena_init(&a, ctx);
    at_status status = write_modules(&a, s, folder);
    if (status == AT_OK) status = write_pooling(&a, s, folder, width);
    if (status == AT_OK) status = write_rest(&a, s, folder);
    at_arena_deinit(&a);
    return status;
}

/* ---- Applying ---- */

const char *at_sentence_text(const at_sentence *s)
{
    return poolings[s->pooling].text;
}

at_value *at_sentence_apply(at_graph *g, const at_sentence *s, at_value *x, const at_sequences *of)
{
    at_graph_site(g, "sentence");
    x = s->pooling == AT_POOL_MAX
            ? at_segment_max(g, x, of->offsets, of->sample_id)
            : at_segment_pool(g, poolings[s->pooling].mode, x, of->offsets, of->sample_id);
    return s->normalise ? at_l2norm(g, x) : x;
}
