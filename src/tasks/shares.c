/* shares.c: splits as paths or shares, and samples dealt out to them by their contents. */
#include "tasks/shares.h"
#include "formats/file.h"
#include <stdlib.h>

/* "20%" and "0.2" -> 0.2; 0 when the text is no share. */
static at_status read_share(const at_job *j, const char *text, const char *key, double *out)
{
    char *end;
    *out = 0.0;
    if (!text) return AT_OK;
    const double percent = strtod(text, &end);
    const bool fraction = end != text && !*end && percent > 0 && percent < 1 && !at_path_exists(text);
    if (fraction) *out = percent;
    if (fraction || end == text || strcmp(end, "%") != 0) return AT_OK;
    AT_REQUIRE(j->ctx, percent > 0 && percent < 100, AT_E_RANGE,
               "%s is %s, must be above 0%% and below 100%%", at_job_where(j, key), text);
    *out = percent / 100.0;
    return AT_OK;
}

/* The path that a split comes from; NULL where it is a share or none. */
static const char *path_of(const char *given, double share, const char *found)
{
    const char *path = given ? given : found;
    return share > 0 || (path && strcmp(path, "none") == 0) ? NULL : path;
}

at_status at_job_sources(const at_job *j, at_sources *out, const char *found_valid, const char *found_test,
                         int64_t n_train, const char *noun)
{
    const at_data_options *d = &j->setup.data;
    AT_TRY(read_share(j, d->valid, "data.valid", &out->valid_share));
    AT_TRY(read_share(j, d->test, "data.test", &out->test_share));
    out->valid = path_of(d->valid, out->valid_share, found_valid);
    out->test = path_of(d->test, out->test_share, found_test);
    if (!d->valid && !found_valid) out->valid_share = n_train < 1000 ? 0.2 : 0.1;
    const double both = out->valid_share + out->test_share;
    AT_REQUIRE(j->ctx, both < 1, AT_E_RANGE,
               "%s and %s take %g %% of the %s together, which leaves none to learn from",
               at_job_where(j, "data.valid"), at_job_where(j, "data.test"), 100 * both, noun);
    return AT_OK;
}

void at_job_note_equal(at_job *j, const at_contents *train, const at_contents *of, at_split split,
                       const char *noun)
{
    const int64_t n = at_contents_duplicates(train, of, NULL, NULL);
    if (n > 0)
        at_job_note(j, "%lld pairs of equal %s are in the %s and the training split: its scores are too good",
                    (long long)n, noun, at_split_name(split));
}

int32_t *at_job_all_samples(at_job *j, int64_t n)
{
    int32_t *index = at_arena_alloc(&j->arena, (size_t)n * sizeof *index);
    for (int64_t i = 0; index && i < n; i++) index[i] = (int32_t)i;
    return index;
}

static at_status deal(at_job *j, const at_split *of, int64_t n, at_split split, at_make_split_fn make)
{
    int32_t *index = at_arena_alloc(&j->arena, (size_t)n * sizeof *index);
    int64_t m = 0;
    if (!index) return AT_E_NOMEM;
    for (int64_t i = 0; i < n; i++)
        if (of[i] == split) index[m++] = (int32_t)i;
    return m > 0 ? make(j, split, index, m) : AT_OK;
}

at_status at_job_make_shares(at_job *j, const at_contents *contents, const at_sources *s,
                             at_make_split_fn make)
{
    const int64_t n = contents->n;
    bool *in_test = at_arena_alloc(&j->arena, (size_t)n), *in_valid = at_arena_alloc(&j->arena, (size_t)n);
    at_split *of = at_arena_alloc(&j->arena, (size_t)n * sizeof *of);
    if (!in_test || !in_valid || !of) return AT_E_NOMEM;
    memset(in_test, 0, (size_t)n);
    memset(in_valid, 0, (size_t)n);
    const uint64_t seed = j->setup.seed;
    if (s->test_share > 0)
        AT_TRY(at_contents_split(j->ctx, in_test, contents, s->test_share, seed + 1, NULL));
    if (s->valid_share > 0)
        AT_TRY(at_contents_split(j->ctx, in_valid, contents, s->valid_share, seed, in_test));
    for (int64_t i = 0; i < n; i++)
        of[i] = in_test[i] ? AT_SPLIT_TEST : in_valid[i] ? AT_SPLIT_VALID : AT_SPLIT_TRAIN;
    for (int split = 0; split < AT_SPLIT_COUNT; split++) AT_TRY(deal(j, of, n, (at_split)split, make));
    return AT_OK;
}
