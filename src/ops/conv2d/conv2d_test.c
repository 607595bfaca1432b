/* conv2d_test.c: the sizes that decide about padding. */
#include "ops/conv2d/conv2d.h"
#include "tests/harness/test.h"

/* What "same" means: ceil(size / stride) outputs from as few zeros as that takes, the odd one behind. */
AT_TEST(test_conv2d__same_padding_is_the_least_that_keeps_the_size)
{
    for (int64_t size = 1; size <= 19; size++)
        for (int64_t kernel = 1; kernel <= 7; kernel++)
            for (int64_t stride = 1; stride <= 4; stride++)
                for (int64_t dilation = 1; dilation <= 3; dilation++) {
                    int64_t before = -1, after = -1;
                    const int64_t want = (size + stride - 1) / stride;
                    at_same_padding(size, kernel, stride, dilation, &before, &after);
                    assert_true(before >= 0 && (after == before || after == before + 1));
                    assert_int_equal(at_conv_size(size, kernel, stride, dilation, before, after), want);
                    if (after > 0)
                        assert_true(at_conv_size(size, kernel, stride, dilation, before, after - 1) < want);
                }
}

AT_TEST(test_conv2d__a_kernel_that_does_not_fit_has_no_outputs)
{
    assert_int_equal(at_conv_size(5, 3, 1, 1, 0, 0), 3);
    assert_int_equal(at_conv_size(5, 5, 2, 1, 0, 0), 1);
    assert_int_equal(at_conv_size(5, 3, 1, 2, 0, 0), 1);
    assert_int_equal(at_conv_size(5, 3, 1, 3, 0, 0), 0);
    assert_int_equal(at_conv_size(5, 6, 1, 1, 0, 0), 0);
    assert_int_equal(at_conv_size(2, 3, 2, 1, 0, 1), 1);
}
