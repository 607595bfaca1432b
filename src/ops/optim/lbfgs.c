/* lbfgs: limited-memory BFGS with a Wolfe line search (Nocedal and Wright 2006, algorithms 7.4, 7.5, 3.5),
 * for small problems solved over the whole data at once: a linear probe. Minimises until the largest gradient
 * element falls below the tolerance, or rounding leaves nothing to gain. */
#include "ops/optim/lbfgs.h"
#include <math.h>

typedef struct solver {
    at_ctx *ctx;
    const at_objective *f;
    const at_lbfgs_options *o;
    int64_t n;
    double *x, *g, *trial_x, *trial_g, *direction;
    double *s, *y; /* [history, n] steps and gradient differences, a ring */
    double *rho, *alpha;
    int64_t kept, newest;
    double value;
} solver;

static double dot(const double *a, const double *b, int64_t n)
{
    double sum = 0.0;
    for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

static double largest(const double *a, int64_t n)
{
    double m = 0.0;
    for (int64_t i = 0; i < n; i++)
        if (!(fabs(a[i]) <= m)) m = fabs(a[i]);
    return m;
}

/* direction = -H g by the two-loop recursion. */
static void find_direction(solver *v)
{
    const int64_t n = v->n, h = v->o->history;
    for (int64_t i = 0; i < n; i++) v->direction[i] = -v->g[i];
    for (int64_t k = 0; k < v->kept; k++) {
        const int64_t j = (v->newest - k + h) % h;
        v->alpha[j] = v->rho[j] * dot(v->s + j * n, v->direction, n);
        for (int64_t i = 0; i < n; i++) v->direction[i] -= v->alpha[j] * v->y[j * n + i];
    }
    if (v->kept) {
        const double *s = v->s + v->newest * n, *y = v->y + v->newest * n;
        const double gamma = dot(s, y, n) / dot(y, y, n);
        for (int64_t i = 0; i < n; i++) v->direction[i] *= gamma;
    }
    for (int64_t k = v->kept - 1; k >= 0; k--) {
        const int64_t j = (v->newest - k + h) % h;
        const double beta = v->rho[j] * dot(v->y + j * n, v->direction, n);
        for (int64_t i = 0; i < n; i++) v->direction[i] += (v->alpha[j] - beta) * v->s[j * n + i];
    }
}

static at_status evaluate(solver *v, double step, double *value, double *slope)
{
    for (int64_t i = 0; i < v->n; i++) v->trial_x[i] = v->x[i] + step * v->direction[i];
    AT_TRY(v->f->evaluate(v->f->self, v->trial_x, value, v->trial_g));
    *slope = dot(v->trial_g, v->direction, v->n);
    return AT_OK;
}

/* A step that satisfies the weak Wolfe conditions, by bisection; *found = false when rounding allows none.
 * Near the optimum a float32 loss is all noise while its slope is not: there the slope alone must say that
 * the step is not too long, which for a quadratic is the same condition (Hager and Zhang 2005). */
static at_status line_search(solver *v, double step, bool *found, double *value)
{
    const double slope0 = dot(v->g, v->direction, v->n);
    double low = 0.0, high = INFINITY;
    *found = false;
    for (int i = 0; i < 40; i++) {
        double slope;
        AT_TRY(evaluate(v, step, value, &slope));
        const bool lower = *value <= v->value + 1e-4 * step * slope0;
        const bool level = *value <= v->value + 1e-6 * fabs(v->value) && slope <= -(1 - 2e-4) * slope0;
        if (!lower && !level)
            high = step;
        else if (slope < 0.9 * slope0)
            low = step;
        else {
            *found = true;
            return AT_OK;
        }
        step = isinf(high) ? 2.0 * low : 0.5 * (low + high);
    }
    return AT_OK;
}

/* Take the trial point; keep its curvature when it is positive. */
static void accept(solver *v, double value)
{
    const int64_t n = v->n, h = v->o->history, j = v->kept ? (v->newest + 1) % h : 0;
    double *s = v->s + j * n, *y = v->y + j * n;
    for (int64_t i = 0; i < n; i++) {
        s[i] = v->trial_x[i] - v->x[i];
        y[i] = v->trial_g[i] - v->g[i];
    }
    memcpy(v->x, v->trial_x, (size_t)n * sizeof *v->x);
    memcpy(v->g, v->trial_g, (size_t)n * sizeof *v->g);
    v->value = value;
    const double curvature = dot(s, y, n);
    if (!(curvature > 1e-14 * dot(y, y, n))) return;
    v->rho[j] = 1.0 / curvature;
    v->newest = j;
    if (v->kept < h) v->kept++;
}

static at_status minimise(solver *v)
{
    AT_TRY(v->f->evaluate(v->f->self, v->x, &v->value, v->g));
    for (int64_t iteration = 1; iteration <= v->o->iterations; iteration++) {
        const double norm = largest(v->g, v->n);
        AT_REQUIRE(v->ctx, isfinite(v->value) && isfinite(norm), AT_E_NONFINITE,
                   "lbfgs: the loss is not finite");
        if (norm <= v->o->tolerance) return AT_OK;
        find_direction(v);
        double value;
        bool found;
        const double start = v->kept ? 1.0 : fmin(1.0, 1.0 / sqrt(dot(v->g, v->g, v->n)));
        AT_TRY(line_search(v, start, &found, &value));
        if (!found) return AT_OK; /* the loss's last digits are all that is left */
        accept(v, value);
        v->f->report(v->f->self, iteration, v->value, largest(v->g, v->n));
    }
    return AT_OK;
}

static at_status solve(at_ctx *ctx, const at_objective *f, double *x, int64_t n, const void *options)
{
    const at_lbfgs_options *o = options;
    solver v = {.ctx = ctx, .f = f, .o = o, .n = n, .x = x};
    double *memory;
    AT_NEW(ctx, memory, (4 + 2 * o->history) * n + 2 * o->history);
    v.g = memory;
    v.trial_x = v.g + n;
    v.trial_g = v.trial_x + n;
    v.direction = v.trial_g + n;
    v.s = v.direction + n;
    v.y = v.s + o->history * n;
    v.rho = v.y + o->history * n;
    v.alpha = v.rho + o->history;
    const at_status s = minimise(&v);
    at_free(ctx, memory);
    return s;
}

static const at_option option_list[] = {
    {"history", AT_OPTION_WHOLE, AT_OPTION(at_lbfgs_options, history), "10", 1, 100,
     .help = "pairs that model the curvature"},
    {"iterations", AT_OPTION_WHOLE, AT_OPTION(at_lbfgs_options, iterations), "1000", 1, 1000000,
     .help = "at most"},
    {"tolerance", AT_OPTION_REAL, AT_OPTION(at_lbfgs_options, tolerance), "1e-5", 0, 1,
     .help = "largest gradient element at which the problem counts as solved"},
    {0},
};

const at_options at_options_lbfgs = {"lbfgs", option_list, sizeof(at_lbfgs_options)};

const at_optimizer at_optimizer_lbfgs = {
    .name = "lbfgs",
    .doc = "solves over the whole data at once; for heads on cached features",
    .options = &at_options_lbfgs,
    .solve = solve};
