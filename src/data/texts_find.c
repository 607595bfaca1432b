/* texts_find.c: which files of a folder are the splits of a data set of texts. Layer: data. Names alone are
 * looked at. Reading path: at_texts_find_splits, find_in_folder. */
#include "data/texts.h"
#include "formats/file.h"
#include <stdio.h>
#include <strings.h>

enum { N_SPLITS = 3, N_WORDS = 4 };

static const char *const words[N_SPLITS][N_WORDS] = {
    {"train", "training"}, {"valid", "validation", "val", "dev"}, {"test", "testing"}};

/* ---- Names ---- */

static int split_of_word(const char *word, size_t n)
{
    for (int split = 0; split < N_SPLITS; split++)
        for (int i = 0; i < N_WORDS && words[split][i]; i++)
            if (strlen(words[split][i]) == n && strncasecmp(words[split][i], word, n) == 0) return split;
    return -1;
}

static const char *ending(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot ? dot : name + strlen(name);
}

/* "train.csv": the split that the whole name says; -1 = none. */
static int split_of_stem(const char *name)
{
    return at_is_table_name(name) ? split_of_word(name, (size_t)(ending(name) - name)) : -1;
}

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* "TREC.train.all", "my_test-set.csv": the split that a word of the name says; -1 = none. */
static int split_of_name(const char *name)
{
    if (strcasecmp(ending(name), ".md") == 0) return -1;
    while (*name) {
        size_t n = 0;
        while (is_letter_or_digit(name[n])) n++;
        const int split = split_of_word(name, n);
        if (split >= 0) return split;
        name += n ? n : 1;
    }
    return -1;
}

static int split_of_only(const char *name)
{
    return at_is_table_name(name) ? 0 : -1;
}

/* ---- Folders ---- */

typedef struct search {
    at_arena *arena;
    const char *folder;
    const char **names; /* of files */
    int64_t n;
    const char *found[N_SPLITS]; /* names */
} search;

static at_status list_files(search *s)
{
    int64_t all;
    AT_TRY(at_folder_list(s->arena, &s->names, &all, s->folder));
    for (int64_t i = 0; i < all; i++) {
        const char *name = s->names[i];
        if (name[0] == '.') continue;
        const char *path = at_path_join(s->arena, s->folder, name);
        if (!path) return AT_E_NOMEM;
        if (!at_path_is_folder(path)) s->names[s->n++] = name;
    }
    return AT_OK;
}

/* Take the files that a rule gives a split; *any: it gave one. */
static at_status take(search *s, int (*split_of)(const char *name), bool same_ending, bool *any)
{
    const char *one = NULL;
    for (int64_t i = 0; i < s->n; i++) {
        const char *name = s->names[i];
        const int split = split_of(name);
        if (split < 0) continue;
        AT_REQUIRE(s->arena->ctx, !s->found[split], AT_E_ARG,
                   "%s: %s and %s may both be the %s split; give files (data.train, data.valid, data.test)",
                   s->folder, s->found[split], name, words[split][0]);
        AT_REQUIRE(s->arena->ctx, !one || !same_ending || strcmp(ending(one), ending(name)) == 0, AT_E_ARG,
                   "%s: %s and %s have different endings; give files (data.train, data.valid, data.test)",
                   s->folder, one, name);
        s->found[split] = one = name;
    }
    *any = one != NULL;
    return AT_OK;
}

static at_status find_in_folder(search *s, at_text_splits *out)
{
    const char **const slots[N_SPLITS] = {&out->train, &out->valid, &out->test};
    bool any = false;
    AT_TRY(list_files(s));
    AT_TRY(take(s, split_of_stem, false, &any));
    if (!any) AT_TRY(take(s, split_of_name, true, &any));
    if (!any) AT_TRY(take(s, split_of_only, true, &any));
    AT_REQUIRE(s->arena->ctx, any, AT_E_FORMAT,
               "%s: no table of texts; expected train.csv (or .tsv, .txt, .json, .jsonl), perhaps valid and "
               "test beside "
               "it, or the path of a file",
               s->folder);
    for (int i = 0; i < N_SPLITS; i++)
        if (s->found[i] && !(*slots[i] = at_path_join(s->arena, s->folder, s->found[i]))) return AT_E_NOMEM;
    return AT_OK;
}

at_status at_texts_find_splits(at_arena *arena, at_text_splits *out, const char *path)
{
    *out = (at_text_splits){0};
    at_text_splits found = {0};
    AT_REQUIRE(arena->ctx, at_path_exists(path), AT_E_IO, "%s: no such file or folder; check the path", path);
    search s = {.arena = arena, .folder = path};
    if (at_path_is_folder(path))
        AT_TRY(find_in_folder(&s, &found));
    else if (!(found.train = at_arena_strdup(arena, path)))
        return AT_E_NOMEM;
    *out = found;
    return AT_OK;
}
