/* section.c: reading sections of tokenizer.json: members, stages, and the errors that name their place.
 * Layer: text. */
#include "text/tokenizer_internal.h"

/* ---- Members ---- */

/* NULL where it is absent or null. */
static const at_tree *member(const at_section *s, const char *key)
{
    const at_tree *m = at_tree_get(s->tree, key);
    return m && m->kind != AT_NULL ? m : NULL;
}

static at_status wrong_kind(const at_section *s, const char *key, const at_tree *m, const char *want)
{
    return at_fail(s->ctx, AT_E_FORMAT, "%s: %s must be %s, it is %s", s->where, key, want,
                   m ? at_tree_kind_name(m->kind) : "missing");
}

at_status at_section_flag(const at_section *s, bool *out, const char *key, bool fallback)
{
    const at_tree *m = member(s, key);
    if (m && m->kind != AT_FLAG) return wrong_kind(s, key, m, "true or false");
    *out = m ? m->flag : fallback;
    return AT_OK;
}

at_status at_section_whole(const at_section *s, int64_t *out, const char *key, int64_t low, int64_t high,
                           int64_t fallback)
{
    const at_tree *m = member(s, key);
    if (m && m->kind != AT_WHOLE) return wrong_kind(s, key, m, "a whole number");
    *out = m ? m->whole : fallback;
    AT_REQUIRE(s->ctx, *out >= low && *out <= high, AT_E_FORMAT,
               "%s: %s must be from %lld to %lld, it is %lld", s->where, key, (long long)low, (long long)high,
               (long long)*out);
    return AT_OK;
}

at_status at_section_text(const at_section *s, const char **out, const char *key, const char *fallback)
{
    const at_tree *m = member(s, key);
    if (m ? m->kind != AT_STRING : !fallback) return wrong_kind(s, key, m, "text");
    *out = at_arena_strdup(s->arena, m ? m->text : fallback);
    return *out ? AT_OK : AT_E_NOMEM;
}

at_status at_section_choice(const at_section *s, int *out, const char *key, const char *const *names, int n,
                            const char *fallback)
{
    const char *got;
    AT_TRY(at_section_text(s, &got, key, fallback));
    for (*out = 0; *out < n; ++*out)
        if (strcmp(names[*out], got) == 0) return AT_OK;
    at_text known;
    at_text_init(&known, s->ctx);
    for (int i = 0; i < n; i++) at_text_printf(&known, "%s%s", i ? ", " : "", names[i]);
    at_status status = at_text_status(&known);
    if (status == AT_OK)
        status = at_fail(s->ctx, AT_E_UNSUPPORTED, "%s: %s \"%s\" is not known; known are %s", s->where, key,
                         got, known.data);
    at_text_deinit(&known);
    return status;
}

at_status at_section_list(const at_section *s, const at_tree **out, const char *key)
{
    *out = member(s, key);
    return *out && (*out)->kind == AT_LIST ? AT_OK : wrong_kind(s, key, *out, "a list");
}

at_status at_section_map(const at_section *s, const at_tree **out, const char *key)
{
    *out = member(s, key);
    return *out && (*out)->kind == AT_MAP ? AT_OK : wrong_kind(s, key, *out, "a map");
}

at_status at_section_child(at_section *out, const at_section *s, const at_tree *child, const char *list,
                           int64_t i)
{
    AT_REQUIRE(s->ctx, child->kind == AT_MAP, AT_E_FORMAT, "%s%s[%lld] must be a map, it is %s", s->where,
               list, (long long)i, at_tree_kind_name(child->kind));
    *out = *s;
    out->tree = child;
    out->where = at_arena_printf(s->arena, "%s%s[%lld]", s->where, list, (long long)i);
    return out->where ? AT_OK : AT_E_NOMEM;
}

at_status at_section_pattern(const at_section *s, at_regex **out)
{
    const at_tree *m, *literal, *regex;
    AT_TRY(at_section_map(s, &m, "pattern"));
    literal = at_tree_get(m, "String");
    regex = at_tree_get(m, "Regex");
    const at_tree *one = literal ? literal : regex;
    AT_REQUIRE(s->ctx, one && one->kind == AT_STRING && m->n == 1, AT_E_FORMAT,
               "%s: pattern must be {\"String\": text} or {\"Regex\": text}", s->where);
    *out = NULL;
    if (literal && !*literal->text) return AT_OK;
    return (literal ? at_regex_literal : at_regex_compile)(out, &s->t->regexes, s->ctx, one->text, s->where);
}

at_status at_section_regex(const at_section *s, at_regex **out, const char *pattern)
{
    return at_regex_compile(out, &s->t->regexes, s->ctx, pattern, s->where);
}

at_status at_section_behaviour(const at_section *s, at_behaviour *out, const char *fallback)
{
    static const char *const names[] = {"Removed", "Isolated", "MergedWithPrevious", "MergedWithNext",
                                        "Contiguous"}; /* in the order of at_behaviour */
    int i;
    AT_TRY(at_section_choice(s, &i, "behavior", names, AT_COUNT(names), fallback));
    *out = (at_behaviour)i;
    return AT_OK;
}

at_status at_section_special(const at_section *s, int32_t *out, const char *key)
{
    const at_tree *m;
    AT_TRY(at_section_list(s, &m, key));
    const at_tree *id = m->first ? m->first->next : NULL;
    const int64_t size = at_tokenizer_size(s->t);
    AT_REQUIRE(s->ctx, m->n == 2 && id->kind == AT_WHOLE && id->whole >= 0 && id->whole < size, AT_E_FORMAT,
               "%s: %s must be [token, id], the id one from 0 to %lld", s->where, key, (long long)size - 1);
    *out = (int32_t)id->whole;
    return AT_OK;
}

/* ---- Kinds ---- */

static at_status unknown_kind(const at_section *s, const char *kind, const char *type)
{
    at_text known;
    int cursor = 0;
    const void *item;
    at_text_init(&known, s->ctx);
    while ((item = at_registry_next(s->ctx, kind, &cursor)))
        at_text_printf(&known, "%s%s", known.size ? ", " : "", *(const char *const *)item);
    at_status status = at_text_status(&known);
    if (status == AT_OK)
        status = at_fail(s->ctx, AT_E_UNSUPPORTED, "%s: type \"%s\" is not known; known are %s", s->where,
                         type, known.size ? known.data : "none");
    at_text_deinit(&known);
    return status;
}

/* The descriptor that the section's type names. */
static at_status find_kind(const void **out, const at_section *s, const char *kind)
{
    const char *type = "";
    AT_TRY(at_section_text(s, &type, "type", NULL));
    *out = at_registry_find(s->ctx, kind, type);
    return *out ? AT_OK : unknown_kind(s, kind, type);
}

at_status at_normalizer_parse(at_step *out, const at_section *s)
{
    const void *found;
    void *params;
    AT_TRY(find_kind(&found, s, "normalizer"));
    const at_normalizer *k = found;
    if (!(params = at_arena_alloc(s->arena, k->size))) return AT_E_NOMEM;
    *out = (at_step){k->apply, params};
    return k->parse ? k->parse(s, params) : AT_OK;
}

at_status at_pre_tokenizer_parse(at_step *out, const at_section *s)
{
    const void *found;
    void *params;
    AT_TRY(find_kind(&found, s, "pre_tokenizer"));
    const at_pre_tokenizer *k = found;
    if (!(params = at_arena_alloc(s->arena, k->size))) return AT_E_NOMEM;
    *out = (at_step){k->apply, params};
    return k->parse ? k->parse(s, params) : AT_OK;
}

at_status at_token_model_parse(const at_token_model **out, const void **params, const at_section *s)
{
    const void *found;
    void *made;
    AT_TRY(find_kind(&found, s, "token_model"));
    *out = found;
    if (!(*params = made = at_arena_alloc(s->arena, (*out)->size))) return AT_E_NOMEM;
    return (*out)->parse(s, made);
}

at_status at_post_processor_parse(at_post *out, const at_section *s)
{
    const void *found;
    AT_TRY(find_kind(&found, s, "post_processor"));
    const at_post_processor *k = found;
    return k->parse(s, out);
}

at_status at_steps_parse(at_steps *out, const at_section *s, const char *key,
                         at_status (*parse)(at_step *, const at_section *))
{
    const at_tree *list;
    AT_TRY(at_section_list(s, &list, key));
    if (!(out->list = at_arena_alloc(s->arena, (size_t)list->n * sizeof *out->list))) return AT_E_NOMEM;
    const char *place = at_arena_printf(s->arena, ".%s", key);
    if (!place) return AT_E_NOMEM;
    for (const at_tree *c = list->first; c; c = c->next) {
        at_section child;
        AT_TRY(at_section_child(&child, s, c, place, out->n));
        AT_TRY(parse(&out->list[out->n++], &child));
    }
    return AT_OK;
}

void at_steps_apply(const at_steps *steps, at_pieces *w)
{
    for (int64_t i = 0; i < steps->n; i++) steps->list[i].apply(steps->list[i].params, w);
}

at_status at_template_make(const at_section *s, at_template *out, const at_template_item *items, int64_t n)
{
    at_template_item *copy = at_arena_alloc(s->arena, (size_t)n * sizeof *copy);
    if (!copy) return AT_E_NOMEM;
    memcpy(copy, items, (size_t)n * sizeof *copy);
    *out = (at_template){copy, n};
    return AT_OK;
}

/* ---- The model's lists ---- */

at_status at_model_scan(at_json_scan *out, const at_section *s, const char *key)
{
    int i = s->source ? s->source->n - 1 : -1;
    while (i >= 0 && strcmp(s->source->list[i].key, key) != 0) i--;
    AT_REQUIRE(s->ctx, i >= 0, AT_E_FORMAT, "%s: %s is missing", s->where, key);
    at_json_scan_part(out, s->source->list[i].file, s->source->list[i].value);
    return AT_OK;
}

at_vocab *at_section_vocab(const at_section *s)
{
    return &s->t->vocab;
}

/* What is wrong with a token whose text or id there is already. */
static at_status taken(at_json_scan *j, const at_vocab *v, const char *text, size_t n, int64_t id)
{
    const int32_t had = at_vocab_find(v, text, n);
    const int shown = n < 100 ? (int)n : 100;
    if (had >= 0)
        return at_json_scan_fail(j, "the token \"%.*s\" is there twice, as %d and %lld", shown, text,
                                 (int)had, (long long)id);
    return at_json_scan_fail(j, "\"%.100s\" and \"%.*s\" have the same id %lld", v->token[id], shown, text,
                             (long long)id);
}

static at_status read_token(at_json_scan *j, at_vocab *v)
{
    const char *text;
    size_t n;
    int64_t id;
    bool is_taken;
    AT_TRY(at_json_scan_key(j, &text, &n));
    AT_TRY(at_json_scan_whole(j, &id));
    if (id < 0 || id >= AT_VOCAB_LIMIT)
        return at_json_scan_fail(j, "an id must be from 0 to %d", AT_VOCAB_LIMIT - 1);
    AT_TRY(at_vocab_add(v, text, n, id, &is_taken));
    return is_taken ? taken(j, v, text, n, id) : AT_OK;
}

at_status at_model_vocab(const at_section *s)
{
    at_json_scan j;
    bool more;
    at_vocab *v = at_section_vocab(s);
    if (v->n) return AT_OK; /* from a file of its own */
    AT_TRY(at_model_scan(&j, s, "vocab"));
    at_status status = at_json_scan_enter(&j, '{');
    while (status == AT_OK && (status = at_json_scan_next(&j, &more, '}')) == AT_OK && more)
        status = read_token(&j, v);
    if (status == AT_OK) status = at_json_scan_end(&j); /* the list may be a file of its own */
    at_json_scan_deinit(&j);
    AT_TRY(status);
    AT_REQUIRE(s->ctx, v->n, AT_E_FORMAT, "%s: the vocabulary is empty", s->where);
    return AT_OK;
}
