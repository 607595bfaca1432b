/* freeze: these layers do not learn: no gradient, no optimiser state, no decay, norms in eval. */
#include "adapt/edit.h"

static at_status change(at_edit_site *e, at_param *p, void *arg)
{
    (void)e, (void)arg;
    p->trainable = false;
    return AT_OK;
}

static at_status apply(at_edit_site *e, const at_tree *value)
{
    return at_for_selected(e, value, change, NULL);
}

const at_edit at_edit_freeze = {.name = "freeze", .doc = "layers that do not learn", .apply = apply};
