/* turns.h: what the programs that compare with oneDNN share: turns, threads, numbers. */
#ifndef AT_BENCH_TURNS_H
#define AT_BENCH_TURNS_H

#include <stdbool.h>
#include <stdint.h>

enum { BENCH_MAX_ROUNDS = 1000 };

typedef struct bench_side {
    bool (*run)(void *self);
    void *self;
    int times;       /* calls a round */
    double *seconds; /* of one call, by round */
} bench_side;

/* How many calls fill `seconds`. */
bool bench_calibrate(bench_side *s, double seconds);
bool bench_take_turn(bench_side *s, int round);
/* A B, B A, A B ...; calibrates both. */
bool bench_take_turns(bench_side *a, bench_side *b, int rounds, double seconds);

/* What both programs are asked. */
typedef struct bench_wishes {
    int rounds, threads;
    bool bf16;
    double seconds; /* a side and round */
    const char *isa, *kernels;
} bench_wishes;

/* Take --KEY VALUE; false when there is none of this name. */
bool bench_take_wish(bench_wishes *w, const char *key, const char *value);
bool bench_can_fulfil(const bench_wishes *w);

/* Starts the program anew where OpenMP has other settings. */
void bench_settle_openmp(int threads, char **argv);

/* Uniform in [-1, 1); bf16: numbers that it can hold. */
void bench_fill(float *x, int64_t n, bool bf16, const char *name);
double bench_difference(const float *x, const float *y, int64_t n);

#endif
