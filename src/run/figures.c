/* figures.c: numbers as people read them. */
#include "run/figures.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

const char *at__exact(char out[AT_FIGURE], int64_t n)
{
    char digits[AT_FIGURE];
    const int size = snprintf(digits, sizeof digits, "%lld", (long long)n), sign = n < 0;
    int k = 0;
    for (int i = 0; i < size && k < AT_FIGURE - 2; i++) {
        if (i > sign && (size - i) % 3 == 0) out[k++] = ',';
        out[k++] = digits[i];
    }
    out[k] = '\0';
    return out;
}

/* Three digits are enough to compare; below 10,000 the number itself is as short. */
const char *at__rough(char out[AT_FIGURE], int64_t n)
{
    static const char *const names[] = {"thousand", "million", "billion", "trillion"};
    if (n < 10000) return at__exact(out, n);
    double x = (double)n / 1e3;
    int k = 0;
    for (; k < AT_COUNT(names) - 1 && x >= 999.5; k++) x /= 1e3;
    snprintf(out, AT_FIGURE, "%.*f %s", x < 9.995 ? 2 : x < 99.95 ? 1 : 0, x, names[k]);
    return out;
}

const char *at__seconds(char out[AT_FIGURE], double s)
{
    const long long whole = isfinite(s) && s > 0 ? (long long)(fmin(s, 1e15) + 0.5) : 0;
    if (s < 0.995)
        snprintf(out, AT_FIGURE, "%.2f s", fmax(s, 0));
    else if (s < 9.95)
        snprintf(out, AT_FIGURE, "%.1f s", s);
    else if (whole < 120)
        snprintf(out, AT_FIGURE, "%lld s", whole);
    else if (whole < 7200)
        snprintf(out, AT_FIGURE, "%lld min %lld s", whole / 60, whole % 60);
    else
        snprintf(out, AT_FIGURE, "%lld h %lld min", whole / 3600, whole % 3600 / 60);
    return out;
}

const char *at__metric_words(char out[AT_FIGURE], const char *name)
{
    snprintf(out, AT_FIGURE, "%s", name);
    for (char *p = out; *p; p++)
        if (*p == '_') *p = ' ';
    return out;
}

static int smaller_first(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

double at__median(double *x, int64_t n)
{
    if (n == 0) return 0;
    qsort(x, (size_t)n, sizeof *x, smaller_first);
    return n % 2 ? x[n / 2] : 0.5 * (x[n / 2 - 1] + x[n / 2]);
}
