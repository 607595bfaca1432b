/* names.c: names: edit distance, glob match, name hash. */
#include "base/base.h"

int at_edit_distance(const char *a, const char *b, int limit)
{
    enum { MAX = 128 }; /* longer names are never near each other */
    const size_t na = strlen(a), nb = strlen(b);
    if (na >= MAX || nb >= MAX) return limit + 1;
    int row[MAX];
    for (size_t j = 0; j <= nb; j++) row[j] = (int)j;
    for (size_t i = 1; i <= na; i++) {
        int diagonal = row[0];
        row[0] = (int)i;
        for (size_t j = 1; j <= nb; j++) {
            const int substitute = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            int best = substitute;
            if (row[j] + 1 < best) best = row[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[nb] <= limit ? row[nb] : limit + 1;
}

/* Returns the character after the set, or NULL when '[' is not closed (then it is a literal). */
static const char *match_set(const char *p, char c, bool *hit)
{
    const char *end = strchr(p + 1, ']');
    if (!end) return NULL;
    *hit = false;
    for (const char *q = p + 1; q < end; q++) {
        if (q + 2 < end && q[1] == '-') {
            if (c >= q[0] && c <= q[2]) *hit = true;
            q += 2;
        } else if (*q == c) {
            *hit = true;
        }
    }
    return end + 1;
}

bool at_glob_match(const char *pattern, const char *name)
{
    const char *star = NULL, *resume = NULL; /* where to retry: the last '*' and what it has eaten up to */
    while (*name) {
        bool hit;
        const char *next;
        if (*pattern == '*') {
            star = ++pattern;
            resume = name;
            continue;
        }
        if (*pattern == '[' && (next = match_set(pattern, *name, &hit))) {
            if (hit) {
                pattern = next;
                name++;
                continue;
            }
        } else if (*pattern == '?' || *pattern == *name) {
            pattern++;
            name++;
            continue;
        }
        if (!star) return false;
        pattern = star;
        name = ++resume;
    }
    while (*pattern == '*') pattern++;
    return *pattern == '\0';
}

uint64_t at_hash_name(const char *name)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (; *name; name++) h = (h ^ (unsigned char)*name) * 0x100000001b3u;
    return h;
}
