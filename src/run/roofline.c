/* roofline.c: each node's time beside the least that the machine allows for its arithmetic and its bytes:
 * max(flops / rate, bytes / bandwidth) (Williams, Waterman and Patterson 2009). A value smaller than the last
 * cache may never reach memory, and then a node is faster than this bound: its share is told as it is, above
 * 1. */
#include "run/bench.h"
#include "run/figures.h"
#include <math.h>
#include <stdlib.h>

enum { LARGEST_LOSSES = 10 };

static double seconds_of(const at_work *w)
{
    return w->run + w->prepare;
}

static double lost(const at_work *w)
{
    return seconds_of(w) - w->least;
}

/* ---- The work of a node ---- */

typedef struct runs {
    double a_step;               /* how often the node runs in a step */
    const at_extent *row_extent; /* of ragged rows; the other one is the samples' */
    double samples, rows;        /* mean share of each extent's maximum that a pass has */
} runs;

static double filled(const runs *r, const at_value *v)
{
    if (!v->meta.extent) return 1.0;
    return v->meta.extent == r->row_extent ? r->rows : r->samples;
}

/* Of one operand at its maximum, touched once. */
static double bytes_of(const at_value *v, const at_arg *a)
{
    const int64_t rows = at_meta_max_rows(&v->meta), cols = at_meta_cols(&v->meta);
    int64_t buffer[AT_MAX_BUFFERS];
    double bytes = 0;
    if (a->data) return (double)rows * (double)cols * (double)at_dtype_size(a->dtype);
    if (!a->storage || !a->storage->bytes(buffer, rows, cols)) return 0; /* absent or unused */
    for (int i = 0; i < a->storage->n_buffers; i++) bytes += (double)buffer[i];
    return bytes;
}

/* Inputs are read once, outputs written once; what is added to is read, too. */
static void add_work(at_work *w, const runs *r)
{
    const at_node *n = w->node;
    double share = 1.0; /* of the node's work that a pass does */
    for (int i = 0; i < n->n_in; i++) {
        if (!n->in[i]) continue;
        share = fmin(share, filled(r, n->in[i]));
        w->bytes += bytes_of(n->in[i], &w->call->in[i]) * filled(r, n->in[i]) * r->a_step;
    }
    for (int o = 0; o < n->op->n_out + n->op->n_saved; o++) {
        const double times = (w->call->accumulate >> o & 1) ? 2.0 : 1.0;
        share = fmin(share, filled(r, n->out[o]));
        w->bytes += bytes_of(n->out[o], &w->call->out[o]) * times * filled(r, n->out[o]) * r->a_step;
    }
    w->flops = at_node_flops(n) * share * r->a_step;
}

static double least_of(const at_work *w, const at_machine *m)
{
    const double arithmetic = w->flops / m->flops_per_second, memory = w->bytes / m->bytes_per_second;
    return arithmetic > memory ? arithmetic : memory;
}

static void collect(at_roofline *f, const at_run *r, const at_timer *t)
{
    const at_pipe *p = &r->train;
    const at_dataset *d = r->job.split[AT_SPLIT_TRAIN];
    const double samples = (double)r->batch_size / (double)f->passes;
    runs of = {.row_extent = p->rows, .samples = samples / (double)p->batch};
    if (p->rows) of.rows = samples * (double)d->rows(d, 0) / (double)p->max_rows;
    at_plan_line line;
    for (int i = 0, cursor = 0; at_plan_next(t->plan, &cursor, &line); i++) {
        at_work w = {.node = line.node, .call = line.call, .n_nodes = 1};
        if (t->runs[i] == 0) continue; /* static, computed before */
        w.kernel = line.kernel ? line.kernel->name : line.node->op->name;
        w.run = at__median(t->run + i * t->steps, t->done);
        w.prepare = at__median(t->prepare + i * t->steps, t->done);
        if (!(w.run > 0)) continue; /* the clock is too coarse */
        of.a_step = (double)t->runs[i] / (double)t->done;
        add_work(&w, &of);
        w.least = least_of(&w, &f->machine);
        f->seconds += seconds_of(&w);
        f->least += w.least;
        f->nodes[f->n_nodes++] = w;
    }
}

/* ---- Sums by kernel ---- */

static void add_to(at_work *sum, const at_work *w)
{
    sum->run += w->run;
    sum->prepare += w->prepare;
    sum->flops += w->flops;
    sum->bytes += w->bytes;
    sum->least += w->least;
    sum->n_nodes += w->n_nodes;
}

static void merge(at_roofline *f)
{
    for (int i = 0; i < f->n_nodes; i++) {
        int k = 0;
        while (k < f->n_kernels && strcmp(f->kernels[k].kernel, f->nodes[i].kernel) != 0) k++;
        if (k == f->n_kernels) f->kernels[f->n_kernels++] = (at_work){.kernel = f->nodes[i].kernel};
        add_to(&f->kernels[k], &f->nodes[i]);
    }
}

static int more_lost_first(const void *a, const void *b)
{
    const double x = lost(a), y = lost(b);
    return (x < y) - (x > y);
}

static int slower_first(const void *a, const void *b)
{
    const double x = seconds_of(a), y = seconds_of(b);
    return (x < y) - (x > y);
}

at_status at__roofline(at_roofline *out, at_run *r, const at_timer *t)
{
    AT_NEW(r->ctx, out->nodes, t->n_nodes);
    AT_NEW(r->ctx, out->kernels, t->n_nodes);
    collect(out, r, t);
    merge(out);
    qsort(out->nodes, (size_t)out->n_nodes, sizeof *out->nodes, more_lost_first);
    qsort(out->kernels, (size_t)out->n_kernels, sizeof *out->kernels, slower_first);
    return AT_OK;
}

void at__roofline_end(at_ctx *ctx, at_roofline *f)
{
    at_free(ctx, f->nodes);
    at_free(ctx, f->kernels);
}

/* ---- For people ---- */

/* "[32,56,56,24] [144,24] -> [32,56,56,144]" */
static void add_shapes(at_text *t, const at_work *w)
{
    char shape[AT_SHAPE_TEXT];
    const at_node *n = w->node;
    for (int i = 0; i < n->n_in; i++)
        if (n->in[i])
            at_text_printf(t, "%s%s", i ? " " : "",
                           at_shape_text(shape, n->in[i]->meta.rank, n->in[i]->meta.dim));
    for (int o = 0; o < n->op->n_out; o++)
        at_text_printf(t, "%s%s", o ? " " : " -> ",
                       at_shape_text(shape, n->out[o]->meta.rank, n->out[o]->meta.dim));
}

static const char *site_of(const at_work *w)
{
    return w->node->site && *w->node->site ? w->node->site : "-";
}

static void kernels_text(const at_roofline *f, at_text *t)
{
    at_text_printf(t, "\n%9s %6s %9s %8s %8s  kernel (nodes)\n", "ms", "share", "GFLOP/s", "GB/s", "limit");
    for (int i = 0; i < f->n_kernels; i++) {
        const at_work *w = &f->kernels[i];
        const double s = seconds_of(w);
        at_text_printf(t, "%9.3f %5.1f%% %9.1f %8.2f %7.1f%%  %s (%d)\n", s * 1e3, 100 * s / f->seconds,
                       w->flops / s * 1e-9, w->bytes / s * 1e-9, 100 * w->least / s, w->kernel, w->n_nodes);
    }
    at_text_printf(t, "%9.3f ms in all nodes\n", f->seconds * 1e3);
}

static void losses_text(const at_roofline *f, at_text *t)
{
    at_text_printf(t, "\n%9s %9s %8s  largest losses: kernel, site, shapes\n", "ms lost", "of ms", "limit");
    for (int i = 0; i < f->n_nodes && i < LARGEST_LOSSES; i++) {
        const at_work *w = &f->nodes[i];
        at_text_printf(t, "%9.3f %9.3f %7.1f%%  %s  %s  ", lost(w) * 1e3, seconds_of(w) * 1e3,
                       100 * w->least / seconds_of(w), w->kernel, site_of(w));
        add_shapes(t, w);
        at_text_add(t, "\n");
    }
}

void at__roofline_text(const at_roofline *f, at_text *t)
{
    at_text_printf(t, "machine    %.1f GB/s of memory, %.1f GFLOP/s of products in %s\n",
                   f->machine.bytes_per_second * 1e-9, f->machine.flops_per_second * 1e-9,
                   at__precision_name(f->machine.product));
    kernels_text(f, t);
    losses_text(f, t);
    at_text_printf(
        t, "\nroofline   these limits allow a step in %.3f ms: it is at %.1f %% of them, in %.3f ms\n",
        f->least * 1e3, 100 * f->least / f->step, f->step * 1e3);
}

/* ---- For programs ---- */

static void work_json(at_text *t, const at_work *w)
{
    at__add_number(t, "seconds", seconds_of(w));
    at__add_number(t, "prepare_seconds", w->prepare);
    at__add_number(t, "flops", w->flops);
    at__add_number(t, "bytes", w->bytes);
    at__add_number(t, "least_seconds", w->least);
    at__add_number(t, "limit_share", w->least / seconds_of(w));
    at_text_add(t, "}");
}

static void node_json(at_text *t, const at_work *w)
{
    at_text_printf(t, "{\"kernel\":\"%s\",\"op\":\"%s\",\"site\":", w->kernel, w->node->op->name);
    at_text_json(t, w->node->site ? w->node->site : "");
    at_text_printf(t, ",\"phase\":\"%s\",\"shapes\":\"", w->node->phase == AT_COMMIT ? "commit" : "pass");
    add_shapes(t, w);
    at_text_add(t, "\"");
    work_json(t, w);
}

void at__roofline_json(const at_roofline *f, at_text *t)
{
    const at_machine *m = &f->machine;
    at_text_printf(t, ",\"machine\":{\"product\":\"%s\",\"last_cache_bytes\":%lld",
                   at__precision_name(m->product), (long long)m->last_cache);
    at__add_number(t, "bytes_per_second", m->bytes_per_second);
    at__add_number(t, "flops_per_second", m->flops_per_second);
    at_text_add(t, "},\"roofline\":{\"nodes\":");
    at_text_printf(t, "%d", f->n_nodes);
    at__add_number(t, "nodes_seconds", f->seconds);
    at__add_number(t, "least_seconds", f->least);
    at__add_number(t, "limit_share", f->least / f->step);
    at_text_add(t, "},\"by_kernel\":[");
    for (int i = 0; i < f->n_kernels; i++) {
        at_text_printf(t, "%s{\"kernel\":\"%s\",\"nodes\":%d", i ? "," : "", f->kernels[i].kernel,
                       f->kernels[i].n_nodes);
        work_json(t, &f->kernels[i]);
    }
    at_text_add(t, "],\"by_node\":[");
    for (int i = 0; i < f->n_nodes; i++) {
        if (i) at_text_add(t, ",");
        node_json(t, &f->nodes[i]);
    }
    at_text_add(t, "]");
}
