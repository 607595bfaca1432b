/* adapter.h: adapters: small trainable parts at a network's sites. Layer: adapters.
 *
 * An adapter is one file here with `const at_adapter at_adapter_NAME`; a recipe hangs it on sites by an edit
 * of its name: [{NAME: "layer.*"}], or with options: [{NAME: {sites: "layer.*", r: 8}}]. It intercepts
 * (nn/net.h, at_intercept): it sees what goes into a site and what the site computed, and returns what goes
 * on. No model's file knows of it.
 *
 * What every adapter keeps to:
 *  - its parameters are declared by at_net_adapter_param: named, trainable states, which checkpoints hold;
 *  - with the values that attach gives them the network's forward bits are those without it;
 *  - its nodes change no random draw of others: keys are made of site names;
 *  - a model is saved without it: merge folds it into the site's own tensors, and one that cannot be folded
 * makes saving fail.
 * Reading path: at_adapter_hang (attach.c), lora.c. */
#ifndef AT_ADAPTER_H
#define AT_ADAPTER_H

#include "base/option.h"
#include "nn/net.h"

/* What one edit hangs: the same for all of its sites. */
typedef struct at_adapter_setup {
    const void *options; /* the struct of the adapter's table, which outlives the network; NULL = defaults */
    uint64_t seed;
    const char *prefix; /* of module names in adapter folders, but for the head's: "NAME."; NULL = none */
    const char *where;  /* for messages: "recipe.yaml:7: edits" */
    void *file;         /* begin's own */
} at_adapter_setup;

/* What is written for other programs. */
typedef struct at_adapter_folder {
    const char *path;   /* a folder that exists */
    const char *prefix; /* as above */
    const char *base;   /* the network that it belongs to */
} at_adapter_folder;

typedef struct at_adapter {
    const char *name, *doc;
    const at_options
        *options; /* besides their own they have "sites", a tree; NULL = an edit names sites alone */
    bool (*takes)(const at_site *site); /* NULL = every site */
    /* Before the first site of an edit: look at all of them, open what they are read from, perhaps choose
     * others (sites has room for all of the network). end: after the last, whatever happened. NULL = nothing.
     */
    at_status (*begin)(at_net *net, at_site **sites, int *n_sites, at_adapter_setup *setup);
    void (*end)(at_net *net, at_adapter_setup *setup);
    /* Declare its parameters at the site and give them neutral values. *self goes to apply and merge. */
    at_status (*attach)(at_net *net, at_site *site, const at_adapter_setup *setup, void **self);
    at_value *(*apply)(at_graph *g, const at_site *site, at_value *x, at_value *y, void *self);
    at_merge_fn merge; /* NULL = it cannot be folded */
    /* Write the network's adapters of this name as a folder; NULL = there is no such format. */
    at_status (*write)(const at_net *net, const at_adapter_folder *folder);
} at_adapter;

/* Attach an adapter at each of the sites, behind those that they have. Before the roles are assigned and a
 * graph is built. sites: has room for net->n_sites.
 * @return UNSUPPORTED: the adapter does not take such a site; STATE: it has this adapter already; what begin
 * and attach say. */
at_status at_adapter_hang(const at_adapter *adapter, at_net *net, at_site **sites, int n_sites,
                          at_adapter_setup *setup) AT_MUST_USE;

/* The adapter's part of a site; NULL = the site has none. */
void *at_adapter_of(const at_site *site, const char *name);

#endif
