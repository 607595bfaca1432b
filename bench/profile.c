/* profile.c: what a step's time goes into. Launches are told apart by their call: a node's own lies in the
 * plan; the launches before it (packing of operands, copies of bases) are counted as its preparation. */
#include "bench/profile.h"
#include "bench/measure.h"
#include "engine/plan_internal.h"
#include "formats/system.h"
#include <stdio.h>
#include <stdlib.h>

typedef struct line { /* of one node, or of one kernel's nodes together */
    const at_step_node *step;
    const char *name;
    double seconds, prepare, gflop, gigabytes;
    int nodes;
} line;

static struct {
    const at_device_kind *cpu;
    at_device_kind timed;
    at_plan *plan; /* NULL: not watched yet */
    int steps, done;
    double *run, *prepare; /* [node, step] */
    double waiting;        /* preparation for the node to come */
} self;

/* ---- Taking the time ---- */

static void timed_launch(at_device *d, at_run_fn run, const at_call *call)
{
    const double begin = at_clock();
    self.cpu->launch(d, run, call);
    const double seconds = at_clock() - begin;
    if (!self.plan || self.done == self.steps) return;
    const char *first = (const char *)self.plan->steps, *at = (const char *)call;
    if (at < first || at >= (const char *)(self.plan->steps + self.plan->n_steps)) {
        self.waiting += seconds;
        return;
    }
    const int64_t node = (at - first) / (int64_t)sizeof *self.plan->steps;
    self.run[node * self.steps + self.done] += seconds;
    self.prepare[node * self.steps + self.done] += self.waiting;
    self.waiting = 0;
}

at_status bench_profile_begin(at_ctx *ctx)
{
    self.cpu = at_registry_find(ctx, "device_kind", "cpu");
    self.timed = *self.cpu;
    self.timed.launch = timed_launch;
    return at_ctx_add(ctx, "device_kind", &self.timed);
}

at_status bench_profile_watch(at_plan *p, int steps)
{
    AT_NEW(p->ctx, self.run, (int64_t)p->n_steps * steps);
    AT_NEW(p->ctx, self.prepare, (int64_t)p->n_steps * steps);
    self.plan = p;
    self.steps = steps;
    return AT_OK;
}

void bench_profile_step(void)
{
    if (self.plan) self.done++;
    self.waiting = 0;
}

void bench_profile_end(at_ctx *ctx)
{
    at_free(ctx, self.run);
    at_free(ctx, self.prepare);
}

/* ---- Work of a node ---- */

static int64_t elements(const at_arg *a)
{
    return a->data || a->storage ? a->rows * a->cols : 0;
}

/* Matrices among a node's operands are weights; the work of a product is two operations for each weight and
 * each row of its output side, which has the fewest rows (strides). Others have no matrices and count as no
 * arithmetic. */
static double gflop_of(const at_step_node *s)
{
    const at_node *n = s->node;
    int64_t weights = 0, rows = INT64_MAX;
    const int n_out = n->op->n_out + n->op->n_saved;
    for (int i = 0; i < n->n_in + n_out; i++) {
        const at_value *v = i < n->n_in ? n->in[i] : n->out[i - n->n_in];
        const at_arg *a = i < n->n_in ? &s->call.in[i] : &s->call.out[i - n->n_in];
        if (!v || !elements(a)) continue;
        if (v->meta.extent)
            rows = at_min(rows, a->rows);
        else if (v->meta.rank >= 2)
            weights = at_max(weights, a->rows * a->cols);
    }
    return rows == INT64_MAX ? 0.0 : 2e-9 * (double)weights * (double)rows;
}

/* Every operand read or written once; sums are read, too. */
static double gigabytes_of(const at_step_node *s)
{
    const at_node *n = s->node;
    double bytes = 0;
    for (int i = 0; i < n->n_in; i++) bytes += (double)elements(&s->call.in[i]) * 4;
    for (int o = 0; o < n->op->n_out + n->op->n_saved; o++)
        bytes += (double)elements(&s->call.out[o]) * 4 * ((s->call.accumulate >> o & 1) ? 2 : 1);
    return bytes * 1e-9;
}

/* ---- Tables ---- */

static int slower_first(const void *a, const void *b)
{
    const line *x = a, *y = b;
    const double s = x->seconds + x->prepare, t = y->seconds + y->prepare;
    return s < t ? 1 : s > t ? -1 : 0;
}

static void describe_args(const at_step_node *s, char *text, size_t size)
{
    const at_node *n = s->node;
    size_t used = 0;
    text[0] = '\0';
    const int n_out = n->op->n_out;
    for (int i = 0; i < n->n_in + n_out && used < size; i++) {
        const at_arg *a = i < n->n_in ? &s->call.in[i] : &s->call.out[i - n->n_in];
        if (a->rank == 0) continue;
        char shape[AT_SHAPE_TEXT];
        used += (size_t)snprintf(text + used, size - used, "%s%s",
                                 i == n->n_in ? " -> "
                                 : i          ? " "
                                              : "",
                                 at_shape_text(shape, a->rank, a->dim));
    }
}

static void print_numbers(const line *l, double total)
{
    const double seconds = l->seconds + l->prepare;
    fprintf(stderr, "%9.3f %5.1f%% %8.3f %8.3f %8.1f %8.4f %7.1f  ", seconds * 1e3, 100 * seconds / total,
            l->prepare * 1e3, l->gflop, l->gflop / l->seconds, l->gigabytes, l->gigabytes / l->seconds);
}

static void print_nodes(const line *lines, int n, double total)
{
    fprintf(stderr, "%9s %6s %8s %8s %8s %8s %7s  kernel, site, shapes\n", "ms", "share", "prepare", "GFLOP",
            "GFLOP/s", "GB", "GB/s");
    for (int i = 0; i < n; i++) {
        char shapes[512];
        describe_args(lines[i].step, shapes, sizeof shapes);
        print_numbers(&lines[i], total);
        fprintf(stderr, "%s  %s%s  %s\n", lines[i].name,
                lines[i].step->node->site ? lines[i].step->node->site : "",
                lines[i].step->node->phase == AT_COMMIT ? " (commit)" : "", shapes);
    }
}

/* Sum the lines of equal names; returns how many are left. */
static int merge_by_name(line *lines, int n)
{
    int kept = 0;
    for (int i = 0; i < n; i++) {
        int k = 0;
        while (k < kept && strcmp(lines[k].name, lines[i].name) != 0) k++;
        if (k == kept) {
            lines[kept++] = lines[i];
            continue;
        }
        lines[k].seconds += lines[i].seconds;
        lines[k].prepare += lines[i].prepare;
        lines[k].gflop += lines[i].gflop;
        lines[k].gigabytes += lines[i].gigabytes;
        lines[k].nodes++;
    }
    return kept;
}

static void print_kernels(line *lines, int n, double total)
{
    const int kernels = merge_by_name(lines, n);
    qsort(lines, (size_t)kernels, sizeof *lines, slower_first);
    fprintf(stderr, "\n%9s %6s %8s %8s %8s %8s %7s  kernel (nodes)\n", "ms", "share", "prepare", "GFLOP",
            "GFLOP/s", "GB", "GB/s");
    for (int i = 0; i < kernels; i++) {
        print_numbers(&lines[i], total);
        fprintf(stderr, "%s (%d)\n", lines[i].name, lines[i].nodes);
    }
}

at_status bench_profile_print(at_plan *p)
{
    line *lines;
    int n = 0;
    double total = 0;
    AT_NEW(p->ctx, lines, p->n_steps);
    for (int i = 0; i < p->n_steps; i++) {
        const at_step_node *s = &p->steps[i];
        line *l = &lines[n++];
        *l = (line){.step = s,
                    .name = s->kernel ? s->kernel->name : s->node->op->name,
                    .nodes = 1,
                    .gflop = gflop_of(s),
                    .gigabytes = gigabytes_of(s)};
        l->seconds = bench_median(self.run + (int64_t)i * self.steps, self.done);
        l->prepare = bench_median(self.prepare + (int64_t)i * self.steps, self.done);
        total += l->seconds + l->prepare;
        if (l->seconds == 0) n--; /* static, computed before */
    }
    qsort(lines, (size_t)n, sizeof *lines, slower_first);
    print_nodes(lines, n, total);
    print_kernels(lines, n, total);
    fprintf(stderr, "%9.3f ms in all nodes (sum of medians)\n", total * 1e3);
    at_free(p->ctx, lines);
    return AT_OK;
}
