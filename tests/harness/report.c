/* report.c: counting checks. */
#include "tests/harness/report.h"
#include <math.h>
#include <stdio.h>

void at_report_at(at_report *r, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(r->where, sizeof r->where, fmt, args);
    va_end(args);
}

void at_report_check(at_report *r, bool ok, const char *fmt, ...)
{
    r->checks++;
    if (ok || r->failures++) return;
    char text[256];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    snprintf(r->first, sizeof r->first, "%s: %s", r->where, text);
}

static void close(at_report *r, const char *what, const at_real *got, const at_real *want, int64_t n,
                  double tol, double relative, double least)
{
    double scale = least, worst = 0.0;
    int64_t at = -1;
    for (int64_t i = 0; i < n; i++)
        if (fabs((double)want[i]) > scale && isfinite((double)want[i])) scale = fabs((double)want[i]);
    for (int64_t i = 0; i < n; i++) {
        const double g = (double)got[i], w = (double)want[i], d = fabs(g - w) - relative * fabs(w);
        if (d <= worst || (isnan(w) ? isnan(g) : (!isfinite(w) && g == w))) continue;
        worst = d; /* NaN counts as the worst */
        at = i;
        if (isnan(d)) break;
    }
    at_report_check(r, worst <= tol * scale,
                    "%s: element %lld is %.9g, expected %.9g; difference %.3g, allowed %.3g", what,
                    (long long)at, at < 0 ? 0.0 : (double)got[at], at < 0 ? 0.0 : (double)want[at], worst,
                    tol * scale);
}

void at_report_close_to(at_report *r, const char *what, const at_real *got, const at_real *want, int64_t n,
                        double tol, double least)
{
    close(r, what, got, want, n, tol, 0.0, least);
}

void at_report_close_rounded(at_report *r, const char *what, const at_real *got, const at_real *want,
                             int64_t n, double tol, double relative)
{
    close(r, what, got, want, n, tol, relative, 0.0);
}

void at_report_close(at_report *r, const char *what, const at_real *got, const at_real *want, int64_t n,
                     double tol)
{
    at_report_close_to(r, what, got, want, n, tol, 0.0);
}

void at_report_same(at_report *r, const char *what, const void *got, const void *want, size_t bytes)
{
    const unsigned char *g = got, *w = want;
    size_t i = bytes && memcmp(g, w, bytes) == 0 ? bytes : 0;
    while (i < bytes && g[i] == w[i]) i++;
    at_report_check(r, i == bytes, "%s: bits differ from byte %zu on", what, i);
}

void at_report_close_l2(at_report *r, const char *what, const at_real *got, const at_real *want, int64_t n,
                        double tol)
{
    double difference = 0.0, scale = 0.0;
    for (int64_t i = 0; i < n; i++) {
        difference += ((double)got[i] - (double)want[i]) * ((double)got[i] - (double)want[i]);
        scale += (double)want[i] * (double)want[i];
    }
    at_report_check(r, sqrt(difference) <= tol * sqrt(scale), "%s: relative L2 difference %.3g, allowed %.3g",
                    what, sqrt(difference / scale), tol);
}
