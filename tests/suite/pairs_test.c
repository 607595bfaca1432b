/* pairs_test.c: the products by units that multiply pairs of bf16 (gemm/pairs_*matrix.c), called directly:
 * against sums in double, for any shape, pitch and loader; a row has the same bits in any company, any number
 * of threads gives the same bits, and what lies around the operands is neither used nor written. Operands end
 * where a page ends that may not be touched; gaps hold NaN. */
#include "base/rng.h"
#include "base/stream.h"
#include "gemm/gemm.h"
#include "tests/harness/report.h"
#include "tests/harness/test.h"
#include <math.h>
#include <stdlib.h>
#include <sys/mman.h>

#define NO_UNIT "the processor has no such unit for bf16"

typedef struct unit { /* a variant's entry points */
    at_isa isa;
    size_t (*scratch)(int64_t K, int64_t N, const at_gemm_taps *taps);
    void (*gemm)(const at_gemm_job *job);
    void (*outer_scratch)(int64_t rows, int64_t M, int64_t N, bool loads, const at_gemm_taps *taps,
                          size_t *shared, size_t *thread);
    void (*outer)(const at_gemm_outer_job *job);
} unit;

#if defined(__x86_64__)
#define UNIT(variant, level)                                                                                 \
    size_t at_gemm_thread_scratch_##variant(int64_t K, int64_t N, const at_gemm_taps *taps);                 \
    void at_gemm_##variant(const at_gemm_job *job);                                                          \
    void at_gemm_outer_scratch_##variant(int64_t rows, int64_t M, int64_t N, bool loads,                     \
                                         const at_gemm_taps *taps, size_t *shared, size_t *thread);          \
    void at_gemm_outer_##variant(const at_gemm_outer_job *job);                                              \
    static const unit unit_##variant = {level, at_gemm_thread_scratch_##variant, at_gemm_##variant,          \
                                        at_gemm_outer_scratch_##variant, at_gemm_outer_##variant};
#else
#define UNIT(variant, level) static const unit unit_##variant = {.isa = level};
#endif
UNIT(avx512bf16, AT_ISA_AVX512BF16)
UNIT(amx, AT_ISA_AMX)

enum { NR = 32, STEP = 32, HOLE = 0x7fc1 /* a NaN */ };

/* ---- Matrices between holes ---- */

/* rows x cols of bf16 (or of floats), rows pitch apart, with a row of holes before, holes in the gaps, and a
 * page behind the last element that may not be touched. */
typedef struct matrix {
    void *memory;
    size_t bytes;
    char *data;
    int64_t rows, cols, pitch, size;
} matrix;

static matrix matrix_make(int64_t rows, int64_t cols, int64_t pitch, int64_t size)
{
    const size_t page = 4096, used = (size_t)((rows * pitch + cols) * size);
    matrix m = {.rows = rows, .cols = cols, .pitch = pitch, .size = size};
    m.bytes = (used + 2 * page - 1) / page * page + page;
    m.memory = mmap(NULL, m.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(m.memory != MAP_FAILED);
    assert_int_equal(mprotect((char *)m.memory + m.bytes - page, page, PROT_NONE), 0);
    uint16_t *all = m.memory;
    for (size_t i = 0; i < (m.bytes - page) / 2; i++) all[i] = HOLE;
    m.data = (char *)m.memory + m.bytes - page - used + pitch * size;
    return m;
}

static void matrix_free(matrix *m)
{
    munmap(m->memory, m->bytes);
}

static uint16_t *at16(const matrix *m, int64_t row, int64_t col)
{
    return (uint16_t *)(void *)m->data + row * m->pitch + col;
}

static float *at32(const matrix *m, int64_t row, int64_t col)
{
    return (float *)(void *)m->data + row * m->pitch + col;
}

static double value(const matrix *m, int64_t row, int64_t col)
{
    return m->size == 2 ? (double)at_bf16_to_f32(*at16(m, row, col)) : (double)*at32(m, row, col);
}

static void fill(const matrix *m, uint64_t stream)
{
    const at_rng_key key = at_rng_make(7, 8, 9);
    for (int64_t i = 0; i < m->rows * m->cols; i++) {
        const float x = (float)(2 * at_rng_uniform(key, stream, 0, (uint64_t)i) - 1);
        if (m->size == 2)
            *at16(m, i / m->cols, i % m->cols) = at_f32_to_bf16(x);
        else
            *at32(m, i / m->cols, i % m->cols) = x;
    }
}

/* Holes before the first row and between rows are as they were. */
static bool holes_intact(const matrix *m)
{
    for (const uint16_t *p = m->memory; p < at16(m, 0, 0) && p < (uint16_t *)(void *)m->data; p++)
        if (*p != HOLE) return false;
    for (int64_t r = 0; r + 1 < m->rows; r++)
        for (const char *p = m->data + (r * m->pitch + m->cols) * m->size;
             p < m->data + (r + 1) * m->pitch * m->size; p += 2)
            if (*(const uint16_t *)(const void *)p != HOLE) return false;
    return true;
}

static void load(const void *arg, void *out, int64_t ld, int64_t row, int64_t rows, int64_t col, int64_t cols)
{
    for (int64_t i = 0; i < rows; i++)
        memcpy((uint16_t *)out + i * ld, at16(arg, row + i, col), (size_t)cols * 2);
}

static at_gemm_matrix operand(const matrix *m, bool loads)
{
    if (loads) return (at_gemm_matrix){.load = load, .arg = m};
    return (at_gemm_matrix){.data = m->data, .pitch = m->pitch};
}

/* ---- Matrices that are pictures seen through taps ---- */

static void load_nothing(const void *arg, void *out, int64_t ld, int64_t row, int64_t rows, int64_t col,
                         int64_t cols)
{
    (void)arg, (void)row, (void)col;
    for (int64_t i = 0; i < rows * cols; i++) ((uint16_t *)out)[i / cols * ld + i % cols] = HOLE;
}

/* The matrix is not to be copied: the loader gives holes. */
static at_gemm_matrix operand_through_taps(const at_gemm_taps *taps)
{
    return (at_gemm_matrix){.load = load_nothing, .taps = taps};
}

/* -1: outside */
static int64_t pixel_of(const at_gemm_axis *a, int64_t output, int64_t tap)
{
    const int64_t i = output * a->stride + a->first + tap * a->step;
    return i >= 0 && i < a->size ? i : -1;
}

static int64_t taps_rows(const at_gemm_taps *t)
{
    return t->samples * t->y.outputs * t->x.outputs;
}

static int64_t taps_columns(const at_gemm_taps *t)
{
    return t->y.taps * t->x.taps * t->channels;
}

/* Pictures, and in `to` what is seen of them. */
static matrix taps_make(at_gemm_taps *t, int64_t gap, const matrix *to)
{
    matrix x = matrix_make(t->samples * t->y.size * t->x.size, t->channels, t->channels + gap, 2);
    fill(&x, 9);
    t->data = x.data;
    t->pitch = x.pitch;
    for (int64_t row = 0; row < to->rows; row++)
        for (int64_t tap = 0; tap < t->y.taps * t->x.taps; tap++) {
            const int64_t s = row / (t->y.outputs * t->x.outputs),
                          iy = pixel_of(&t->y, row / t->x.outputs % t->y.outputs, tap / t->x.taps),
                          ix = pixel_of(&t->x, row % t->x.outputs, tap % t->x.taps);
            uint16_t *out = at16(to, row, tap * t->channels);
            memset(out, 0, (size_t)t->channels * 2);
            if (iy >= 0 && ix >= 0)
                memcpy(out, at16(&x, (s * t->y.size + iy) * t->x.size + ix, 0), (size_t)t->channels * 2);
        }
    return x;
}

/* Sizes of pictures and outputs, strides, taps, where they begin and how far they are apart. */
static const at_gemm_taps taps_cases[] = {
    {.channels = 32, .samples = 3, .y = {9, 9, 1, 3, -1, 1}, .x = {11, 11, 1, 3, -1, 1}},
    {.channels = 64, .samples = 2, .y = {14, 14, 1, 3, -1, 1}, .x = {14, 14, 1, 3, -1, 1}},
    {.channels = 32, .samples = 2, .y = {28, 14, 2, 5, -2, 1}, .x = {30, 15, 2, 7, -3, 1}},
    {.channels = 96, .samples = 1, .y = {13, 13, 1, 3, 1, -1}, .x = {17, 17, 1, 3, 1, -1}}, /* as dx */
    {.channels = 32, .samples = 2, .y = {12, 14, 1, 3, 0, -1}, .x = {12, 14, 1, 3, 0, -1}},
    {.channels = 32, .samples = 2, .y = {20, 16, 1, 4, 0, 2}, .x = {31, 10, 3, 7, -2, 1}},
    {.channels = 32, .samples = 1, .y = {40, 11, 3, 6, 2, 3}, .x = {24, 12, 2, 3, -1, 3}}, /* uneven phases */
    {.channels = 32, .samples = 3, .y = {8, 13, 1, 3, -4, 1}, .x = {8, 13, 1, 3, -4, 1}},  /* wide margins */
    {.channels = 32, .samples = 2, .y = {15, 12, 1, 4, 0, 1}, .x = {270, 270, 1, 7, -3, 1}},
    {.channels = 32, .samples = 5, .y = {31, 31, 1, 5, -2, 1}, .x = {33, 33, 1, 2, 0, 1}},
    {.channels = 32, .samples = 7, .y = {30, 30, 1, 3, -1, 1}, .x = {30, 30, 1, 3, 0, 1}}, /* many rows */
    {.channels = 32, .samples = 2, .y = {20, 20, 1, 2, -1, 1}, .x = {20, 20, 1, 2, 0, 1}}, /* for one copy */
};

/* Scratch full of NaN: what is used of it must have been written. */
static char *scratch_make(size_t bytes)
{
    char *p = aligned_alloc(64, (bytes + 127) / 64 * 64);
    memset(p, 0xff, bytes);
    return p;
}

/* ---- C = A B ---- */

typedef struct gemm_case {
    int64_t M, N, K, gap; /* gap: of A's and C's rows */
    bool accumulate, bias, loads;
    const at_gemm_taps *taps; /* A is pictures seen through them; NULL = just a matrix */
} gemm_case;

typedef struct gemm_data {
    matrix a, b, c, bias; /* b: [K,N] plain */
    uint16_t *panels;
    matrix pictures;
    at_gemm_taps taps;
} gemm_data;

static gemm_data gemm_make(const gemm_case *k)
{
    gemm_data d = {matrix_make(k->M, k->K, k->K + k->gap, 2), matrix_make(k->K, k->N, k->N, 2),
                   matrix_make(k->M, k->N, k->N + k->gap, 2), matrix_make(1, k->N, k->N, 4), .panels = NULL};
    const int64_t steps = at_ceil_div(k->K, STEP) * STEP;
    fill(&d.a, 1), fill(&d.b, 2), fill(&d.c, 3), fill(&d.bias, 4);
    if (k->taps) {
        d.taps = *k->taps;
        d.pictures = taps_make(&d.taps, k->gap, &d.a);
    }
    const size_t bytes = (size_t)(at_ceil_div(k->N, NR) * NR * steps) * 2;
    d.panels = aligned_alloc(64, bytes + 64);
    memset(d.panels, 0, bytes);
    for (int64_t i = 0; i < k->K; i++)
        for (int64_t n = 0; n < k->N; n++)
            d.panels[n / NR * NR * steps + (i / 2 * NR + n % NR) * 2 + i % 2] = *at16(&d.b, i, n);
    return d;
}

static void gemm_free(gemm_data *d)
{
    matrix_free(&d->a), matrix_free(&d->b), matrix_free(&d->c), matrix_free(&d->bias);
    if (d->pictures.memory) matrix_free(&d->pictures);
    free(d->panels);
}

/* Rows [first, first + n) into c. taps: NULL: A is read as a matrix. */
static void gemm_run(at_ctx *ctx, const unit *u, const gemm_case *k, const gemm_data *d,
                     const at_gemm_taps *taps, const matrix *c, int64_t first)
{
    const matrix a = {.data = (char *)at16(&d->a, first, 0), .pitch = d->a.pitch};
    at_gemm_taps from = taps ? *taps : (at_gemm_taps){0};
    from.first = first;
    const size_t stride = (u->scratch(k->K, k->N, taps) + 63) / 64 * 64;
    char *scratch = scratch_make(stride * (size_t)at_pool_threads(ctx->pool));
    u->gemm(&(at_gemm_job){.M = c->rows,
                           .N = k->N,
                           .K = k->K,
                           .a = taps ? operand_through_taps(&from) : operand(&a, k->loads),
                           .b = d->panels,
                           .c = c->data,
                           .c_pitch = c->pitch,
                           .bias = k->bias ? at32(&d->bias, 0, 0) : NULL,
                           .accumulate = k->accumulate,
                           .pool = ctx->pool,
                           .thread_scratch = scratch,
                           .thread_stride = stride});
    free(scratch);
}

/* One rounding to bf16 is 2^-9 of the result, at most 2^-8 of what is wanted; K + 2 roundings of sums are
 * each 2^-24 of at most the sum of magnitudes. */
static void gemm_compare(const gemm_case *k, const gemm_data *d, const matrix *c, at_report *r)
{
    for (int64_t m = 0; m < k->M; m++)
        for (int64_t n = 0; n < k->N; n++) {
            double want = 0, all = 0;
            if (k->accumulate) want += value(&d->c, m, n), all += fabs(value(&d->c, m, n));
            if (k->bias) want += value(&d->bias, 0, n), all += fabs(value(&d->bias, 0, n));
            for (int64_t i = 0; i < k->K; i++) {
                const double x = value(&d->a, m, i) * value(&d->b, i, n);
                want += x, all += fabs(x);
            }
            const double got = value(c, m, n), most = fabs(want) / 256 + (double)(k->K + 2) * all * 0x1p-24;
            at_report_check(r, fabs(got - want) <= most, "C[%lld,%lld] = %g, not %g", (long long)m,
                            (long long)n, got, want);
        }
}

static matrix gemm_result(const gemm_case *k, const gemm_data *d, int64_t first, int64_t rows)
{
    const matrix c = matrix_make(rows, k->N, k->N + k->gap, 2);
    for (int64_t i = 0; k->accumulate && i < rows; i++)
        memcpy(at16(&c, i, 0), at16(&d->c, first + i, 0), (size_t)k->N * 2);
    return c;
}

static void gemm_check(at_ctx *ctx, const unit *u, const gemm_case *k, at_report *r)
{
    static const int64_t counts[] = {1, 2, 15, 17, 31, 32, 33, 64, 97, 255};
    const int64_t usual = at__stream_bytes;
    gemm_data d = gemm_make(k);
    at_expect_ok(ctx, at_ctx_set_threads(ctx, 1));
    matrix all = gemm_result(k, &d, 0, k->M);
    at_report_at(r, "%s %lldx%lldx%lld, gap %lld%s%s%s%s", at_isa_name(u->isa), (long long)k->M,
                 (long long)k->N, (long long)k->K, (long long)k->gap, k->accumulate ? ", accumulate" : "",
                 k->bias ? ", bias" : "", k->loads ? ", loader" : "", k->taps ? ", taps" : "");
    gemm_run(ctx, u, k, &d, NULL, &all, 0);
    if (!k->taps) gemm_compare(k, &d, &all, r);
    at_report_check(r, holes_intact(&all), "written outside");
    for (int i = 0; i < AT_COUNT(counts) + 1; i++) {
        const int64_t rows = i < AT_COUNT(counts) ? counts[i] : k->M, first = (k->M - rows) * (i % 4) / 3;
        if (rows > k->M) continue;
        at_expect_ok(ctx, at_ctx_set_threads(ctx, i % 3 == 1 ? 5 : 1 + i % 3 / 2));
        matrix c = gemm_result(k, &d, first, rows);
        if (i & 1) at__stream_bytes = 0; /* small results go past the caches, too */
        gemm_run(ctx, u, k, &d, k->taps ? &d.taps : NULL, &c, first);
        at__stream_bytes = usual;
        for (int64_t m = 0; m < rows; m++)
            at_report_same(r, "row in other company", at16(&c, m, 0), at16(&all, first + m, 0),
                           (size_t)k->N * 2);
        at_report_check(r, holes_intact(&c), "written outside");
        matrix_free(&c);
    }
    matrix_free(&all);
    gemm_free(&d);
}

/* Every pair of sizes around tiles, and what needs several parts of K, tiles of C or a dense copy of A. */
static void gemm_cases(const unit *u)
{
    static const int64_t sizes[] = {1, 2, 3, 15, 16, 17, 31, 32, 33, 63, 65, 100, 257};
    static const int64_t large[][3] = {{300, 24, 1100}, {70, 600, 520}, {33, 1100, 600}, {1, 300, 2048},
                                       {520, 40, 64},   {290, 33, 545}, {40, 256, 32},   {5, 8, 0}};
    at_ctx *ctx = at_test_ctx();
    at_report r = {0};
    int n = 0;
    for (int i = 0; i < AT_COUNT(sizes); i++)
        for (int j = 0; j < AT_COUNT(sizes); j++, n++) {
            const int64_t third = sizes[(i * 5 + j * 3) % AT_COUNT(sizes)];
            gemm_check(ctx, u, &(gemm_case){sizes[i], third, sizes[j], n % 3 * 7, n & 1, n & 2, n & 4, NULL},
                       &r);
            gemm_check(ctx, u, &(gemm_case){third, sizes[i], sizes[j], n % 2, n & 2, n & 4, n & 1, NULL}, &r);
        }
    for (int i = 0; i < AT_COUNT(large); i++)
        for (int flags = 0; flags < 4; flags++)
            gemm_check(ctx, u,
                       &(gemm_case){large[i][0], large[i][1], large[i][2], flags * 5, flags & 1, flags == 1,
                                    flags & 2, NULL},
                       &r);
    at_expect_clean(&r);
    at_test_done(ctx);
}

/* The same bits as from a matrix. */
static void gemm_taps_cases(const unit *u)
{
    static const int64_t columns[] = {24, 64, 33};
    at_ctx *ctx = at_test_ctx();
    at_report r = {0};
    for (int i = 0; i < AT_COUNT(taps_cases); i++) {
        const at_gemm_taps *t = &taps_cases[i];
        gemm_check(
            ctx, u,
            &(gemm_case){taps_rows(t), columns[i % 3], taps_columns(t), i % 2 * 5, i & 1, i & 2, true, t},
            &r);
    }
    at_expect_clean(&r);
    at_test_done(ctx);
}

AT_TEST(test_pairs__vectors_multiply_pictures)
{
    if (at_isa_native() < AT_ISA_AVX512BF16) AT_SKIP(NO_UNIT);
    gemm_taps_cases(&unit_avx512bf16);
}

AT_TEST(test_pairs__tiles_multiply_pictures)
{
    if (at_isa_native() < AT_ISA_AMX) AT_SKIP(NO_UNIT);
    gemm_taps_cases(&unit_amx);
}

AT_TEST(test_pairs__vectors_multiply_matrices)
{
    if (at_isa_native() < AT_ISA_AVX512BF16) AT_SKIP(NO_UNIT);
    gemm_cases(&unit_avx512bf16);
}

AT_TEST(test_pairs__tiles_multiply_matrices)
{
    if (at_isa_native() < AT_ISA_AMX) AT_SKIP(NO_UNIT);
    gemm_cases(&unit_amx);
}

/* ---- C = A^T B ---- */

typedef struct outer_case {
    int64_t rows, M, N, taps, gap;
    bool accumulate, loads;
    int64_t most_rows;        /* that scratch is made for; 0 = rows */
    const at_gemm_taps *seen; /* B is pictures seen through them; NULL = just a matrix */
} outer_case;

static void outer_run(at_ctx *ctx, const unit *u, const outer_case *k, const matrix *a,
                      const at_gemm_matrix *b, const matrix *c)
{
    size_t shared, thread;
    u->outer_scratch(at_max(k->rows, k->most_rows), k->M, k->N, k->loads || k->taps > 1, b->taps, &shared,
                     &thread);
    const size_t stride = (thread + 63) / 64 * 64;
    char *partial = scratch_make(shared),
         *scratch = scratch_make(stride * (size_t)at_pool_threads(ctx->pool));
    fill(c, 6);
    u->outer(&(at_gemm_outer_job){.rows = k->rows,
                                  .M = k->M,
                                  .N = k->N,
                                  .a = a->data,
                                  .a_pitch = a->pitch,
                                  .b = *b,
                                  .c = at32(c, 0, 0),
                                  .taps = k->taps,
                                  .accumulate = k->accumulate,
                                  .pool = ctx->pool,
                                  .thread_scratch = scratch,
                                  .thread_stride = stride,
                                  .partial = (float *)(void *)partial});
    free(partial), free(scratch);
}

/* rows + 2 roundings of sums, each 2^-24 of at most the sum of magnitudes. before: C as it was. Of large
 * products every 11th element. */
static void outer_compare(const outer_case *k, const matrix *a, const matrix *b, const matrix *before,
                          const matrix *c, at_report *r)
{
    const int64_t channels = k->N / k->taps, each = k->rows * k->M * k->N > 1 << 26 ? 11 : 1;
    for (int64_t m = 0; m < k->M; m++)
        for (int64_t n = m % each; n < k->N; n += each) {
            const int64_t col = n % channels * k->taps + n / channels;
            double want = k->accumulate ? value(before, m, col) : 0, all = fabs(want);
            for (int64_t i = 0; i < k->rows; i++) {
                const double x = value(a, i, m) * value(b, i, n);
                want += x, all += fabs(x);
            }
            const double got = value(c, m, col);
            at_report_check(r, fabs(got - want) <= (double)(k->rows + 2) * all * 0x1p-24,
                            "C[%lld,%lld] = %g, not %g", (long long)m, (long long)col, got, want);
        }
}

static void outer_check(at_ctx *ctx, const unit *u, const outer_case *k, at_report *r)
{
    static const int threads[] = {2, 5};
    const int64_t usual = at__stream_bytes;
    matrix a = matrix_make(k->rows, k->M, k->M + k->gap, 2), b = matrix_make(k->rows, k->N, k->N + k->gap, 2);
    matrix before = matrix_make(k->M, k->N, k->N, 4), c = matrix_make(k->M, k->N, k->N, 4),
           other = matrix_make(k->M, k->N, k->N, 4);
    fill(&a, 4), fill(&b, 5), fill(&before, 6);
    at_gemm_taps taps = k->seen ? *k->seen : (at_gemm_taps){0};
    matrix pictures = k->seen ? taps_make(&taps, k->gap, &b) : (matrix){0};
    const at_gemm_matrix from = k->seen ? operand_through_taps(&taps) : operand(&b, k->loads);
    at_report_at(r, "%s outer %lld rows, %lldx%lld, %lld taps, gap %lld%s%s%s", at_isa_name(u->isa),
                 (long long)k->rows, (long long)k->M, (long long)k->N, (long long)k->taps, (long long)k->gap,
                 k->accumulate ? ", accumulate" : "", k->loads ? ", loader" : "",
                 k->seen ? ", pictures" : "");
    at_expect_ok(ctx, at_ctx_set_threads(ctx, 1));
    outer_run(ctx, u, k, &a, &from, &c);
    outer_compare(k, &a, &b, &before, &c, r);
    at_report_check(r, holes_intact(&c), "written outside");
    for (int i = 0; i < AT_COUNT(threads); i++) {
        at_expect_ok(ctx, at_ctx_set_threads(ctx, threads[i]));
        if (i == 1) at__stream_bytes = 0; /* small results go past the caches, too */
        outer_run(ctx, u, k, &a, &from, &other);
        at__stream_bytes = usual;
        at_report_same(r, "other threads", other.data, c.data, (size_t)(k->M * k->N) * 4);
    }
    matrix_free(&a), matrix_free(&b), matrix_free(&before), matrix_free(&c), matrix_free(&other);
    if (pictures.memory) matrix_free(&pictures);
}

static void outer_cases(const unit *u)
{
    static const int64_t sizes[] = {1, 2, 3, 15, 16, 17, 31, 32, 33, 63, 65, 100, 257};
    static const outer_case some[] = {
        {4096, 33, 24, 1, 0, false, false, 0, NULL},   {4097, 16, 27, 9, 3, true, true, 0, NULL},
        {9001, 40, 36, 4, 1, false, false, 0, NULL},   {9001, 40, 36, 4, 0, true, true, 0, NULL},
        {4133, 260, 290, 1, 0, false, false, 0, NULL}, {4133, 260, 297, 9, 5, true, true, 0, NULL},
        {600, 5, 1100, 1, 0, true, false, 0, NULL},    {100, 40, 50, 1, 0, false, false, 9001, NULL},
        {8192, 1, 1, 1, 1, false, false, 0, NULL},     {0, 5, 6, 1, 0, false, false, 0, NULL},
        {0, 5, 6, 1, 0, true, false, 5000, NULL},      {1025, 300, 600, 3, 0, false, true, 0, NULL}};
    at_ctx *ctx = at_test_ctx();
    at_report r = {0};
    int n = 0;
    for (int i = 0; i < AT_COUNT(sizes); i++)
        for (int j = 0; j < AT_COUNT(sizes); j++, n++) {
            const int64_t third = sizes[(i * 5 + j * 3) % AT_COUNT(sizes)];
            outer_check(ctx, u,
                        &(outer_case){sizes[i], third, sizes[j], sizes[j] % 3 ? 1 : 3, n % 3 * 7, n & 1,
                                      n & 2, 0, NULL},
                        &r);
        }
    for (int i = 0; i < AT_COUNT(some); i++) outer_check(ctx, u, &some[i], &r);
    at_expect_clean(&r);
    at_test_done(ctx);
}

/* Small and large results, of rows up to and over a chunk. */
static void outer_taps_cases(const unit *u)
{
    at_ctx *ctx = at_test_ctx();
    at_report r = {0};
    for (int i = 0; i < AT_COUNT(taps_cases) - 1; i++) {
        const at_gemm_taps *t = &taps_cases[i];
        const int64_t rows = taps_rows(t), N = taps_columns(t), taps = t->y.taps * t->x.taps;
        outer_check(ctx, u, &(outer_case){rows, 20, N, taps, i % 2 * 5, i & 1, true, i % 3 * 2 * rows, t},
                    &r);
    }
    static const at_gemm_taps wide = {
        .channels = 256, .samples = 5, .y = {30, 30, 1, 4, 0, 1}, .x = {31, 31, 1, 2, 0, 1}};
    outer_check(ctx, u, &(outer_case){taps_rows(&wide), 40, 2048, 8, 3, true, true, 0, &wide}, &r);
    outer_check(ctx, u, &(outer_case){taps_rows(&wide), 40, 2048, 8, 0, false, true, 9300, &wide}, &r);
    at_expect_clean(&r);
    at_test_done(ctx);
}

AT_TEST(test_pairs__vectors_multiply_transposed_pictures)
{
    if (at_isa_native() < AT_ISA_AVX512BF16) AT_SKIP(NO_UNIT);
    outer_taps_cases(&unit_avx512bf16);
}

AT_TEST(test_pairs__tiles_multiply_transposed_pictures)
{
    if (at_isa_native() < AT_ISA_AMX) AT_SKIP(NO_UNIT);
    outer_taps_cases(&unit_amx);
}

AT_TEST(test_pairs__vectors_multiply_transposed_matrices)
{
    if (at_isa_native() < AT_ISA_AVX512BF16) AT_SKIP(NO_UNIT);
    outer_cases(&unit_avx512bf16);
}

AT_TEST(test_pairs__tiles_multiply_transposed_matrices)
{
    if (at_isa_native() < AT_ISA_AMX) AT_SKIP(NO_UNIT);
    outer_cases(&unit_amx);
}
