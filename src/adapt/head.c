/* head: which output layer: {head: auto} keeps the checkpoint's when its labels are the data's and makes a
 * fresh one otherwise; {head: new} always makes one; {head: keep} insists on the checkpoint's. */
#include "adapt/edit.h"

static at_status apply(at_edit_site *e, const at_tree *value)
{
    at_model *m = e->model;
    const char *how = value->kind == AT_STRING ? value->text : "";
    const bool same = at_model_has_labels(m, e->n_labels, e->labels);
    if (m->head.site) return AT_OK; /* applied before all other edits */
    if (strcmp(how, "keep") == 0) {
        AT_REQUIRE(m->ctx, same, AT_E_ARG, "%s: head: keep, but the labels of %s are not those of the data",
                   e->where, m->folder);
        return at_model_keep_head(m);
    }
    AT_REQUIRE(m->ctx, strcmp(how, "new") == 0 || strcmp(how, "auto") == 0, AT_E_ARG,
               "%s: head must be auto, new or keep", e->where);
    return same && strcmp(how, "auto") == 0 ? at_model_keep_head(m)
                                            : at_model_new_head(m, e->n_labels, e->labels, e->seed);
}

const at_edit at_edit_head = {.name = "head", .doc = "the output layer: auto, new or keep", .apply = apply};
