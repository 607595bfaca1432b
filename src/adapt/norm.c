/* norm: how normalisations behave while training: {norm: {sites: "*", mode: affine, below_samples: 2000}};
 * the edit does nothing when there are below_samples training samples or more. Layers that do not learn keep
 * their norms in eval. */
#include "adapt/edit.h"

static const char *const mode_names[] = {"eval", "affine", "stats", "train"};

static at_status change(at_edit_site *e, at_param *p, void *arg)
{
    (void)e;
    if (p->site->kind == AT_SITE_NORM) p->site->norm.mode = *(const at_norm_mode *)arg;
    return AT_OK;
}

static at_status read_mode(at_edit_site *e, const at_tree *t, at_norm_mode *out)
{
    for (int i = 0; t && t->kind == AT_STRING && i < AT_COUNT(mode_names); i++)
        if (strcmp(t->text, mode_names[i]) == 0) {
            *out = (at_norm_mode)i;
            return AT_OK;
        }
    return at_fail(e->model->ctx, AT_E_ARG, "%s: the mode of a norm must be eval, affine, stats or train",
                   e->where);
}

static at_status apply(at_edit_site *e, const at_tree *value)
{
    at_ctx *ctx = e->model->ctx;
    at_norm_mode mode;
    AT_REQUIRE(ctx, value->kind == AT_MAP, AT_E_ARG, "%s: norm is a map: {sites: \"*\", mode: affine}",
               e->where);
    for (const at_tree *t = value->first; t; t = t->next)
        AT_REQUIRE(ctx,
                   strcmp(t->key, "sites") == 0 || strcmp(t->key, "mode") == 0 ||
                       strcmp(t->key, "below_samples") == 0,
                   AT_E_ARG, "%s: norm has no key \"%s\"; it takes sites, mode and below_samples", e->where,
                   t->key);
    AT_TRY(read_mode(e, at_tree_get(value, "mode"), &mode));
    const at_tree *below = at_tree_get(value, "below_samples");
    AT_REQUIRE(ctx, !below || below->kind == AT_WHOLE, AT_E_ARG, "%s: below_samples must be a whole number",
               e->where);
    if (below && e->train_samples >= below->whole) return AT_OK;
    return at_for_selected(e, at_tree_get(value, "sites"), change, &mode);
}

const at_edit at_edit_norm = {
    .name = "norm", .doc = "statistics of normalisations: eval, affine, stats, train", .apply = apply};
