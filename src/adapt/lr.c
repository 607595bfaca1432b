/* lr: factor on the learning rate of layers: {lr: {"stem*": 0.1, "layer.1*": 0.5}}. */
#include "adapt/edit.h"

static at_status change(at_edit_site *e, at_param *p, void *arg)
{
    (void)e;
    p->rate = *(const double *)arg;
    return AT_OK;
}

static at_status apply(at_edit_site *e, const at_tree *value)
{
    at_ctx *ctx = e->model->ctx;
    AT_REQUIRE(ctx, value->kind == AT_MAP, AT_E_ARG, "%s: lr is a map of layers to factors", e->where);
    for (const at_tree *t = value->first; t; t = t->next) {
        AT_REQUIRE(ctx, (t->kind == AT_NUMBER || t->kind == AT_WHOLE) && t->number >= 0 && t->number <= 1e6,
                   AT_E_RANGE, "%s: the factor of \"%s\" must be a number from 0 to 1e6", e->where, t->key);
        const at_tree selector = {.kind = AT_STRING, .text = t->key};
        double factor = t->number;
        AT_TRY(at_for_selected(e, &selector, change, &factor));
    }
    return AT_OK;
}

const at_edit at_edit_lr = {.name = "lr", .doc = "factors on the learning rate, by layer", .apply = apply};
