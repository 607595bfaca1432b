/* tokenizer.json: everything in one file, as Hugging Face's `tokenizers` writes it. */
#include "text/tokenizer_internal.h"

typedef struct reading {
    at_tokenizer *t;
    at_json_scan scan;
    const char *path;
    at_tree *sections;
    at_model_source source;
} reading;

/* A value as a tree. */
static at_status parse(reading *r, at_tree *parent, const char *key, at_json_slice value)
{
    at_tree *child;
    const char *name = at_arena_printf(&r->t->arena, "%s: %s", r->path, key);
    if (!name) return AT_E_NOMEM;
    AT_TRY(at_json_parse(&r->t->arena, &child, value.text, value.size, name));
    return at_tree_add(&r->t->arena, parent, key, child) ? AT_OK : AT_E_NOMEM;
}

static at_status read_key(reading *r, const at_tree *parent, const char **out)
{
    const char *text;
    size_t n;
    char *key;
    AT_TRY(at_json_scan_key(&r->scan, &text, &n));
    if (!(key = at_arena_alloc(&r->t->arena, n + 1))) return AT_E_NOMEM;
    memcpy(key, text, n);
    *out = key;
    return at_tree_get(parent, key) ? at_json_scan_fail(&r->scan, "\"%s\" is there twice", key) : AT_OK;
}

/* Lists and maps of the model are the vocabulary: they stay text. */
static at_status read_model(reading *r)
{
    bool more;
    at_tree *model = at_tree_add(&r->t->arena, r->sections, "model", at_tree_new(&r->t->arena, AT_MAP));
    if (!model) return AT_E_NOMEM;
    AT_TRY(at_json_scan_enter(&r->scan, '{'));
    for (;;) {
        const char *key;
        at_json_slice value;
        AT_TRY(at_json_scan_next(&r->scan, &more, '}'));
        if (!more) return AT_OK;
        AT_TRY(read_key(r, model, &key));
        AT_TRY(at_json_scan_skip(&r->scan, &value));
        if (*value.text != '{' && *value.text != '[') {
            AT_TRY(parse(r, model, key, value));
            continue;
        }
        for (int i = 0; i < r->source.n; i++)
            if (strcmp(r->source.list[i].key, key) == 0)
                return at_json_scan_fail(&r->scan, "\"%s\" is there twice", key);
        if (r->source.n == AT_MODEL_LISTS)
            return at_json_scan_fail(&r->scan, "more than %d lists in the model", AT_MODEL_LISTS);
        r->source.list[r->source.n].file = &r->scan;
        r->source.list[r->source.n].key = key;
        r->source.list[r->source.n++].value = value;
    }
}

static bool is_one_of(const char *key, const char *const *names)
{
    while (*names && strcmp(*names, key) != 0) names++;
    return *names != NULL;
}

static at_status read_sections(reading *r)
{
    /* truncation, padding and decoder are other things' business */
    static const char *const wanted[] = {"added_tokens", "normalizer", "pre_tokenizer", "post_processor",
                                         NULL};
    bool more;
    if (!(r->sections = at_tree_new(&r->t->arena, AT_MAP))) return AT_E_NOMEM;
    AT_TRY(at_json_scan_enter(&r->scan, '{'));
    for (;;) {
        const char *key;
        at_json_slice value;
        AT_TRY(at_json_scan_next(&r->scan, &more, '}'));
        if (!more) return at_json_scan_end(&r->scan);
        AT_TRY(read_key(r, r->sections, &key));
        if (strcmp(key, "model") == 0 && at_json_scan_peek(&r->scan) == '{') {
            AT_TRY(read_model(r));
            continue;
        }
        AT_TRY(at_json_scan_skip(&r->scan, &value));
        if (is_one_of(key, wanted)) AT_TRY(parse(r, r->sections, key, value));
    }
}

static at_status open(at_tokenizer *t, const char *folder)
{
    char *text;
    size_t size;
    reading r = {.t = t, .path = at_arena_printf(&t->arena, "%s/tokenizer.json", folder)};
    if (!r.path) return AT_E_NOMEM;
    AT_TRY(at__tokenizer_read(t, r.path, false, &text, &size));
    at_json_scan_init(&r.scan, t->arena.ctx, text, size, r.path);
    at_status status = read_sections(&r);
    if (status == AT_OK) status = at__tokenizer_assemble(t, r.sections, &r.source, r.path);
    at_json_scan_deinit(&r.scan);
    at_free(t->arena.ctx, text);
    return status;
}

const at_tokenizer_file at_tokenizer_file_json = {.name = "tokenizer.json", .rank = 0, .open = open};
