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
