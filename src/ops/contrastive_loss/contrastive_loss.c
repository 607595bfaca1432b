/* contrastive_loss: cross-entropy of each anchor's own positive among the positives and negatives of all
 * samples, as sentence-transformers' MultipleNegativesRankingLoss (Henderson et al. 2017, section 4.4).
 * hash h [S,P] int   x [P S,C] act on the same extent: rows P s, P s + 1 ... are anchor, positive, negatives
 * z_sj = scale cos(x[P s], x[j]),  j over all rows but anchors
 * loss_sum [1] acc = sum over s of log sum_j exp(z_sj) - z_s,(P s + 1)   count [1] acc = S
 * Not negatives, and left out of the sum over j: rows of other samples, and negatives, with the hash of s's
 * anchor or positive, and the positives of samples with the same anchor.
 * saved: dx [P S,C] act. With u = x / |x|, p = softmax(z):  d u_s = scale sum_j (p_sj - [j own]) u_j, d u_j
 * alike, dx = (du - u <u, du>) / |x|.  A row depends on all others: micro passes change it. */
#include "ops/contrastive_loss/contrastive_loss.h"
#include <math.h>

static at_status infer(at_ctx *ctx, const void *param, const at_meta *in, at_meta *out, at_meta *saved)
{
    const at_contrastive_param *p = param;
    AT_REQUIRE(ctx, p->scale > 0, AT_E_RANGE, "contrastive_loss: scale is %g, must be above 0", p->scale);
    AT_REQUIRE(ctx, in[0].rank == 2 && in[0].extent && in[0].dim[1] >= 2, AT_E_SHAPE,
               "contrastive_loss: hashes must be [S,P] on an extent, P 2 at least");
    AT_REQUIRE(ctx,
               in[1].rank == 2 && in[1].extent == in[0].extent && in[1].dim[0] == in[0].dim[0] * in[0].dim[1],
               AT_E_SHAPE, "contrastive_loss: x must be [P S,C], a row for each hash");
    out[0] = out[1] = at_meta_vector(AT_ACC, 1);
    saved[0] = in[1];
    return AT_OK;
}

static void grad(at_graph *g, const at_node *n, at_value *const *dy, at_value **dx)
{
    (void)g, (void)dy;
    if (dx[1]) dx[1] = n->saved[0];
}

/* Scratch: unit rows, their gradients, and, of one anchor, what is left of z. */
typedef struct work {
    const at_call *c;
    int64_t rows, C, P;
    double *u, *du, *length, *z;
    double scale;
} work;

static int64_t scratch_numbers(int64_t rows, int64_t C)
{
    return rows * (2 * C + 2);
}

static void need(const at_problem *p, at_need *out)
{
    out->scratch =
        (size_t)scratch_numbers(at_meta_max_rows(&p->in[1]), at_meta_cols(&p->in[1])) * sizeof(double);
}

static work begin(const at_call *c)
{
    const int64_t rows = c->in[1].rows, C = c->in[1].cols;
    double *memory = c->scratch;
    work w = {.c = c, .rows = rows, .C = C, .P = c->in[0].cols};
    w.scale = ((const at_contrastive_param *)c->param)->scale;
    w.u = memory;
    w.du = memory + rows * C;
    w.length = memory + 2 * rows * C;
    w.z = w.length + rows;
    for (int64_t j = 0; j < rows; j++) {
        double squares = 0.0;
        for (int64_t i = 0; i < C; i++) squares += (double)at_row(c, 1, j)[i] * (double)at_row(c, 1, j)[i];
        w.length[j] = fmax(sqrt(squares), AT_CONTRASTIVE_LEAST);
        for (int64_t i = 0; i < C; i++) {
            w.u[j * C + i] = (double)at_row(c, 1, j)[i] / w.length[j];
            w.du[j * C + i] = 0.0;
        }
    }
    return w;
}

bool at__contrastive_counts(const at_call *c, int64_t s, int64_t j)
{
    const int64_t P = c->in[0].cols, other = j / P, part = j % P;
    const int32_t *mine = at_int_row(c, 0, s), *theirs = at_int_row(c, 0, other);
    if (part == 0) return false;
    if (other == s && part == 1) return true;
    if (theirs[part] == mine[0] || theirs[part] == mine[1]) return false;
    return other == s || part > 1 || theirs[0] != mine[0];
}

static double softmax_of(const work *w, int64_t s, double *largest)
{
    const double *a = &w->u[s * w->P * w->C];
    double sum = 0.0;
    *largest = -INFINITY;
    for (int64_t j = 0; j < w->rows; j++) {
        if (!at__contrastive_counts(w->c, s, j)) continue;
        w->z[j] = 0.0;
        for (int64_t i = 0; i < w->C; i++) w->z[j] += w->scale * a[i] * w->u[j * w->C + i];
        if (!(w->z[j] <= *largest)) *largest = w->z[j]; /* a NaN is taken, and spoils the sum */
    }
    for (int64_t j = 0; j < w->rows; j++)
        if (at__contrastive_counts(w->c, s, j)) sum += exp(w->z[j] - *largest);
    return sum;
}

static double anchor(const work *w, int64_t s)
{
    double largest;
    const double sum = softmax_of(w, s, &largest);
    const int64_t own = s * w->P + 1;
    for (int64_t j = 0; j < w->rows && w->c->out[2].data; j++) {
        if (!at__contrastive_counts(w->c, s, j)) continue;
        const double dz = w->scale * (exp(w->z[j] - largest) / sum - (j == own ? 1.0 : 0.0));
        double *da = &w->du[s * w->P * w->C], *db = &w->du[j * w->C];
        const double *a = &w->u[s * w->P * w->C], *b = &w->u[j * w->C];
        for (int64_t i = 0; i < w->C; i++) {
            da[i] += dz * b[i];
            db[i] += dz * a[i];
        }
    }
    return log(sum) - (w->z[own] - largest);
}

static void put_gradient(const work *w, int64_t j)
{
    const double *u = &w->u[j * w->C], *du = &w->du[j * w->C];
    double along = 0.0;
    for (int64_t i = 0; i < w->C; i++) along += u[i] * du[i];
    for (int64_t i = 0; i < w->C; i++)
        at_put(w->c, 2, &at_out_row(w->c, 2, j)[i], (du[i] - u[i] * along) / w->length[j]);
}

static at_status ref(const at_call *c)
{
    const work w = begin(c);
    double loss = 0.0;
    for (int64_t s = 0; s < c->in[0].rows; s++) loss += anchor(&w, s);
    for (int64_t j = 0; j < w.rows && c->out[2].data; j++) put_gradient(&w, j);
    if (c->out[0].data) at_put(c, 0, at_out_row(c, 0, 0), loss);
    if (c->out[1].data) at_put(c, 1, at_out_row(c, 1, 0), (double)c->in[0].rows);
    return AT_OK;
}

#define SCALE                                                                                                \
    .param = &(const at_contrastive_param)                                                                   \
    {                                                                                                        \
        3                                                                                                    \
    }

static const at_op_case cases[] = {
    {.name = "pairs", SCALE, .in = {{2, {4, 2}}, {2, {8, 8}}}, .int_below = 1 << 20},
    {.name = "negatives", SCALE, .in = {{2, {3, 4}}, {2, {12, 5}}}, .int_below = 1 << 20},
    {.name = "equal_texts", SCALE, .in = {{2, {6, 3}}, {2, {18, 4}}}, .int_below = 5},
    {.name = "one", SCALE, .in = {{2, {1, 3}}, {2, {3, 3}}}, .int_below = 1 << 20},
    {.name = "large", SCALE, .in = {{2, {33, 2}}, {2, {66, 390}}}, .int_below = 1 << 20, .large = true},
    {.name = "large_equal_texts",
     SCALE,
     .in = {{2, {40, 3}}, {2, {120, 37}}},
     .int_below = 50,
     .large = true},
    {0},
};

static const at_op_case refused[] = {
    {.name = "scale is 0",
     .param = &(const at_contrastive_param){0},
     .in = {{2, {3, 2}}, {2, {6, 4}}},
     .int_below = 2},
    {.name = "hashes must be [S,P]", SCALE, .in = {{2, {3, 1}}, {2, {3, 4}}}, .int_below = 2},
    {.name = "x must be [P S,C]", SCALE, .in = {{2, {3, 2}}, {2, {3, 4}}}, .int_below = 2},
    {0},
};

const at_op at_op_contrastive_loss = {
    .name = "contrastive_loss",
    .doc = "cross-entropy of each anchor's own positive among those of the pass: sum and count",
    .n_in = 2,
    .n_out = 2,
    .n_saved = 1,
    .param_size = sizeof(at_contrastive_param),
    .extent_in = 3,
    .int_in = 1,
    .loss = true,
    .couples_rows = true,
    .infer = infer,
    .grad = grad,
    .ref = ref,
    .ref_need = need,
    .cases = cases,
    .refused = refused};

at_pair_loss at_contrastive_loss(at_graph *g, at_value *hash, at_value *x, double scale)
{
    const at_node *n = at_opn(g, &at_op_contrastive_loss, &(at_contrastive_param){scale}, hash, x);
    return (at_pair_loss){n->out[0], n->out[1]};
}
