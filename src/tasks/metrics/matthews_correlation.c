/* matthews_correlation: between true and predicted classes, of any number of classes (Gorodkin 2004;
 * scikit-learn's matthews_corrcoef): with c right of n, t_k true and p_k predicted of class k,
 *   (c n - sum t_k p_k) / sqrt((n^2 - sum p_k^2) (n^2 - sum t_k^2))
 * 0 where one class is predicted only, as scikit-learn has it; not defined where one is true only. */
#include "tasks/task.h"
#include <math.h>

static double of_classes(const at_classified *c)
{
    double right = 0.0, n = 0.0, both = 0.0, tt = 0.0, pp = 0.0;
    for (int k = 0; k < c->n_classes; k++) {
        double t = 0.0, p = 0.0;
        for (int i = 0; i < c->n_classes; i++) {
            t += (double)c->confusion[k * c->n_classes + i];
            p += (double)c->confusion[i * c->n_classes + k];
        }
        right += (double)c->confusion[k * c->n_classes + k];
        n += t;
        both += t * p;
        tt += t * t;
        pp += p * p;
    }
    if (!(n * n - tt > 0)) return (double)NAN;
    return n * n - pp > 0 ? (right * n - both) / sqrt((n * n - pp) * (n * n - tt)) : 0.0;
}

const at_metric at_metric_matthews_correlation = {
    .name = "matthews_correlation",
    .doc = "correlation of true and predicted classes: 1 is perfect, 0 no better than guessing",
    .higher_is_better = true,
    .plain = true,
    .of_classes = of_classes};
