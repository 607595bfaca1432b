/* axis.c: which input pixels make an output pixel, and by how much: the weights of at_image_resize. Layer:
 * data. Output i lies at (i + 1/2) * in / out in the input. Its window is the filter stretched by the shrink
 * factor (never squeezed), cut at the picture's ends, and its weights are divided by their sum. The order of
 * the floating-point operations is part of the result: a weight that rounds differently is a grey level that
 * differs from Pillow's. */
#include "data/resample.h"
#include <math.h>

#define PI 3.14159265358979323846

/* ---- Filters: weight at distance x, in units of the filter ---- */

static double box(double x)
{
    return x > -0.5 && x <= 0.5 ? 1.0 : 0.0;
}

static double bilinear(double x)
{
    x = fabs(x);
    return x < 1.0 ? 1.0 - x : 0.0;
}

static double hamming(double x)
{
    x = fabs(x);
    if (x == 0.0) return 1.0;
    if (x >= 1.0) return 0.0;
    x *= PI;
    return sin(x) / x * ((double)0.54f + (double)0.46f * cos(x)); /* the constants have float precision */
}

static double bicubic(double x) /* Keys' kernel with a = -1/2 */
{
    const double a = -0.5;
    x = fabs(x);
    if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
    if (x < 2.0) return (((x - 5.0) * x + 8.0) * x - 4.0) * a;
    return 0.0;
}

static double sinc(double x)
{
    if (x == 0.0) return 1.0;
    x *= PI;
    return sin(x) / x;
}

static double lanczos(double x)
{
    return x >= -3.0 && x < 3.0 ? sinc(x) * sinc(x / 3.0) : 0.0;
}

typedef struct shape {
    double (*weight)(double x);
    double reach; /* weight is 0 beyond */
} shape;

static const shape shapes[] = {
    [AT_LANCZOS] = {lanczos, 3.0}, [AT_BILINEAR] = {bilinear, 1.0}, [AT_BICUBIC] = {bicubic, 2.0},
    [AT_BOX] = {box, 0.5},         [AT_HAMMING] = {hamming, 1.0},
};

/* ---- Windows and weights ---- */

typedef struct window {
    int first, count;
    double centre;
} window;

static window find_window(int in, double scale, double reach, int i)
{
    const double centre = (i + 0.5) * scale;
    int first = (int)(centre - reach + 0.5), end = (int)(centre + reach + 0.5);
    if (first < 0) first = 0;
    if (end > in) end = in;
    return (window){first, end - first, centre};
}

static int32_t fixed_point(double w)
{
    return (int32_t)((w < 0.0 ? -0.5 : 0.5) + w * (1 << AT_WEIGHT_BITS));
}

/* real: room for the weights before they are rounded. */
static void weigh(int32_t *k, double *real, const window *w, const shape *f, double stretch)
{
    const double squeeze = 1.0 / stretch;
    double sum = 0.0;
    for (int t = 0; t < w->count; t++) {
        real[t] = f->weight((t + w->first - w->centre + 0.5) * squeeze);
        sum += real[t];
    }
    for (int t = 0; t < w->count; t++) k[t] = fixed_point(sum != 0.0 ? real[t] / sum : real[t]);
}

static void split_digits(at_digits *d, const int32_t *k)
{
    for (int t = 0; t < AT_TAP_GROUP; t++) {
        d->high[t] = (int16_t)(k[t] >> 8);
        d->low[t] = (int16_t)(k[t] & 255);
    }
}

/* Windows move to the right only, so the first and the last one bound them all. */
static void count_from_low(at_axis *a)
{
    a->low = a->first[0];
    a->used = a->first[a->n - 1] + a->count[a->n - 1] - a->low;
    for (int i = 0; i < a->n; i++) a->first[i] -= a->low;
}

static at_status allocate(at_ctx *ctx, at_axis *a, double **real)
{
    AT_NEW(ctx, a->k, (int64_t)a->n * a->taps);
    AT_NEW(ctx, a->digits, (int64_t)a->n * (a->taps / AT_TAP_GROUP));
    AT_NEW(ctx, *real, a->taps);
    return AT_OK;
}

static at_status make_weights(at_ctx *ctx, at_axis *a, int in, int out, int from, const shape *f)
{
    const double scale = (double)in / out, stretch = scale < 1.0 ? 1.0 : scale, reach = f->reach * stretch;
    int longest = 0;
    for (int i = 0; i < a->n; i++) {
        const window w = find_window(in, scale, reach, from + i);
        a->first[i] = w.first;
        a->count[i] = w.count;
        if (w.count > longest) longest = w.count;
    }
    a->taps = (int)at_round_up(longest, AT_TAP_GROUP);
    double *real = NULL;
    const at_status status = allocate(ctx, a, &real);
    for (int i = 0; i < a->n && status == AT_OK; i++) {
        const window w = find_window(in, scale, reach, from + i);
        int32_t *k = a->k + (int64_t)i * a->taps;
        weigh(k, real, &w, f, stretch);
        at_digits *digits = a->digits + (int64_t)i * (a->taps / AT_TAP_GROUP);
        for (int t = 0; t < a->taps; t += AT_TAP_GROUP) split_digits(digits++, k + t);
    }
    at_free(ctx, real);
    return status;
}

/* Pillow steps from pixel to pixel, so that rounding errors add up: a multiplication would differ. */
static void make_nearest(at_axis *a, int in, int out, int from)
{
    const double scale = (double)in / out;
    double at = scale * 0.5;
    for (int i = 0; i < from + a->n; i++, at += scale) {
        if (i < from) continue;
        a->first[i - from] = (int)at_min((int64_t)at, in - 1);
        a->count[i - from] = 1;
    }
}

at_status at__axis_init(at_ctx *ctx, at_axis *a, int in, int out, int from, int n, at_filter filter)
{
    *a = (at_axis){.n = n};
    a->first = at_alloc_array(ctx, n, sizeof *a->first);
    a->count = at_alloc_array(ctx, n, sizeof *a->count);
    at_status status = a->first && a->count ? AT_OK : AT_E_NOMEM;
    if (status == AT_OK && filter == AT_NEAREST) make_nearest(a, in, out, from);
    if (status == AT_OK && filter != AT_NEAREST)
        status = make_weights(ctx, a, in, out, from, &shapes[filter]);
    if (status == AT_OK) count_from_low(a);
    if (status != AT_OK) at__axis_deinit(ctx, a);
    return status;
}

void at__axis_deinit(at_ctx *ctx, at_axis *a)
{
    at_free(ctx, a->first);
    at_free(ctx, a->count);
    at_free(ctx, a->k);
    at_free(ctx, a->digits);
    *a = (at_axis){0};
}
