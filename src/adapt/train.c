/* train: these layers learn. */
#include "adapt/edit.h"

static at_status change(at_edit_site *e, at_param *p, void *arg)
{
    (void)e, (void)arg;
    if (p->part != AT_NORM_MEAN && p->part != AT_NORM_VARIANCE && p->part != AT_NORM_BATCHES)
        p->trainable = true;
    return AT_OK;
}

static at_status apply(at_edit_site *e, const at_tree *value)
{
    return at_for_selected(e, value, change, NULL);
}

const at_edit at_edit_train = {
    .name = "train", .doc = "layers that learn: head, all, last:N or globs", .apply = apply};
