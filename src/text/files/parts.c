/* parts.c: sections as trees. Layer: text. */
#include "text/files/parts.h"

at_status at__config_read(at_tokenizer *t, at_section *out, const char *folder)
{
    char *text;
    size_t size;
    at_tree *tree = NULL;
    at_ctx *ctx = t->arena.ctx;
    const char *path = at_arena_printf(&t->arena, "%s/tokenizer_config.json", folder);
    if (!path) return AT_E_NOMEM;
    AT_TRY(at__tokenizer_read(t, path, true, &text, &size));
    const at_status status = text ? at_json_parse(&t->arena, &tree, text, size, path) : AT_OK;
    at_free(ctx, text);
    *out = (at_section){ctx, &t->arena, t, tree, path, NULL};
    return status;
}

at_tree *at__add_text(at_arena *a, at_tree *parent, const char *key, const char *text)
{
    return at_tree_add(a, parent, key, at_tree_string(a, text));
}

at_tree *at__add_flag(at_arena *a, at_tree *parent, const char *key, bool flag)
{
    return at_tree_add(a, parent, key, at_tree_flag(a, flag));
}

at_tree *at__add_section(at_arena *a, at_tree *parent, const char *key, const char *type)
{
    at_tree *s = at_tree_add(a, parent, key, at_tree_new(a, AT_MAP));
    at__add_text(a, s, "type", type);
    return s;
}

void at__add_pair(at_arena *a, at_tree *parent, const char *key, const char *token, int32_t id)
{
    at_tree *pair = at_tree_add(a, parent, key, at_tree_new(a, AT_LIST));
    at__add_text(a, pair, NULL, token);
    at_tree_add(a, pair, NULL, at_tree_whole(a, id));
}

/* A special token is text, or a map with its content and how it takes blanks along. */
static at_status find_special(const at_section *config, at_special *special, bool *lstrip)
{
    const at_tree *map = at_tree_get(config->tree, special->key);
    at_section s = *config;
    *lstrip = false;
    if (!map || map->kind != AT_MAP)
        return at_section_text(&s, &special->token, special->key, special->fallback);
    s.tree = map;
    s.where = at_arena_printf(s.arena, "%s: %s", s.where, special->key);
    if (!s.where) return AT_E_NOMEM;
    AT_TRY(at_section_flag(&s, lstrip, "lstrip", false));
    return at_section_text(&s, &special->token, "content", NULL);
}

at_status at__add_specials(at_tokenizer *t, const at_section *config, at_tree *sections, at_special *list,
                           int n)
{
    at_arena *a = &t->arena;
    at_tree *added = at_tree_add(a, sections, "added_tokens", at_tree_new(a, AT_LIST));
    for (int i = 0; i < n; i++) {
        bool lstrip;
        AT_TRY(find_special(config, &list[i], &lstrip));
        list[i].id = at_vocab_find(&t->vocab, list[i].token, strlen(list[i].token));
        if (list[i].id < 0) continue;
        at_tree *entry = at_tree_add(a, added, NULL, at_tree_new(a, AT_MAP));
        at__add_text(a, entry, "content", list[i].token);
        at__add_flag(a, entry, "special", true);
        at__add_flag(a, entry, "lstrip", lstrip);
    }
    return at_last_status(a->ctx);
}
