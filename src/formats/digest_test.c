/* digest_test.c: SHA-256 by the examples of FIPS 180-4, and text that cannot be shifted from one part to the
 * next. */
#include "formats/digest.h"
#include "tests/harness/test.h"

static void expect_digest(at_digest *d, const char *want)
{
    uint8_t bytes[AT_DIGEST_BYTES];
    char text[AT_DIGEST_TEXT];
    at_digest_end(d, bytes);
    at_digest_hex(text, bytes);
    assert_string_equal(text, want);
}

AT_TEST(test_digest__known_answers)
{
    at_digest d;
    at_digest_init(&d);
    expect_digest(&d, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    at_digest_init(&d);
    at_digest_add(&d, "abc", 3);
    expect_digest(&d, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    at_digest_init(&d);
    for (int i = 0; i < 1000000; i += 100) {
        char block[100];
        memset(block, 'a', sizeof block);
        at_digest_add(&d, block, sizeof block);
    }
    expect_digest(&d, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

AT_TEST(test_digest__text_counts_with_its_length)
{
    uint8_t one[AT_DIGEST_BYTES], two[AT_DIGEST_BYTES];
    at_digest d;
    at_digest_init(&d);
    at_digest_add_text(&d, "ab");
    at_digest_add_text(&d, "c");
    at_digest_end(&d, one);
    at_digest_init(&d);
    at_digest_add_text(&d, "a");
    at_digest_add_text(&d, "bc");
    at_digest_end(&d, two);
    assert_memory_not_equal(one, two, sizeof one);
    at_digest_init(&d);
    at_digest_add(&d, "\2\0\0\0\0\0\0\0ab\1\0\0\0\0\0\0\0c", 19); /* the same bytes on every machine */
    at_digest_end(&d, two);
    assert_memory_equal(one, two, sizeof one);
}
