/* turns.c: two sides take turns in one process. */
#include "bench/turns.h"
#include "base/dtype.h"
#include "base/rng.h"
#include "formats/system.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PAUSE_MS = 20 };

bool bench_take_wish(bench_wishes *w, const char *key, const char *value)
{
    if (strcmp(key, "--rounds") == 0)
        w->rounds = atoi(value);
    else if (strcmp(key, "--threads") == 0)
        w->threads = atoi(value);
    else if (strcmp(key, "--seconds") == 0)
        w->seconds = atof(value);
    else if (strcmp(key, "--isa") == 0)
        w->isa = value;
    else if (strcmp(key, "--kernels") == 0)
        w->kernels = value;
    else if (strcmp(key, "--precision") == 0)
        w->bf16 = strcmp(value, "bf16") == 0;
    else
        return false;
    return true;
}

bool bench_can_fulfil(const bench_wishes *w)
{
    return w->rounds > 0 && w->rounds <= BENCH_MAX_ROUNDS && w->threads >= 0 && w->seconds > 0;
}

/* Threads of the side before may still be looking for work; let them fall asleep, and warm ours. */
bool bench_take_turn(bench_side *s, int round)
{
    const struct timespec pause = {0, PAUSE_MS * 1000000L};
    nanosleep(&pause, NULL);
    if (!s->run(s->self)) return false;
    const double begin = at_clock();
    for (int i = 0; i < s->times; i++)
        if (!s->run(s->self)) return false;
    s->seconds[round] = (at_clock() - begin) / s->times;
    return true;
}

/* How many calls fill `seconds`. */
bool bench_calibrate(bench_side *s, double seconds)
{
    const double begin = at_clock();
    int n = 0;
    do {
        if (!s->run(s->self)) return false;
        n++;
    } while (at_clock() - begin < seconds / 2);
    s->times = 2 * n;
    return true;
}

bool bench_take_turns(bench_side *a, bench_side *b, int rounds, double seconds)
{
    if (!a->run(a->self) || !b->run(b->self) || !bench_calibrate(a, seconds) || !bench_calibrate(b, seconds))
        return false;
    for (int i = 0; i < rounds; i++)
        if (!bench_take_turn(i % 2 ? b : a, i) || !bench_take_turn(i % 2 ? a : b, i)) return false;
    return true;
}

/* libgomp reads its settings when the program begins: as many threads as ours, waiting as it waits by
 * default. */
void bench_settle_openmp(int threads, char **argv)
{
    char count[16];
    const char *now = getenv("OMP_NUM_THREADS");
    snprintf(count, sizeof count, "%d", threads);
    if (now && strcmp(now, count) == 0 && !getenv("OMP_WAIT_POLICY") && !getenv("GOMP_SPINCOUNT")) return;
    setenv("OMP_NUM_THREADS", count, 1);
    unsetenv("OMP_WAIT_POLICY");
    unsetenv("GOMP_SPINCOUNT");
    execv("/proc/self/exe", argv);
}

/* ---- Numbers ---- */

void bench_fill(float *x, int64_t n, bool bf16, const char *name)
{
    const at_rng_key key = at_rng_make(0, at_hash_name(name), 0);
    for (int64_t i = 0; i < n; i++) {
        x[i] = (float)(2 * at_rng_uniform(key, 0, 0, (uint64_t)i) - 1);
        if (bf16) x[i] = at_bf16_to_f32(at_f32_to_bf16(x[i]));
    }
}

/* Largest difference over largest value. Both sides round each of n additions by 2^-24 of at most the largest
 * value, up or down by chance: 2 sqrt(n) 2^-24 are to be expected at most. */
double bench_difference(const float *x, const float *y, int64_t n)
{
    double difference = 0, size = 0;
    for (int64_t i = 0; i < n; i++) {
        const double d = fabs((double)x[i] - (double)y[i]);
        if (d > difference || isnan(d)) difference = d;
        if (fabs((double)y[i]) > size) size = fabs((double)y[i]);
    }
    return difference / size;
}
