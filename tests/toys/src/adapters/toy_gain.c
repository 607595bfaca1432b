/* toy-gain: y' = s y with one trainable number s a site, 1 at first. */
#include "adapters/adapter.h"
#include "ops/toy_scale/toy_scale.h"

static bool takes(const at_site *site)
{
    return site->kind == AT_SITE_LINEAR || site->kind == AT_SITE_CONV;
}

static at_status attach(at_net *net, at_site *site, const at_adapter_setup *setup, void **self)
{
    (void)setup;
    const int64_t one = 1;
    const at_real neutral = 1;
    at_param *gain;
    AT_TRY(at_net_adapter_param(&gain, net, site, "toy_gain", 1, &one));
    *self = gain;
    return at_state_set(net->store, gain->state, &neutral);
}

static at_value *apply(at_graph *g, const at_site *site, at_value *x, at_value *y, void *self)
{
    (void)site, (void)x;
    return at_toy_scale(g, y, at_read(g, ((const at_param *)self)->state));
}

static at_status merge(const at_net *net, const at_site *site, at_part part, at_real *values, void *self)
{
    at_real gain;
    AT_TRY(at_state_get(net->store, ((const at_param *)self)->state, &gain));
    for (int64_t i = 0; i < site->part[part]->state->count; i++) values[i] *= gain;
    return AT_OK;
}

const at_adapter at_adapter_toy_gain = {.name = "toy-gain",
                                        .doc = "a trainable factor on what a layer computes",
                                        .takes = takes,
                                        .attach = attach,
                                        .apply = apply,
                                        .merge = merge};
