/* report.h: checks that are counted, not asserted, so that negative controls can see that a check finds a
 * defect. */
#ifndef AT_REPORT_H
#define AT_REPORT_H

#include "engine/tensor.h"

typedef struct at_report {
    int checks, failures;
    char first[600]; /* the first failure */
    char where[256]; /* prefix of messages */
} at_report;

void at_report_at(at_report *r, const char *fmt, ...) AT_PRINTF(2, 3);
void at_report_check(at_report *r, bool ok, const char *fmt, ...) AT_PRINTF(3, 4);

/* One check: every |got - want| <= tol * max(|want|). Equal infinities and NaN at the same places are equal.
 */
void at_report_close(at_report *r, const char *what, const at_real *got, const at_real *want, int64_t n,
                     double tol);

/* The same, relative to max(|want|) or `least`, whichever is larger. */
void at_report_close_to(at_report *r, const char *what, const at_real *got, const at_real *want, int64_t n,
                        double tol, double least);

/* One check: ||got - want|| <= tol ||want|| (L2). */
void at_report_close_l2(at_report *r, const char *what, const at_real *got, const at_real *want, int64_t n,
                        double tol);

/* One check: the same bits. */
/* Each element may differ by `relative` of its own size more. */
void at_report_close_rounded(at_report *r, const char *what, const at_real *got, const at_real *want,
                             int64_t n, double tol, double relative);

void at_report_same(at_report *r, const char *what, const void *got, const void *want, size_t bytes);

/* The one place where a report becomes a test result. */
#define at_expect_clean(r)                                                                                   \
    do {                                                                                                     \
        if ((r)->failures)                                                                                   \
            fail_msg("%d of %d checks failed; first: %s", (r)->failures, (r)->checks, (r)->first);           \
        if ((r)->checks == 0) fail_msg("nothing was checked");                                               \
    } while (0)

#endif
