/* init.c: initial values of parameters. */
#include "base/rng.h"
#include "models/model.h"
#include <math.h>

at_status at_init_constant(at_model *m, at_param *p, double value)
{
    at_real *x = at_alloc_array(m->ctx, p->state->count, sizeof *x);
    if (!x) return AT_E_NOMEM;
    for (int64_t i = 0; i < p->state->count; i++) x[i] = (at_real)value;
    const at_status s = at_state_set(m->net.store, p->state, x);
    at_free(m->ctx, x);
    p->missing = false;
    return s;
}

at_status at_init_normal(at_model *m, at_param *p, double std, uint64_t seed)
{
    at_real *x = at_alloc_array(m->ctx, p->state->count, sizeof *x);
    if (!x) return AT_E_NOMEM;
    const at_rng_key key = at_rng_make(seed, at_hash_name(p->state->name), 0);
    for (int64_t i = 0; i < p->state->count; i++)
        x[i] = (at_real)(std * at_rng_normal(key, 0, 0, (uint64_t)i));
    const at_status s = at_state_set(m->net.store, p->state, x);
    at_free(m->ctx, x);
    p->missing = false;
    return s;
}

at_status at_init_matrix(at_model *m, at_param *p, double std, uint64_t seed)
{
    return p->part == AT_WEIGHT ? at_init_normal(m, p, std, seed) : at_init_default(m, p, seed);
}

at_status at_init_default(at_model *m, at_param *p, uint64_t seed)
{
    switch (p->part) {
    case AT_WEIGHT: { /* fan_out = outputs x taps / groups */
        const at_shape *s = &p->state->shape;
        double fan_out = (double)s->dim[0];
        for (int i = 2; i < s->rank; i++) fan_out *= (double)s->dim[i];
        if (p->site->kind == AT_SITE_CONV) fan_out /= (double)p->site->conv.groups;
        return at_init_normal(m, p, sqrt(2.0 / fan_out), seed);
    }
    case AT_NORM_GAMMA:
    case AT_NORM_VARIANCE:
        return at_init_constant(m, p, 1.0);
    case AT_NORM_BATCHES:
        p->whole = 0;
        return AT_OK;
    default:
        return at_init_constant(m, p, 0.0);
    }
}
