/* bare.h: a device, a store and a graph, for tests of the engine that build what they need. */
#ifndef AT_BARE_H
#define AT_BARE_H

#include "engine/plan.h"
#include "tests/harness/test.h"

typedef struct at_bare {
    at_ctx *ctx;
    at_device *device;
    at_store *store;
    at_graph *g;
    at_plan *plan;
    const at_extent *rows;
} at_bare;

/* A graph with the extent "rows" of at most max_rows. */
void at_bare_open(at_bare *t, at_ctx *ctx, const char *device, at_mode mode, int64_t max_rows);
void at_bare_close(at_bare *t);

/* A state with values from(i), in memory of the store. */
at_state *at_bare_state(at_bare *t, const char *name, at_role role, int rank, const int64_t *dim,
                        double (*from)(int64_t i));

/* An input [rows, columns]. */
at_value *at_bare_rows(at_bare *t, const char *name, at_type type, int64_t columns);

/* Plan for these fetches. */
void at_bare_plan(at_bare *t, at_value *const *fetches, int n, const char *kernels);

/* Run one pass with n rows. */
void at_bare_run(at_bare *t, int64_t n, int micro);

/* Fetch and wait. */
void at_bare_fetch(at_bare *t, const at_value *v, at_real *out);

#endif
