/* device.c: opening devices by name. */
#include "engine/device.h"
#include "base/alloc.h"

at_status at_device_open(at_device **out, at_ctx *ctx, const char *name)
{
    *out = NULL;
    const at_device_kind *kind = at_registry_find(ctx, "device_kind", name);
    AT_REQUIRE(ctx, kind, AT_E_UNSUPPORTED, "no device is called \"%s\"", name);
    at_device *d;
    AT_NEW(ctx, d, 1);
    d->kind = kind;
    d->ctx = ctx;
    const at_status s = kind->open(d);
    if (s != AT_OK) {
        at_free(ctx, d);
        return s;
    }
    *out = d;
    return AT_OK;
}

void at_device_close(at_device *d)
{
    if (!d) return;
    d->kind->close(d);
    at_free(d->ctx, d);
}
