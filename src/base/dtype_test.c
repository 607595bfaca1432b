/* dtype_test.c: every half is converted, and every rounding boundary between two of them is tried from both
 * sides. */
#include "base/dtype.h"
#include "tests/harness/test.h"
#include <math.h>

/* What a binary16 pattern means, by the definition. */
static double half_value(uint16_t h)
{
    const int exponent = h >> 10 & 31, mantissa = h & 1023;
    const double magnitude = exponent ? ldexp(1024 + mantissa, exponent - 25) : ldexp(mantissa, -24);
    return h & 0x8000 ? -magnitude : magnitude;
}

AT_TEST(test_dtype__f16_has_the_value_of_its_definition)
{
    for (uint32_t h = 0; h < 0x10000; h++) {
        if ((h >> 10 & 31) == 31) continue;
        const float f = at_f16_to_f32((uint16_t)h);
        if ((double)f != half_value((uint16_t)h) || !signbit(f) != !(h & 0x8000))
            fail_msg("%04x gives %.9g", (unsigned)h, (double)f);
    }
    assert_true(isinf(at_f16_to_f32(0x7c00)) && at_f16_to_f32(0x7c00) > 0);
    assert_true(isinf(at_f16_to_f32(0xfc00)) && at_f16_to_f32(0xfc00) < 0);
}

AT_TEST(test_dtype__every_f16_and_bf16_survives_f32)
{
    for (uint32_t h = 0; h < 0x10000; h++) {
        const float f = at_f16_to_f32((uint16_t)h), b = at_bf16_to_f32((uint16_t)h);
        const uint16_t f_back = at_f32_to_f16(f), b_back = at_f32_to_bf16(b);
        const bool f_nan = (h & 0x7fff) > 0x7c00, b_nan = (h & 0x7fff) > 0x7f80;
        if (f_nan ? !isnan(f) || (f_back & 0x7fff) <= 0x7c00 : f_back != h) fail_msg("f16 %04x", (unsigned)h);
        if (b_nan ? !isnan(b) || (b_back & 0x7fff) <= 0x7f80 : b_back != h)
            fail_msg("bf16 %04x", (unsigned)h);
    }
}

/* Between neighbours: the middle goes to the even one, the next float on either side to the nearer one. */
static void check_rounding(uint16_t (*from)(float), float (*to)(uint16_t), uint16_t largest)
{
    for (uint16_t h = 0; h < largest; h++) {
        const float low = to(h), high = to((uint16_t)(h + 1)), middle = low + (high - low) * 0.5f;
        const uint16_t even = h & 1 ? (uint16_t)(h + 1) : h;
        const bool exact =
            (double)middle * 2 == (double)low + (double)high; /* not below the least subnormal float */
        if ((exact && from(middle) != even) || (exact && from(-middle) != (even | 0x8000)) ||
            from(nextafterf(middle, -INFINITY)) != h || from(nextafterf(middle, INFINITY)) != h + 1)
            fail_msg("between %04x and %04x", h, h + 1);
    }
}

AT_TEST(test_dtype__f16_rounds_to_nearest_even)
{
    check_rounding(at_f32_to_f16, at_f16_to_f32, 0x7bff);
}

AT_TEST(test_dtype__bf16_rounds_to_nearest_even)
{
    check_rounding(at_f32_to_bf16, at_bf16_to_f32, 0x7f7f);
}

AT_TEST(test_dtype__what_is_too_large_becomes_infinity)
{
    assert_int_equal(at_f32_to_f16(65504.0f), 0x7bff);
    assert_int_equal(at_f32_to_f16(nextafterf(65520.0f, 0.0f)), 0x7bff);
    assert_int_equal(at_f32_to_f16(65520.0f), 0x7c00);
    assert_int_equal(at_f32_to_f16(-1e30f), 0xfc00);
    assert_int_equal(at_f32_to_f16(-INFINITY), 0xfc00);
    assert_int_equal(at_f32_to_bf16(3.4e38f), 0x7f80);
    assert_int_equal(at_f32_to_bf16(-INFINITY), 0xff80);
}

AT_TEST(test_dtype__small_numbers_reach_zero_with_their_sign)
{
    assert_int_equal(at_f32_to_f16(0x1p-25f), 0);
    assert_int_equal(at_f32_to_f16(nextafterf(0x1p-25f, 1.0f)), 1);
    assert_int_equal(at_f32_to_f16(-0x1p-30f), 0x8000);
    assert_int_equal(at_f32_to_f16(-0.0f), 0x8000);
    assert_int_equal(at_f32_to_bf16(-0.0f), 0x8000);
}

AT_TEST(test_dtype__names_and_sizes)
{
    assert_string_equal(at_dtype_name(AT_BF16), "BF16");
    assert_int_equal(at_dtype_size(AT_BF16), 2);
    assert_int_equal(at_dtype_size(AT_F64), 8);
    assert_string_equal(at_dtype_name(AT_BOOL), "BOOL");
    assert_int_equal(at_dtype_size(AT_BOOL), 1);
}
