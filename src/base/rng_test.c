/* rng_test.c: Philox against the known answers of the Random123 distribution, and the distributions drawn
 * from it. */
#include "base/rng.h"
#include "tests/harness/test.h"
#include <math.h>
#include <stdlib.h>

/* kat_vectors, philox4x32 with 10 rounds: counter, key, result. */
static const struct {
    uint32_t counter[4], key[2], want[4];
} known[] = {
    {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
     {0xffffffff, 0xffffffff},
     {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
     {0xa4093822, 0x299f31d0},
     {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
};

AT_TEST(test_rng__known_answers)
{
    for (int i = 0; i < AT_COUNT(known); i++) {
        const uint32_t *c = known[i].counter;
        const at_rng_key key = {{known[i].key[0], known[i].key[1]}};
        uint32_t got[4];
        at_rng_block(got, key, (uint64_t)c[3] << 32 | c[2], c[1], c[0]);
        assert_memory_equal(got, known[i].want, sizeof got);
    }
}

AT_TEST(test_rng__words_are_those_of_the_blocks)
{
    const at_rng_key key = at_rng_make(7, 8, 9);
    uint32_t block[4];
    at_rng_block(block, key, 5, 6, 2);
    for (uint64_t i = 0; i < 4; i++) assert_int_equal(at_rng_u32(key, 5, 6, 8 + i), block[i]);
}

AT_TEST(test_rng__keys_differ_by_each_part)
{
    const at_rng_key keys[] = {at_rng_make(0, 0, 0), at_rng_make(1, 0, 0), at_rng_make(0, 1, 0),
                               at_rng_make(0, 0, 1), at_rng_make(1, 1, 0), at_rng_make(1, 0, 1)};
    for (int i = 0; i < AT_COUNT(keys); i++)
        for (int j = 0; j < i; j++) assert_memory_not_equal(&keys[i], &keys[j], sizeof keys[i]);
}

AT_TEST(test_rng__uniform_has_its_moments)
{
    enum { N = 100000 };
    const at_rng_key key = at_rng_make(1, 2, 3);
    double sum = 0.0, squares = 0.0;
    for (uint64_t i = 0; i < N; i++) {
        const double u = at_rng_uniform(key, 0, 0, i);
        assert_true(u >= 0.0 && u < 1.0);
        sum += u;
        squares += u * u;
    }
    assert_true(fabs(sum / N - 0.5) < 0.005);
    assert_true(fabs(squares / N - 1.0 / 3.0) < 0.005);
}

AT_TEST(test_rng__normal_has_its_moments)
{
    enum { N = 100000 };
    const at_rng_key key = at_rng_make(1, 2, 3);
    double sum = 0.0, squares = 0.0, fourth = 0.0;
    for (uint64_t i = 0; i < N; i++) {
        const double x = at_rng_normal(key, 0, 0, i);
        assert_true(isfinite(x));
        sum += x;
        squares += x * x;
        fourth += x * x * x * x;
    }
    assert_true(fabs(sum / N) < 0.02);
    assert_true(fabs(squares / N - 1.0) < 0.02);
    assert_true(fabs(fourth / N - 3.0) < 0.15);
}

AT_TEST(test_rng__below_covers_its_range_evenly)
{
    enum { N = 70000, SIDES = 7 };
    const at_rng_key key = at_rng_make(4, 5, 6);
    int seen[SIDES] = {0};
    for (uint64_t i = 0; i < N; i++) {
        const uint64_t k = at_rng_below(key, 0, 0, i, SIDES);
        assert_true(k < SIDES);
        seen[k]++;
        assert_int_equal(at_rng_below(key, 0, 0, i, 1), 0);
        assert_true(at_rng_below(key, 0, 0, i, (uint64_t)1 << 32) >> 32 == 0);
    }
    for (int k = 0; k < SIDES; k++) assert_true(abs(seen[k] - N / SIDES) < 500);
}
