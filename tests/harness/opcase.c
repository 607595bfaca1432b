/* opcase.c: from the data of an op case to inputs. */
#include "base/rng.h"
#include "tests/harness/opcheck.h"
#include "tests/harness/tolerance.h"
#include <math.h>

int64_t at_case_samples(const at_op *op, const at_op_case *k)
{
    if (k->lengths) return k->n_lengths;
    for (int i = 0; i < op->n_in; i++)
        if (op->extent_in >> i & 1 && k->in[i].rank) return k->in[i].dim[0];
    return 1;
}

void at_case_extents(const at_op_case *k, int64_t samples, int64_t out[AT_CASE_EXTENTS])
{
    out[AT_SAMPLES] = samples;
    out[AT_RAGGED] = 0;
    for (int64_t s = 0; s < samples && k->lengths; s++) out[AT_RAGGED] += k->lengths[s];
}

void at_case_metas(const at_op *op, const at_op_case *k, at_extent extent[AT_CASE_EXTENTS],
                   at_meta in[AT_MAX_IN])
{
    int64_t rows[AT_CASE_EXTENTS];
    at_case_extents(k, at_case_samples(op, k), rows);
    extent[AT_SAMPLES] = (at_extent){"samples", at_max(rows[AT_SAMPLES], 1), AT_SAMPLES};
    extent[AT_RAGGED] = (at_extent){"rows", at_max(rows[AT_RAGGED], 1), AT_RAGGED};
    for (int i = 0; i < op->n_in; i++) {
        const at_type type = op->int_in >> i & 1 ? AT_INT : op->acc_in >> i & 1 ? AT_ACC : AT_ACT;
        in[i] = at_meta_of(type, k->in[i].rank, k->in[i].dim);
        if (!k->in[i].rank || !((op->extent_in | op->rows_in) >> i & 1)) continue;
        const int e = op->rows_in >> i & 1 ? AT_RAGGED : AT_SAMPLES;
        in[i].extent = &extent[e];
        if (rows[e] == 0) in[i].dim[0] = 1; /* a maximum is at least one; the run then has none */
    }
}

static double away_from_kinks(const at_op_case *k, double x)
{
    const double margin = 20 * AT_GRADIENT_STEP;
    for (int i = 0; i < k->n_kinks; i++)
        if (fabs(x - k->kinks[i]) < margin) return k->kinks[i] + (x < k->kinks[i] ? -margin : margin);
    return x;
}

static void fill_offsets(const at_op_case *k, int64_t n, int32_t *out)
{
    int64_t rows[AT_CASE_EXTENTS];
    for (int64_t s = 0; s < n; s++) {
        at_case_extents(k, s, rows);
        out[s] = (int32_t)rows[AT_RAGGED];
    }
}

enum { GAP = 45 }; /* as op.h says; no multiple of a vector's length */

void at_fill_input(const at_op *op, const at_op_case *k, int i, const at_meta *m, void *out)
{
    const at_rng_key key = at_rng_make(7, at_hash_name(op->name), at_hash_name(k->name));
    const bool unit = k->low == 0 && k->high == 0;
    double low = unit ? -1.0 : k->low, high = unit ? 1.0 : k->high;
    if (k->positive >> i & 1) low = 0.5, high = 1.5;
    const int64_t n = at_meta_max_rows(m) * at_meta_cols(m);
    uint32_t word[4];
    if (op->offsets_in >> i & 1) {
        fill_offsets(k, n, out);
        return;
    }
    for (int64_t e = 0; e < n; e++) { /* at_rng_uniform, four at a time: large cases are filled often */
        if (e % 4 == 0) at_rng_block(word, key, (uint64_t)i, 0, (uint32_t)(e / 4));
        const double u = (word[e % 4] >> 8) * 0x1p-24;
        if (m->type == AT_INT)
            ((int32_t *)out)[e] = (int32_t)(u * k->int_below);
        else if (k->gaps >> i & 1 && e / GAP % 3 == 1)
            ((at_real *)out)[e] = 0;
        else
            ((at_real *)out)[e] = (at_real)away_from_kinks(k, low + (high - low) * u);
    }
}
