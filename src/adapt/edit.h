/* edit.h: adaptation as data: a list of edits on a model before its graph is built. Layer: adapt. An edit is
 * one file with `const at_edit at_edit_NAME`; a recipe's `edits` (and a method's) is a list of one-key maps:
 * [{train: "layer.1[3-5]*"}, {norm: {sites: "*", mode: affine}}]. The name of an adapter is an edit, too: it
 * hangs the adapter on the selected layers' sites (adapters/adapter.h): [{lora: "*.query"}, {lora: {sites:
 * "*.value", r: 4}}]. */
#ifndef AT_EDIT_H
#define AT_EDIT_H

#include "base/option.h"
#include "models/model.h"

typedef struct at_edit_site { /* what an edit works on */
    at_model *model;
    int64_t train_samples;
    uint64_t seed;
    int n_labels; /* of the data; labels[n_labels] */
    const char *const *labels;
    const char *where; /* for messages: "recipe.yaml:7: edits" */
    /* The recipe's values of an adapter's options, over which an edit's own go; NULL = the table's defaults.
     */
    at_status (*read)(void *recipe, const at_options *table, void *out);
    void *recipe;
} at_edit_site;

typedef struct at_edit {
    const char *name, *doc;
    at_status (*apply)(at_edit_site *e, const at_tree *value);
} at_edit;

/* Apply a list. NULL = nothing. Unknown edits are errors that name the nearest. */
at_status at_edits_apply(at_edit_site *e, const at_tree *list) AT_MUST_USE;

/* Parameters that a selector means: "head", "all", "last:N" (the head and the last N groups before it), or a
 * glob over state names, names in the checkpoint, and site names, or the last parts of a site's name. value:
 * one selector or a list of them. A selector that means nothing is an error that names the nearest name.
 * selected: [net.n_params]. */
at_status at_select(at_edit_site *e, const at_tree *value, bool *selected) AT_MUST_USE;

/* For edits that do one thing to every selected parameter. */
at_status at_for_selected(at_edit_site *e, const at_tree *value,
                          at_status (*change)(at_edit_site *e, at_param *p, void *arg),
                          void *arg) AT_MUST_USE;

#endif
