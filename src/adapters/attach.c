/* attach.c: hanging adapters on sites. */
#include "adapters/adapter.h"

void *at_adapter_of(const at_site *site, const char *name)
{
    for (const at_intercept *i = site->intercepts; i; i = i->next)
        if (strcmp(i->adapter, name) == 0) return i->self;
    return NULL;
}

static at_status attach(const at_adapter *adapter, at_net *net, at_site *site, const at_adapter_setup *setup)
{
    at_intercept **end = &site->intercepts;
    AT_REQUIRE(net->ctx, !adapter->takes || adapter->takes(site), AT_E_UNSUPPORTED,
               "%s: %s does not adapt such a site", site->name, adapter->name);
    for (; *end; end = &(*end)->next)
        AT_REQUIRE(net->ctx, strcmp((*end)->adapter, adapter->name) != 0, AT_E_STATE,
                   "%s: %s is attached already", site->name, adapter->name);
    at_intercept *i = at_arena_alloc(&net->arena, sizeof *i);
    if (!i) return AT_E_NOMEM;
    *i = (at_intercept){.adapter = adapter->name, .apply = adapter->apply, .merge = adapter->merge};
    AT_TRY(adapter->attach(net, site, setup, &i->self));
    *end = i;
    return AT_OK;
}

static at_status hang(const at_adapter *adapter, at_net *net, at_site **sites, int n_sites,
                      at_adapter_setup *setup)
{
    if (adapter->begin) AT_TRY(adapter->begin(net, sites, &n_sites, setup));
    for (int i = 0; i < n_sites; i++) AT_TRY(attach(adapter, net, sites[i], setup));
    return AT_OK;
}

at_status at_adapter_hang(const at_adapter *adapter, at_net *net, at_site **sites, int n_sites,
                          at_adapter_setup *setup)
{
    const at_status s = hang(adapter, net, sites, n_sites, setup);
    if (adapter->end) adapter->end(net, setup);
    return s;
}
