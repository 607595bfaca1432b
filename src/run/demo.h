/* demo.h: several recipes on one model and one data folder, and what came of them. Layer: run, private to
 * demo*.c. */
#ifndef AT_DEMO_H
#define AT_DEMO_H

#include "run/report.h"
#include "run/run.h"

enum { AT_DEMO_RUNS = 16 };

/* One recipe and what came of it. */
typedef struct at_demo_run {
    const char *name, *path, *output;
    const char *link, *help; /* of its report in the page; what its method does, NULL = unknown */
    at_scores scores;
    double seconds;
    int64_t trainable, n_test;
} at_demo_run;

typedef struct at_demonstration {
    at_ctx *ctx;
    at_recipe *recipe;
    at_event_fn on_event;
    void *data;
    at_arena arena;
    const char *folder, *output;
    at_demo_run runs[AT_DEMO_RUNS];
    int n;
    at_demo_run *current;
    int64_t n_train;
} at_demonstration;

/* ---- demo.c ---- */

double at__demo_accuracy(const at_demo_run *e);
/* The best of those that are not called "scratch"; the first of equal ones. NULL = none. */
const at_demo_run *at__demo_best(const at_demonstration *d);
const at_demo_run *at__demo_named(const at_demonstration *d, const char *name); /* NULL = none */

/* ---- demo_page.c ---- */

/* report.html in the output folder. */
at_status at__demo_write_page(at_demonstration *d) AT_MUST_USE;

#endif
