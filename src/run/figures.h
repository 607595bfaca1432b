/* figures.h: numbers as people read them: counts, times, shares with their intervals, medians. Layer: run,
 * private to it. */
#ifndef AT_FIGURES_H
#define AT_FIGURES_H

#include "base/base.h"

/* Room for one number in words. Each function fills and returns `out`, so that it can stand among the
 * arguments of a printf. */
enum { AT_FIGURE = 32 };

const char *at__exact(char out[AT_FIGURE], int64_t n); /* "1,234,567" */
const char *at__rough(char out[AT_FIGURE], int64_t n); /* "3,843", "315 thousand", "2.26 million" */
const char *at__seconds(char out[AT_FIGURE],
                        double s); /* "0.25 s", "4.2 s", "42 s", "3 min 20 s", "2 h 5 min" */

/* A metric's name for people: "log_loss" is "log loss". */
const char *at__metric_words(char out[AT_FIGURE], const char *name);

/* Sorts x; the mean of the middle two when n is even; 0 of nothing. */
double at__median(double *x, int64_t n);

#endif
