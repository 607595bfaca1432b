/* reinit: fresh random weights for layers, as if they had never been trained. */
#include "adapt/edit.h"

static at_status change(at_edit_site *e, at_param *p, void *arg)
{
    (void)arg;
    at_status (*init)(at_model *, at_param *, uint64_t) = e->model->architecture->init;
    if (p->site->is_head) return AT_OK; /* a new head is fresh already; a kept one was asked for */
    return (init ? init : at_init_default)(e->model, p, e->seed);
}

static at_status apply(at_edit_site *e, const at_tree *value)
{
    return at_for_selected(e, value, change, NULL);
}

const at_edit at_edit_reinit = {.name = "reinit", .doc = "fresh random weights for layers", .apply = apply};
