/* attach.c: hanging an adapter on a site. */
#include "adapters/adapter.h"

at_status at_adapter_attach(const at_adapter *adapter, at_net *net, at_site *site)
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
    AT_TRY(adapter->attach(net, site, &i->self));
    *end = i;
    return AT_OK;
}
