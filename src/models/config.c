/* config.c: reading values out of config.json, with ranges. */
#include "models/model.h"

static at_status wrong_kind(at_model *m, const char *key, const at_tree *t, const char *wanted)
{
    return at_fail(m->ctx, AT_E_FORMAT, "%s/config.json: %s is %s, must be %s", m->folder, key,
                   at_tree_kind_name(t->kind), wanted);
}

at_status at_config_whole(at_model *m, int64_t *out, const char *key, int64_t fallback, int64_t low,
                          int64_t high)
{
    const at_tree *t = at_tree_at(m->config, key);
    *out = fallback;
    if (!t || t->kind == AT_NULL) return AT_OK;
    if (t->kind != AT_WHOLE) return wrong_kind(m, key, t, "a whole number");
    AT_REQUIRE(m->ctx, t->whole >= low && t->whole <= high, AT_E_FORMAT,
               "%s/config.json: %s is %lld, must be %lld to %lld", m->folder, key, (long long)t->whole,
               (long long)low, (long long)high);
    *out = t->whole;
    return AT_OK;
}

at_status at_config_real(at_model *m, double *out, const char *key, double fallback, double low, double high)
{
    const at_tree *t = at_tree_at(m->config, key);
    *out = fallback;
    if (!t || t->kind == AT_NULL) return AT_OK;
    if (t->kind != AT_WHOLE && t->kind != AT_NUMBER) return wrong_kind(m, key, t, "a number");
    AT_REQUIRE(m->ctx, t->number >= low && t->number <= high, AT_E_FORMAT,
               "%s/config.json: %s is %g, must be %g to %g", m->folder, key, t->number, low, high);
    *out = t->number;
    return AT_OK;
}

at_status at_config_flag(at_model *m, bool *out, const char *key, bool fallback)
{
    const at_tree *t = at_tree_at(m->config, key);
    *out = fallback;
    if (!t || t->kind == AT_NULL) return AT_OK;
    if (t->kind != AT_FLAG) return wrong_kind(m, key, t, "true or false");
    *out = t->flag;
    return AT_OK;
}

at_status at_config_text(at_model *m, const char **out, const char *key, const char *fallback)
{
    const at_tree *t = at_tree_at(m->config, key);
    *out = fallback;
    if (!t || t->kind == AT_NULL) return AT_OK;
    if (t->kind != AT_STRING) return wrong_kind(m, key, t, "a text");
    *out = t->text;
    return AT_OK;
}

at_status at_config_wholes(at_model *m, int64_t *out, int *n, const char *key, int max, int64_t low,
                           int64_t high)
{
    const at_tree *list = at_tree_at(m->config, key);
    if (!list || list->kind == AT_NULL) return AT_OK;
    if (list->kind != AT_LIST) return wrong_kind(m, key, list, "a list of whole numbers");
    AT_REQUIRE(m->ctx, list->n > 0 && list->n <= max, AT_E_FORMAT,
               "%s/config.json: %s has %lld numbers, must have 1 to %d", m->folder, key, (long long)list->n,
               max);
    *n = 0;
    for (const at_tree *t = list->first; t; t = t->next) {
        AT_REQUIRE(m->ctx, t->kind == AT_WHOLE && t->whole >= low && t->whole <= high, AT_E_FORMAT,
                   "%s/config.json: the numbers of %s must be whole, %lld to %lld", m->folder, key,
                   (long long)low, (long long)high);
        out[(*n)++] = t->whole;
    }
    return AT_OK;
}

at_status at_config_known(at_model *m, const char *key, const char *const *known, int n)
{
    const at_tree *map = at_tree_at(m->config, key);
    for (const at_tree *t = map && map->kind == AT_MAP ? map->first : NULL; t; t = t->next) {
        bool found = false;
        for (int i = 0; i < n; i++) found |= strcmp(t->key, known[i]) == 0;
        AT_REQUIRE(m->ctx, found, AT_E_UNSUPPORTED, "%s/config.json: %s.%s is not known for this network",
                   m->folder, key, t->key);
    }
    return AT_OK;
}

at_status at_config_only(at_model *m, const char *key, const char *value)
{
    const char *found;
    AT_TRY(at_config_text(m, &found, key, value));
    AT_REQUIRE(m->ctx, strcmp(found, value) == 0, AT_E_UNSUPPORTED,
               "%s/config.json: %s is \"%s\"; this network is known with \"%s\" only", m->folder, key, found,
               value);
    return AT_OK;
}
