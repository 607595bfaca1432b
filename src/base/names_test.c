/* names_test.c: glob, edit distance, name hash. */
#include "tests/harness/test.h"

static const struct {
    const char *pattern, *name;
    bool match;
} globs[] = {
    {"", "", true},
    {"", "a", false},
    {"*", "", true},
    {"*", "layers.3.q_proj", true},
    {"layers.*.q_proj", "layers.3.q_proj", true},
    {"layers.*.q_proj", "layers.3.k_proj", false},
    {"layers.*", "layers", false},
    {"*a*b", "xaybab", true},
    {"*a*b", "xayba", false},
    {"**a**", "bab", true},
    {"a?c", "abc", true},
    {"a?c", "ac", false},
    {"a?", "a", false},
    {"?", "/", true},
    {"layers.[01]", "layers.1", true},
    {"layers.[01]", "layers.2", false},
    {"[a-c]x", "bx", true},
    {"[a-c]x", "dx", false},
    {"[a-]", "-", true},
    {"*[0-9]", "conv12", true},
    {"*[0-9].w", "a.1.w", true},
    {"[", "[", true},
    {"a[b", "a[b", true},
    {"a[b", "ab", false},
    {"[]", "x", false},
    {"a.b", "axb", false},
    {"a*", "a/b.c", true},
};

AT_TEST(test_names__glob_matches_whole_names)
{
    for (int i = 0; i < AT_COUNT(globs); i++)
        if (at_glob_match(globs[i].pattern, globs[i].name) != globs[i].match)
            fail_msg("\"%s\" and \"%s\"", globs[i].pattern, globs[i].name);
}

/* Backtracking to the last star only: a pattern of many stars must not take exponential time. */
AT_TEST(test_names__glob_is_not_exponential)
{
    char name[2001];
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_false(at_glob_match("a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", name));
}

AT_TEST(test_names__edit_distance)
{
    assert_int_equal(at_edit_distance("", "", 9), 0);
    assert_int_equal(at_edit_distance("abc", "", 9), 3);
    assert_int_equal(at_edit_distance("learing_rate", "learning_rate", 9), 1);
    assert_int_equal(at_edit_distance("kitten", "sitting", 9), 3);
    assert_int_equal(at_edit_distance("sitting", "kitten", 9), 3);
    assert_int_equal(at_edit_distance("ab", "ba", 9), 2);
}

AT_TEST(test_names__edit_distance_stops_at_its_limit)
{
    assert_int_equal(at_edit_distance("kitten", "sitting", 3), 3);
    assert_int_equal(at_edit_distance("kitten", "sitting", 2), 3);
    char name[201];
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_int_equal(at_edit_distance(name, name, 5), 6); /* too long to compare */
}

AT_TEST(test_names__hash_is_fnv_1a)
{
    assert_true(at_hash_name("") == 0xcbf29ce484222325u);
    assert_true(at_hash_name("a") == 0xaf63dc4c8601ec8cu);
    assert_true(at_hash_name("foobar") == 0x85944171f73967e8u);
    assert_true(at_hash_name("\xc3\xa4") ==
                ((0xcbf29ce484222325u ^ 0xc3) * 0x100000001b3u ^ 0xa4) * 0x100000001b3u);
}
