/* photos_test.c: folders of photos made for the test: what is found, shares, duplicates, and every mistake.
 */
#include "data/photos.h"
#include "tests/harness/test.h"
#include "tests/harness/torture.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- Folders ---- */

/* A file below `folder`, with its parents. Contents of photos do not matter here: they are only hashed. */
static void put(const char *folder, const char *path, const char *content)
{
    at_ctx *ctx = at_test_ctx();
    char whole[1200];
    snprintf(whole, sizeof whole, "%s/%s", folder, path);
    char *slash = strrchr(whole, '/');
    *slash = '\0';
    at_expect_ok(ctx, at_folder_make(ctx, whole));
    *slash = '/';
    if (slash[1]) at_expect_ok(ctx, at_file_write(ctx, whole, content, strlen(content)));
    at_test_done(ctx);
}

/* n photos of different contents. */
static void put_class(const char *folder, const char *name, int n)
{
    for (int i = 0; i < n; i++) {
        char path[128], content[128];
        snprintf(path, sizeof path, "%s/%03d.jpg", name, i);
        snprintf(content, sizeof content, "%s %d", name, i);
        put(folder, path, content);
    }
}

static const char *below(char out[1200], const char *folder, const char *path)
{
    snprintf(out, 1200, "%s/%s", folder, path);
    return out;
}

/* ---- Finding ---- */

AT_TEST(test_photos__classes_and_photos_are_sorted_bytewise)
{
    char folder[1024];
    at_test_folder(folder, "photos-sorted");
    put(folder, "b/2.jpg", "1");
    put(folder, "b/10.JPG", "2");
    put(folder, "a b/x.jpeg", "3");
    put(folder, "a b/.hidden.jpg", "");
    put(folder, "a b/notes.txt", "");
    put(folder, "a b/jpg", "");
    put(folder, "a b/x.jpg.part", "");
    put(folder, "a b/inner/y.jpg", "");
    put(folder, "a b/folder.jpg/z.jpg", "");
    put(folder, "Z/p.PnG", "4");
    put(folder, "LICENSE", "");
    put(folder, ".cache/q.jpg", "");
    at_ctx *ctx = at_test_ctx();
    at_photo_set s;
    at_expect_ok(ctx, at_photos_read(ctx, &s, folder, NULL, 0));
    static const char *const classes[] = {"Z", "a b", "b"};
    static const char *const photos[] = {"Z/p.PnG", "a b/x.jpeg", "b/10.JPG", "b/2.jpg"};
    static const int labels[] = {0, 1, 2, 2};
    assert_int_equal(s.n_classes, 3);
    for (int i = 0; i < 3; i++) assert_string_equal(s.classes[i], classes[i]);
    assert_int_equal(s.n, 4);
    for (int i = 0; i < 4; i++) {
        char path[1200];
        assert_string_equal(s.photos[i].path, below(path, folder, photos[i]));
        assert_int_equal(s.photos[i].label, labels[i]);
        assert_false(s.photos[i].hashed);
    }
    assert_string_equal(s.folder, folder);
    at_photos_deinit(&s);
    at_test_done(ctx);
}

AT_TEST(test_photos__given_classes_set_the_labels)
{
    char folder[1024];
    at_test_folder(folder, "photos-given");
    put_class(folder, "cat", 1);
    put_class(folder, "dog", 2);
    at_ctx *ctx = at_test_ctx();
    at_photo_set s;
    static const char *const classes[] = {"dog", "emu", "cat"};
    at_expect_ok(ctx, at_photos_read(ctx, &s, folder, classes, 3));
    assert_int_equal(s.n, 3);
    assert_int_equal(s.photos[0].label, 0);
    assert_int_equal(s.photos[1].label, 0);
    assert_int_equal(s.photos[2].label, 2);
    assert_string_equal(s.classes[1], "emu"); /* without photos, and no error */
    at_photos_deinit(&s);
    at_test_done(ctx);
}

AT_TEST(test_photos__links_are_followed)
{
    char folder[1024], from[1200], to[1200];
    at_test_folder(folder, "photos-links");
    put_class(folder, "set/a", 1);
    put(folder, "set/b/", "");
    put(folder, "elsewhere/real.jpg", "b");
    assert_int_equal(symlink(below(from, folder, "elsewhere/real.jpg"), below(to, folder, "set/b/link.jpg")),
                     0);
    assert_int_equal(symlink(below(from, folder, "elsewhere"), below(to, folder, "set/c")), 0);
    at_ctx *ctx = at_test_ctx();
    at_photo_set s;
    at_expect_ok(ctx, at_photos_read(ctx, &s, below(from, folder, "set"), NULL, 0));
    assert_int_equal(s.n_classes, 3);
    assert_int_equal(s.n, 3);
    at_expect_ok(ctx, at_photos_hash(ctx, &s));
    assert_memory_equal(s.photos[1].digest, s.photos[2].digest, AT_DIGEST_BYTES);
    at_photos_deinit(&s);
    at_test_done(ctx);
}

/* ---- Splits ---- */

static void expect_split(const char *got, const char *folder, const char *want)
{
    char path[1200];
    if (!want)
        assert_null(got);
    else
        assert_string_equal(got, *want ? below(path, folder, want) : folder);
}

static void check_splits(const char *folder, const char *train, const char *valid, const char *test)
{
    at_ctx *ctx = at_test_ctx();
    at_arena arena;
    at_arena_init(&arena, ctx);
    at_photo_splits s;
    at_expect_ok(ctx, at_photos_find_splits(&arena, &s, folder));
    expect_split(s.train, folder, train);
    expect_split(s.valid, folder, valid);
    expect_split(s.test, folder, test);
    at_arena_deinit(&arena);
    at_test_done(ctx);
}

AT_TEST(test_photos__splits_are_found_in_any_case)
{
    char folder[1024];
    at_test_folder(folder, "photos-splits");
    put_class(folder, "TRAIN/a", 1);
    put(folder, "SOURCE.md", "");
    check_splits(folder, "TRAIN", NULL, NULL);
    put_class(folder, "Testing/a", 1);
    put_class(folder, "vaLidation/a", 1);
    put_class(folder, "other/a", 1);
    check_splits(folder, "TRAIN", "vaLidation", "Testing");
}

AT_TEST(test_photos__a_folder_of_classes_is_the_training_split)
{
    char folder[1024];
    at_test_folder(folder, "photos-no-splits");
    put_class(folder, "a", 1);
    put_class(folder, "test", 1); /* a class that happens to be called so */
    check_splits(folder, "", NULL, NULL);
}

AT_TEST(test_photos__splits_that_cannot_be_are_refused)
{
    char folder[1024], path[1200];
    at_ctx *ctx = at_test_ctx();
    at_arena arena;
    at_arena_init(&arena, ctx);
    at_photo_splits s;
    at_test_folder(folder, "photos-bad-splits");
    at_expect_error(ctx, at_photos_find_splits(&arena, &s, below(path, folder, "none")), AT_E_IO,
                    "photos-bad-splits/none: no such folder; check the path");
    put(folder, "loose.jpg", "");
    at_expect_error(ctx, at_photos_find_splits(&arena, &s, below(path, folder, "loose.jpg")), AT_E_IO,
                    "loose.jpg: is a file; photos are read from a folder with one sub-folder a class");
    at_expect_error(
        ctx, at_photos_find_splits(&arena, &s, folder), AT_E_FORMAT,
        "photos-bad-splits: neither class folders with photos nor train, valid or test folders; expected "
        "FOLDER/CLASS/photo.jpg");
    put_class(folder, "val/a", 1);
    put_class(folder, "Valid/a", 1);
    at_expect_error(ctx, at_photos_find_splits(&arena, &s, folder), AT_E_ARG,
                    "photos-bad-splits: Valid and val mean the same split; keep one of them");
    assert_null(s.valid);
    at_arena_deinit(&arena);
    at_test_done(ctx);
}

/* ---- Mistakes ---- */

static void expect_refused(const char *folder, const char *const *classes, int n, at_status want,
                           const char *part)
{
    at_ctx *ctx = at_test_ctx();
    at_photo_set s = {.n = 1};
    at_expect_error(ctx, at_photos_read(ctx, &s, folder, classes, n), want, part);
    assert_int_equal(s.n, 0);
    at_test_done(ctx);
}

AT_TEST(test_photos__mistakes_name_folder_and_remedy)
{
    static const char *const two[] = {"a", "b"};
    char folder[1024], path[1200];
    at_test_folder(folder, "photos-wrong");
    expect_refused(below(path, folder, "none"), NULL, 0, AT_E_IO,
                   "photos-wrong/none: no such folder; check the path");
    expect_refused(folder, NULL, 0, AT_E_FORMAT,
                   "photos-wrong: has no class folders; expected FOLDER/CLASS/photo.jpg "
                   "(or .jpeg, .png), one sub-folder for each class");
    put_class(folder, "a", 2);
    expect_refused(folder, NULL, 0, AT_E_FORMAT,
                   "photos-wrong: has one class only, a; a classifier needs at least 2: expected");
    put(folder, "b/notes.txt", "");
    expect_refused(folder, NULL, 0, AT_E_FORMAT,
                   "photos-wrong: class b has no photo (.jpg, .jpeg, .png); add some or remove the folder");
    put_class(folder, "c", 1);
    expect_refused(folder, two, 2, AT_E_FORMAT,
                   "photos-wrong: class c is not among the 2 classes of training (a, b); "
                   "rename or remove the folder");
    at_test_folder(folder, "photos-nothing");
    put(folder, "a/", "");
    expect_refused(folder, two, 2, AT_E_FORMAT, "photos-nothing: no photo in any class folder; expected");
}

AT_TEST(test_photos__a_file_that_cannot_be_read_is_named)
{
    char folder[1024], from[1200], to[1200];
    at_test_folder(folder, "photos-dangling");
    put_class(folder, "a", 1);
    put(folder, "b/", "");
    assert_int_equal(symlink(below(from, folder, "gone"), below(to, folder, "b/x.jpg")), 0);
    at_ctx *ctx = at_test_ctx();
    at_photo_set s;
    at_expect_ok(ctx, at_photos_read(ctx, &s, folder, NULL, 0));
    at_expect_error(ctx, at_photos_hash(ctx, &s), AT_E_IO, "photos-dangling/b/x.jpg: ");
    at_photos_deinit(&s);
    at_test_done(ctx);
}

/* ---- Shares ---- */

/* taken: NULL = none */
static at_status split_rest(at_ctx *ctx, bool *in_share, at_photo_set *s, double share, uint64_t seed,
                            const bool *taken)
{
    AT_TRY(at_photos_hash(ctx, s));
    return at_contents_split(ctx, in_share, &s->contents, share, seed, taken);
}

static at_status split(at_ctx *ctx, bool *in_share, at_photo_set *s, double share, uint64_t seed)
{
    return split_rest(ctx, in_share, s, share, seed, NULL);
}

static int64_t count(const bool *in_share, const at_photo_set *s, int label)
{
    int64_t n = 0;
    for (int64_t i = 0; i < s->n; i++) n += s->photos[i].label == label && in_share[i];
    return n;
}

AT_TEST(test_photos__a_share_is_stratified)
{
    static const struct {
        int photos;
        double share;
        int want;
    } cases[] = {{20, 0.2, 4}, {7, 0.2, 1},  {8, 0.2, 2}, {2, 0.01, 1},
                 {2, 0.99, 1}, {5, 0.99, 4}, {10, 0.5, 5}};
    at_ctx *ctx = at_test_ctx();
    for (int k = 0; k < AT_COUNT(cases); k++) {
        char folder[1024];
        at_test_folder(folder, "photos-share");
        put_class(folder, "a", cases[k].photos);
        put_class(folder, "b", 10);
        at_photo_set s;
        bool in_share[64];
        at_expect_ok(ctx, at_photos_read(ctx, &s, folder, NULL, 0));
        at_expect_ok(ctx, split(ctx, in_share, &s, cases[k].share, 1));
        assert_int_equal(count(in_share, &s, 0), cases[k].want);
        at_photos_deinit(&s);
    }
    at_test_done(ctx);
}

AT_TEST(test_photos__the_seed_decides)
{
    at_ctx *ctx = at_test_ctx();
    char folder[1024];
    at_test_folder(folder, "photos-seed");
    put_class(folder, "a", 30);
    put_class(folder, "b", 30);
    at_photo_set s;
    bool first[60], again[60], other[60];
    at_expect_ok(ctx, at_photos_read(ctx, &s, folder, NULL, 0));
    at_expect_ok(ctx, split(ctx, first, &s, 0.5, 7));
    at_expect_ok(ctx, split(ctx, again, &s, 0.5, 7));
    at_expect_ok(ctx, split(ctx, other, &s, 0.5, 8));
    assert_memory_equal(first, again, sizeof first);
    assert_memory_not_equal(first, other, sizeof first);
    at_photos_deinit(&s);
    at_test_done(ctx);
}

/* Which contents are in the share? Bit i: photo "a I" is. */
static uint32_t chosen_contents(at_ctx *ctx, const char *folder)
{
    at_photo_set s;
    bool in_share[64];
    uint32_t bits = 0;
    at_expect_ok(ctx, at_photos_read(ctx, &s, folder, NULL, 0));
    at_expect_ok(ctx, split(ctx, in_share, &s, 0.3, 3));
    for (int64_t i = 0; i < s.n; i++) {
        char *content;
        size_t n;
        at_expect_ok(ctx, at_file_read(ctx, &content, &n, s.photos[i].path, 100));
        if (in_share[i] && content[0] == 'a') bits |= 1u << atoi(content + 2);
        at_free(ctx, content);
    }
    at_photos_deinit(&s);
    return bits;
}

AT_TEST(test_photos__renaming_changes_no_share)
{
    at_ctx *ctx = at_test_ctx();
    char folder[1024], from[1200], to[1200];
    at_test_folder(folder, "photos-rename");
    put_class(folder, "a", 12);
    put_class(folder, "b", 5);
    const uint32_t before = chosen_contents(ctx, folder);
    assert_int_equal(__builtin_popcount(before), 4);
    for (int i = 0; i < 12; i++) {
        char name[64];
        snprintf(name, sizeof name, "a/%03d.jpg", i);
        below(from, folder, name);
        snprintf(name, sizeof name, "a/renamed %d.png", 100 - i);
        assert_int_equal(rename(from, below(to, folder, name)), 0);
    }
    assert_int_equal(rename(below(from, folder, "a"), below(to, folder, "z")), 0);
    assert_int_equal(chosen_contents(ctx, folder), before);
    at_test_done(ctx);
}

AT_TEST(test_photos__equal_files_stay_on_one_side)
{
    at_ctx *ctx = at_test_ctx();
    for (uint64_t seed = 0; seed < 40; seed++) {
        char folder[1024];
        bool in_share[64];
        at_photo_set s;
        if (seed == 0) {
            at_test_folder(folder, "photos-equal");
            put_class(folder, "a", 8);
            put_class(folder, "b", 8);
            put(folder, "a/copy of 003.jpg", "a 3");
            put(folder, "a/another of 003.jpg", "a 3");
            put(folder, "b/an a.jpg", "a 5"); /* the same photo in two classes */
        }
        at_expect_ok(ctx, at_photos_read(ctx, &s, folder, NULL, 0));
        at_expect_ok(ctx, split(ctx, in_share, &s, 0.4, seed));
        for (int64_t i = 0; i < s.n; i++)
            for (int64_t j = 0; j < s.n; j++)
                if (memcmp(s.photos[i].digest, s.photos[j].digest, AT_DIGEST_BYTES) == 0)
                    assert_int_equal(in_share[i], in_share[j]);
        assert_true(count(in_share, &s, 0) >= 1 && count(in_share, &s, 0) <= 4);
        at_photos_deinit(&s);
    }
    at_test_done(ctx);
}

/* Every content fills more than the share that is wanted: then the smallest excess is taken. */
AT_TEST(test_photos__a_class_of_copies_still_gets_its_share)
{
    at_ctx *ctx = at_test_ctx();
    char folder[1024];
    at_test_folder(folder, "photos-copies");
    put_class(folder, "b", 4);
    for (int i = 0; i < 6; i++) {
        char name[64];
        snprintf(name, sizeof name, "a/%d.jpg", i);
        put(folder, name, i % 2 ? "odd" : "even");
    }
    at_photo_set s;
    bool in_share[64];
    at_expect_ok(ctx, at_photos_read(ctx, &s, folder, NULL, 0));
    at_expect_ok(ctx, split(ctx, in_share, &s, 0.1, 5));
    assert_int_equal(count(in_share, &s, 0), 3);
    at_photos_deinit(&s);
    at_test_done(ctx);
}

static void expect_no_split(const char *folder, double share, at_status want, const char *part)
{
    at_ctx *ctx = at_test_ctx();
    at_photo_set s;
    bool in_share[64] = {0};
    at_expect_ok(ctx, at_photos_read(ctx, &s, folder, NULL, 0));
    at_expect_error(ctx, split(ctx, in_share, &s, share, 0), want, part);
    for (int i = 0; i < 64; i++) assert_false(in_share[i]);
    at_photos_deinit(&s);
    at_test_done(ctx);
}

/* Validation and test: two shares of one folder have no photo in common and leave some of every class. */
AT_TEST(test_photos__a_second_share_is_of_the_rest)
{
    char folder[1024];
    at_test_folder(folder, "photos-rest");
    put_class(folder, "a", 10);
    put_class(folder, "b", 3);
    at_ctx *ctx = at_test_ctx();
    at_photo_set s;
    at_expect_ok(ctx, at_photos_read(ctx, &s, folder, NULL, 0));
    assert_int_equal(s.n, 13);
    for (uint64_t seed = 0; seed < 20; seed++) {
        bool test[13], valid[13];
        int n[2][3] = {{0}};
        at_expect_ok(ctx, split(ctx, test, &s, 0.3, seed));
        at_expect_ok(ctx, split_rest(ctx, valid, &s, 0.4, seed, test));
        for (int i = 0; i < 13; i++) {
            assert_false(test[i] && valid[i]);
            n[s.photos[i].label][test[i] ? 0 : valid[i] ? 1 : 2]++;
        }
        assert_int_equal(n[0][0], 3);
        assert_int_equal(n[0][1], 4); /* 40 % of all ten, not of the seven that are left */
        assert_int_equal(n[1][0], 1);
        assert_int_equal(n[1][1], 1);
        assert_int_equal(n[1][2], 1);
    }
    at_photos_deinit(&s);
    at_test_done(ctx);
}

AT_TEST(test_photos__shares_that_cannot_be_are_refused)
{
    char folder[1024];
    at_test_folder(folder, "photos-no-share");
    put_class(folder, "a", 4);
    put_class(folder, "b", 1);
    expect_no_split(
        folder, 0.5, AT_E_FORMAT,
        "photos-no-share: class b has one photo, which cannot be split; add photos, or give a folder of "
        "its own for validation");
    put(folder, "b/copy.jpg", "b 0");
    expect_no_split(
        folder, 0.5, AT_E_FORMAT,
        "photos-no-share: class b cannot be split: its 2 photos have too few different contents; add");
    put(folder, "b/other.jpg", "b 1");
    expect_no_split(folder, 0, AT_E_RANGE, "a share of 0 cannot be split off; it must be between 0 and 1");
    expect_no_split(folder, 1, AT_E_RANGE, "a share of 1 cannot");
    expect_no_split(folder, -0.1, AT_E_RANGE, "a share of -0.1 cannot");
}

/* ---- Duplicates ---- */

static void note_pair(void *data, const char *path_a, const char *path_b)
{
    char *all = data;
    strcat(all, strrchr(path_a, '/'));
    strcat(all, strrchr(path_b, '/'));
}

AT_TEST(test_photos__duplicates_are_reported_in_pairs)
{
    char folder[1024], train[1200], test[1200], found[256] = "";
    at_test_folder(folder, "photos-duplicates");
    put_class(folder, "train/a", 3);
    put_class(folder, "train/b", 3);
    put_class(folder, "test/c", 3);
    put(folder, "train/a/x.jpg", "twice");
    put(folder, "test/c/y.jpg", "twice");
    put(folder, "test/c/z.jpg", "twice");
    put(folder, "test/d/w.jpg", "train/b 1");
    at_ctx *ctx = at_test_ctx();
    at_photo_set a, b;
    at_expect_ok(ctx, at_photos_read(ctx, &a, below(train, folder, "train"), NULL, 0));
    at_expect_ok(ctx, at_photos_read(ctx, &b, below(test, folder, "test"), NULL, 0));
    at_expect_ok(ctx, at_photos_hash(ctx, &a));
    at_expect_ok(ctx, at_photos_hash(ctx, &b));
    assert_int_equal(at_photos_duplicates(&a, &b, NULL, NULL), 3);
    assert_int_equal(at_photos_duplicates(&b, &a, note_pair, found), 3);
    assert_non_null(strstr(found, "/y.jpg/x.jpg/z.jpg/x.jpg"));
    assert_non_null(strstr(found, "/w.jpg/001.jpg"));
    at_photos_deinit(&a);
    at_photos_deinit(&b);
    at_test_done(ctx);
}

/* ---- Memory ---- */

static at_status photos_attempt(at_ctx *ctx, void *arg)
{
    at_photo_set s;
    bool in_share[64];
    at_status status = at_photos_read(ctx, &s, arg, NULL, 0);
    if (status == AT_OK) status = split(ctx, in_share, &s, 0.5, 0);
    at_photos_deinit(&s);
    return status;
}

static at_status splits_attempt(at_ctx *ctx, void *arg)
{
    at_arena arena;
    at_photo_splits s;
    at_arena_init(&arena, ctx);
    const at_status status = at_photos_find_splits(&arena, &s, arg);
    at_arena_deinit(&arena);
    return status;
}

AT_TEST(test_photos__survives_lack_of_memory)
{
    at_ctx *ctx = at_test_ctx();
    char folder[1024], path[1200];
    at_test_folder(folder, "photos-memory");
    put_class(folder, "train/a", 3);
    put_class(folder, "train/b", 2);
    put_class(folder, "test/b", 2);
    at_torture(ctx, photos_attempt, (void *)below(path, folder, "train"));
    at_torture(ctx, splits_attempt, folder);
    at_test_done(ctx);
}

/* ---- Real folders ---- */

AT_TEST(test_photos__reads_a_real_folder)
{
    char path[1024];
    if (!at_test_data(path, "data/images-crop-pests-xie24")) AT_SKIP("ATTUNE_DATA is not set");
    at_ctx *ctx = at_test_ctx();
    at_arena arena;
    at_arena_init(&arena, ctx);
    at_photo_splits splits;
    at_expect_ok(ctx, at_photos_find_splits(&arena, &splits, path));
    at_photo_set train, test;
    at_expect_ok(ctx, at_photos_read(ctx, &train, splits.train, NULL, 0));
    at_expect_ok(ctx, at_photos_read(ctx, &test, splits.test, train.classes, train.n_classes));
    assert_int_equal(train.n_classes, 24);
    assert_int_equal(train.n, 960);
    assert_int_equal(test.n, 612);
    bool *in_share = malloc(960);
    at_expect_ok(ctx, split(ctx, in_share, &train, 0.2, 0));
    for (int label = 0; label < 24; label++) assert_int_equal(count(in_share, &train, label), 8);
    at_expect_ok(ctx, at_photos_hash(ctx, &test));
    assert_int_equal(at_photos_duplicates(&train, &test, NULL, NULL), 0);
    free(in_share);
    at_photos_deinit(&test);
    at_photos_deinit(&train);
    at_arena_deinit(&arena);
    at_test_done(ctx);
}
