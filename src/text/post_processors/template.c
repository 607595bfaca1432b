/* TemplateProcessing: what stands around one text and around a pair, as lists of sequences and special
 * tokens. */
#include "text/kinds.h"

enum { MOST_ITEMS = 1024 };

typedef struct items {
    at_template_item list[MOST_ITEMS];
    int64_t n;
} items;

/* An item is {"Sequence": {"id": "A", "type_id": 0}} or the same with "SpecialToken". */
static at_status read_item(const at_section *item, const at_tree **body, bool *special, const char **id,
                           int32_t *type)
{
    const at_tree *sequence = at_tree_get(item->tree, "Sequence"),
                  *token = at_tree_get(item->tree, "SpecialToken");
    *special = token != NULL;
    *body = token ? token : sequence;
    AT_REQUIRE(item->ctx, *body && (*body)->kind == AT_MAP && item->tree->n == 1, AT_E_FORMAT,
               "%s must be {\"Sequence\": {\"id\": ..., \"type_id\": ...}} or the same with SpecialToken",
               item->where);
    at_section s = *item;
    int64_t whole = 0;
    s.tree = *body;
    AT_TRY(at_section_text(&s, id, "id", NULL));
    AT_TRY(at_section_whole(&s, &whole, "type_id", 0, 255, 0));
    *type = (int32_t)whole;
    return AT_OK;
}

static at_status add(const at_section *s, items *to, at_template_item item)
{
    AT_REQUIRE(s->ctx, to->n < MOST_ITEMS, AT_E_UNSUPPORTED, "%s: more than %d items", s->where, MOST_ITEMS);
    to->list[to->n++] = item;
    return AT_OK;
}

/* A special token stands for the ids that "special_tokens" says. */
static at_status add_special(const at_section *s, items *to, const char *name, int32_t type)
{
    const at_tree *known = at_tree_get(s->tree, "special_tokens"), *entry = at_tree_get(known, name),
                  *ids = at_tree_get(entry, "ids");
    AT_REQUIRE(s->ctx, ids && ids->kind == AT_LIST, AT_E_FORMAT,
               "%s: special_tokens says no ids for \"%s\", which the template uses", s->where, name);
    const int64_t size = at_tokenizer_size(s->t);
    for (const at_tree *c = ids->first; c; c = c->next) {
        AT_REQUIRE(s->ctx, c->kind == AT_WHOLE && c->whole >= 0 && c->whole < size, AT_E_FORMAT,
                   "%s: special_tokens: an id of \"%s\" is none; they go from 0 to %lld", s->where, name,
                   (long long)size - 1);
        AT_TRY(add(s, to, (at_template_item){(int32_t)c->whole, -1, type}));
    }
    return AT_OK;
}

static at_status read_template(const at_section *s, at_template *out, bool pair)
{
    const at_tree *list, *body;
    items found = {.n = 0};
    int64_t i = 0;
    AT_TRY(at_section_list(s, &list, pair ? "pair" : "single"));
    for (const at_tree *c = list->first; c; c = c->next) {
        at_section item;
        const char *id = "";
        bool special = false;
        int32_t type = 0;
        AT_TRY(at_section_child(&item, s, c, pair ? ".pair" : ".single", i++));
        AT_TRY(read_item(&item, &body, &special, &id, &type));
        if (special) {
            AT_TRY(add_special(s, &found, id, type));
            continue;
        }
        const int32_t sequence = strcmp(id, "B") == 0;
        AT_REQUIRE(s->ctx, (sequence && pair) || strcmp(id, "A") == 0, AT_E_FORMAT,
                   "%s: Sequence \"%s\" is not known; known are A%s", item.where, id, pair ? " and B" : "");
        AT_TRY(add(s, &found, (at_template_item){-1, sequence, type}));
    }
    return at_template_make(s, out, found.list, found.n);
}

static at_status parse(const at_section *s, at_post *out)
{
    AT_TRY(read_template(s, &out->single, false));
    return read_template(s, &out->pair, true);
}

const at_post_processor at_post_processor_template = {
    .name = "TemplateProcessing",
    .doc = "special tokens around the texts as a template says",
    .parse = parse,
};
