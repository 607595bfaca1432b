/* adapter.h: adapters: small trainable parts at a network's sites. Layer: adapters.
 *
 * An adapter is one file here with `const at_adapter at_adapter_NAME`; a recipe hangs it on sites by an edit
 * of its name: [{NAME: "layer.*"}]. It intercepts (nn/net.h, at_intercept): it sees what goes into a site and
 * what the site computed, and returns what goes on. No model's file knows of it.
 *
 * What every adapter keeps to:
 *  - its parameters are declared by at_net_adapter_param: named, trainable states, which checkpoints hold;
 *  - with the values that attach gives them the network's forward bits are those without it;
 *  - its nodes change no random draw of others: keys are made of site names;
 *  - a model is saved without it: merge folds it into the site's own tensors, and one that cannot be folded
 * makes saving fail. */
#ifndef AT_ADAPTER_H
#define AT_ADAPTER_H

#include "nn/net.h"

typedef struct at_adapter {
    const char *name, *doc;
    bool (*takes)(const at_site *site); /* NULL = every site */
    /* Declare its parameters at the site and give them neutral values. *self goes to apply and merge. */
    at_status (*attach)(at_net *net, at_site *site, void **self);
    at_value *(*apply)(at_graph *g, const at_site *site, at_value *x, at_value *y, void *self);
    at_merge_fn merge; /* NULL = it cannot be folded */
} at_adapter;

/* Attach an adapter behind those that the site has. Before the roles are assigned and a graph is built.
 * @return UNSUPPORTED: the adapter does not take such a site; STATE: it has this adapter already. */
at_status at_adapter_attach(const at_adapter *adapter, at_net *net, at_site *site) AT_MUST_USE;

#endif
