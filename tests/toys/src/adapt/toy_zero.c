/* toy-zero: {toy-zero: selector}: these parameters start at zero. */
#include "adapt/edit.h"

static at_status change(at_edit_site *e, at_param *p, void *arg)
{
    (void)arg;
    return p->part == AT_NORM_BATCHES ? AT_OK : at_init_constant(e->model, p, 0.0);
}

static at_status apply(at_edit_site *e, const at_tree *value)
{
    return at_for_selected(e, value, change, NULL);
}

const at_edit at_edit_toy_zero = {.name = "toy-zero", .doc = "parameters that start at zero", .apply = apply};
