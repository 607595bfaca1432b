/* tokens_cache_test.c: tokens that an earlier run has kept are those that would be made anew; what is damaged
 * is made anew; a folder or a disk that cannot take them fails nothing; writers at the same time; the n-th
 * allocation fails. */
#include "data/tokens.h"
#include "tests/harness/scene.h"
#include "tests/harness/test.h"
#include "tests/harness/torture.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct scene {
    at_ctx *ctx;
    char folder[1024], cache[1100];
    at_tokenizer *tokenizer;
    at_texts texts;
    at_tagged tagged;
    at_token_options o;
} scene;

enum { ROWS = 40 };
static const int32_t all[ROWS] = {3, 1, 2, 0, 4, 5, 6, 7, 8, 9};

static void begin(scene *s, const char *name)
{
    char rows[8192] = "label\ttext\ttext_pair\n", path[1200];
    size_t n = strlen(rows);
    *s = (scene){.ctx = at_test_ctx()};
    at_test_folder(s->folder, name);
    snprintf(s->cache, sizeof s->cache, "%s/of/tokens", s->folder);
    for (int i = 0; i < ROWS; i++)
        n +=
            (size_t)snprintf(rows + n, sizeof rows - n, "%s\t%c good films %s\tbad %c film\n",
                             i % 2 ? "up" : "down", 'a' + i % 26, i % 3 ? "and a bad film" : "", 'a' + i % 7);
    at_put_text(s->folder, "films.tsv", rows);
    at_put_text(s->folder, "films.conll", "a O\ngood B-X\n\nfilms B-X\nbad O\n\n");
    snprintf(path, sizeof path, "%s/films.tsv", s->folder);
    at_expect_ok(s->ctx,
                 at_texts_read(s->ctx, &s->texts, path, &(at_texts_options){.text_pair = "text_pair"}, NULL));
    snprintf(path, sizeof path, "%s/films.conll", s->folder);
    at_expect_ok(s->ctx, at_tagged_read(s->ctx, &s->tagged, path, &(at_tagged_options){0}, NULL));
    at_expect_ok(s->ctx,
                 at_tokenizer_open(&s->tokenizer, s->ctx, AT_SOURCE_DIR "/src/models/bert/golden_hf"));
    s->o = (at_token_options){
        .tokenizer = s->tokenizer, .max_length = 12, .labels = true, .cache = s->cache, .cache_bytes = 1};
}

static void end(scene *s)
{
    at_tokenizer_close(s->ctx, s->tokenizer);
    at_texts_deinit(&s->texts);
    at_tagged_deinit(&s->tagged);
    at_test_done(s->ctx);
}

/* Everything that a data set is made of, as a digest; what was told about its making. */
typedef struct made {
    uint8_t digest[AT_DIGEST_BYTES];
    at_token_stats stats;
} made;

static made make_of(const scene *s, const at_token_options *o, int64_t n)
{
    made m;
    at_dataset *d;
    at_digest g;
    memset(&m, 0, sizeof m);
    at_digest_init(&g);
    at_expect_ok(s->ctx, at_tokens_create(&d, s->ctx, &s->texts, all, n, o, &m.stats));
    d->digest(d, &g);
    at_digest_add(&g, &d->max_rows, sizeof d->max_rows);
    at_digest_end(&g, m.digest);
    d->close(s->ctx, d);
    return m;
}

static made make(const scene *s)
{
    return make_of(s, &s->o, 10);
}

static void expect_same(const made *got, const made *want)
{
    assert_memory_equal(got->digest, want->digest, sizeof want->digest);
    assert_true(got->stats.tokens == want->stats.tokens && got->stats.longest == want->stats.longest);
    assert_int_equal(got->stats.cut, want->stats.cut);
}

static made make_without(const scene *s)
{
    at_token_options o = s->o;
    o.cache = NULL;
    return make_of(s, &o, 10);
}

static int files_kept(const scene *s)
{
    at_arena a;
    const char **names;
    int64_t n = 0;
    at_arena_init(&a, s->ctx);
    if (at_path_exists(s->cache)) at_expect_ok(s->ctx, at_folder_list(&a, &names, &n, s->cache));
    at_arena_deinit(&a);
    return (int)n;
}

AT_TEST(test_tokens_cache__what_was_kept_is_what_is_made)
{
    scene s;
    begin(&s, "tokens-cache");
    const made want = make_without(&s), first = make(&s), second = make(&s);
    assert_true(want.stats.cut > 0 && want.stats.cut < 10);
    assert_false(want.stats.found || first.stats.found);
    assert_true(second.stats.found && !*second.stats.lost);
    expect_same(&first, &want);
    expect_same(&second, &want);
    assert_int_equal(files_kept(&s), 1);
    end(&s);
}

/* Whatever tokens depend on is in the file's name. */
AT_TEST(test_tokens_cache__other_tokens_have_another_file)
{
    scene s;
    begin(&s, "tokens-cache-keys");
    at_token_options o = s.o;
    int n = 0;
    assert_false(make_of(&s, &o, 10).stats.found);
    assert_int_equal(files_kept(&s), ++n);
    o.max_length = 13;
    assert_false(make_of(&s, &o, 10).stats.found);
    assert_int_equal(files_kept(&s), ++n);
    assert_false(make_of(&s, &o, 9).stats.found); /* other samples */
    assert_int_equal(files_kept(&s), ++n);
    o.labels = false;
    o.parts = 2;
    assert_false(make_of(&s, &o, 10).stats.found);
    assert_int_equal(files_kept(&s), ++n);
    o.parts = 1;
    assert_false(make_of(&s, &o, 10).stats.found);
    assert_int_equal(files_kept(&s), ++n);
    at_in_folder(s.folder,
                 "mkdir other && cp '" AT_SOURCE_DIR "/src/models/bert/golden_hf/vocab.txt' other && "
                 "sed -i 's/^good$/evil/' other/vocab.txt");
    char path[1200];
    at_tokenizer *other;
    snprintf(path, sizeof path, "%s/other", s.folder);
    at_expect_ok(s.ctx, at_tokenizer_open(&other, s.ctx, path));
    o = s.o;
    o.tokenizer = other;
    assert_false(make_of(&s, &o, 10).stats.found);
    assert_int_equal(files_kept(&s), ++n);
    at_tokenizer_close(s.ctx, other);
    assert_true(make(&s).stats.found);
    o = s.o;
    o.cache_bytes = 0; /* so few texts are not worth it */
    assert_false(make_of(&s, &o, 10).stats.found);
    o.cache = NULL;
    assert_false(make_of(&s, &o, 10).stats.found);
    end(&s);
}

AT_TEST(test_tokens_cache__tagged_words_are_kept_too)
{
    scene s;
    begin(&s, "tokens-cache-tagged");
    for (int i = 0; i < 2; i++) {
        at_dataset *d;
        at_token_stats stats;
        static const int32_t words[] = {-1, 0, 1, -1};
        at_expect_ok(s.ctx,
                     at_tagged_tokens_create(&d, s.ctx, &s.tagged, (const int32_t[]){1, 0}, 2, &s.o, &stats));
        assert_int_equal(stats.found, i);
        assert_int_equal(d->rows(d, 1), 4);
        assert_memory_equal(at_tagged_tokens_words(d, 1), words, sizeof words);
        d->close(s.ctx, d);
    }
    end(&s);
}

/* Of all samples the first that fails, whichever thread has met it. */
AT_TEST(test_tokens_cache__a_text_that_cannot_be_tokenised_is_named)
{
    scene s;
    int32_t rows[ROWS * 8];
    at_dataset *d;
    begin(&s, "tokens-cache-refused");
    for (int i = 0; i < AT_COUNT(rows); i++) rows[i] = (i + 3) % ROWS;
    s.o.max_length = 1;
    assert_int_equal(at_tokens_create(&d, s.ctx, &s.texts, rows, AT_COUNT(rows), &s.o, NULL), AT_E_FORMAT);
    assert_non_null(strstr(at_last_error(s.ctx), "films.tsv:5: a length of 1 tokens has no room"));
    at_clear_error(s.ctx);
    end(&s);
}

/* ---- What may happen to a cache ---- */

static char *only_file(const scene *s, char path[2048])
{
    at_arena a;
    const char **names;
    int64_t n;
    at_arena_init(&a, s->ctx);
    at_expect_ok(s->ctx, at_folder_list(&a, &names, &n, s->cache));
    assert_int_equal(n, 1);
    snprintf(path, 2048, "%s/%s", s->cache, names[0]);
    at_arena_deinit(&a);
    return path;
}

/* Change one byte, or cut the file there. */
static void damage(const char *path, int64_t at, bool cut)
{
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    fseek(f, (long)at, SEEK_SET);
    const int c = fgetc(f);
    fseek(f, (long)at, SEEK_SET);
    fputc(c ^ 4, f);
    if (cut) assert_int_equal(ftruncate(fileno(f), at), 0);
    fclose(f);
}

AT_TEST(test_tokens_cache__what_is_damaged_is_made_anew)
{
    scene s;
    char path[2048];
    begin(&s, "tokens-cache-damaged");
    const made want = make_without(&s);
    make(&s);
    only_file(&s, path);
    FILE *f = fopen(path, "rb");
    fseek(f, 0, SEEK_END);
    const int64_t size = ftell(f);
    fclose(f);
    for (int64_t at = 0; at < size; at += at < 500 ? 7 : 3) { /* header, then data */
        damage(path, at, at % 2);
        const made again = make(&s), after = make(&s);
        expect_same(&again, &want);
        if (again.stats.found) fail_msg("byte %lld is not looked at", (long long)at);
        expect_same(&after, &want);
        assert_true(after.stats.found);
    }
    end(&s);
}

AT_TEST(test_tokens_cache__a_folder_that_cannot_be_is_done_without)
{
    scene s;
    begin(&s, "tokens-cache-nowhere");
    const made want = make_without(&s);
    snprintf(s.cache, sizeof s.cache, "%s/films.tsv/cache", s.folder);
    const made got = make(&s);
    expect_same(&got, &want);
    assert_non_null(strstr(got.stats.lost, "films.tsv"));
    end(&s);
}

/* The disk is full: no file may grow beyond 100 bytes. */
AT_TEST(test_tokens_cache__a_full_disk_is_done_without)
{
    scene s;
    struct rlimit before, none;
    begin(&s, "tokens-cache-full");
    const made want = make_without(&s);
    getrlimit(RLIMIT_FSIZE, &before);
    none = (struct rlimit){100, before.rlim_max};
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &none);
    const made got = make(&s);
    setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, handler);
    expect_same(&got, &want);
    assert_true(*got.stats.lost != '\0');
    assert_int_equal(files_kept(&s), 0);
    const made after = make(&s);
    assert_false(after.stats.found || *after.stats.lost);
    end(&s);
}

AT_TEST(test_tokens_cache__runs_at_the_same_time_share_it)
{
    enum { RUNS = 4, TIMES = 20 };
    scene s;
    pid_t child[RUNS];
    begin(&s, "tokens-cache-runs");
    const made want = make_without(&s);
    for (int i = 0; i < RUNS; i++) {
        child[i] = fork();
        if (child[i] != 0) continue;
        at_ctx_set_threads(s.ctx, 1) == AT_OK ? (void)0 : _exit(2);
        for (int k = 0; k < TIMES; k++) {
            at_dataset *d;
            at_digest g;
            uint8_t digest[AT_DIGEST_BYTES];
            at_digest_init(&g);
            if (at_tokens_create(&d, s.ctx, &s.texts, all, 10, &s.o, NULL) != AT_OK) _exit(3);
            d->digest(d, &g);
            at_digest_add(&g, &d->max_rows, sizeof d->max_rows);
            at_digest_end(&g, digest);
            d->close(s.ctx, d);
            if (memcmp(digest, want.digest, sizeof digest) != 0) _exit(4);
            if (k % 2 && i == 0) at_folder_remove(s.ctx, s.cache) == AT_OK ? (void)0 : at_clear_error(s.ctx);
        }
        _exit(0);
    }
    for (int i = 0; i < RUNS; i++) {
        int status;
        assert_int_equal(waitpid(child[i], &status, 0), child[i]);
        assert_int_equal(status, 0);
    }
    const made after = make(&s);
    expect_same(&after, &want);
    end(&s);
}

/* ---- No memory ---- */

static at_status attempt(at_ctx *ctx, void *arg)
{
    const scene *s = arg;
    at_dataset *d = NULL;
    at_status status = AT_OK;
    for (int i = 0; i < 2 && status == AT_OK; i++) { /* made and kept, then found */
        status = at_tokens_create(&d, ctx, &s->texts, all, 10, &s->o, NULL);
        if (status == AT_OK) d->close(ctx, d);
    }
    at_in_folder(s->folder, "rm -rf of");
    return status;
}

AT_TEST(test_tokens_cache__survives_the_failure_of_any_allocation)
{
    scene s;
    begin(&s, "tokens-cache-torture");
    at_torture(s.ctx, attempt, &s);
    end(&s);
}
