/* tags.c: entities from tags, and how well they were found. */
#include "tasks/tags.h"
#include <stdlib.h>

/* ---- Names ---- */

static const char *type_of(const char *name)
{
    return name[1] == '-' && name[2] ? name + 2 : "_";
}

/* O; or B, I, E or S, alone or before "-TYPE". */
static bool is_entity_tag(const char *name)
{
    if (strcmp(name, "O") == 0) return true;
    return *name && strchr("BIES", *name) && (!name[1] || (name[1] == '-' && name[2]));
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int find(const char *const *list, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (strcmp(list[i], name) == 0) return i;
    return -1;
}

static void name_types(at_tags *t, const char *const *names)
{
    for (int i = 0; i < t->n; i++)
        if (i != t->outside && find(t->types, t->n_types, type_of(names[i])) < 0)
            t->types[t->n_types++] = type_of(names[i]);
    qsort(t->types, (size_t)t->n_types, sizeof *t->types, by_name);
    for (int i = 0; i < t->n; i++)
        t->list[i] = i == t->outside
                         ? (at_tag){'O', -1}
                         : (at_tag){*names[i], (int32_t)find(t->types, t->n_types, type_of(names[i]))};
}

at_status at_tags_init(at_arena *arena, at_tags *out, const char *const *names, int n)
{
    *out = (at_tags){.n = n, .outside = find(names, n, "O")};
    for (int i = 0; i < n; i++)
        if (!is_entity_tag(names[i])) return AT_OK;
    if (n < 1 || (n == 1 && out->outside == 0)) return AT_OK; /* there is nothing to find */
    out->list = at_arena_alloc(arena, (size_t)n * sizeof *out->list);
    out->types = at_arena_alloc(arena, (size_t)n * sizeof *out->types);
    if (!out->list || !out->types) return AT_E_NOMEM;
    name_types(out, names);
    return AT_OK;
}

at_status at_tags_inside(at_arena *arena, int32_t **out, const char *const *names, int n)
{
    int32_t *inside = *out = at_arena_alloc(arena, (size_t)n * sizeof *inside);
    if (!inside) return AT_E_NOMEM;
    for (int i = 0; i < n; i++) {
        inside[i] = i;
        for (int k = 0; k < n && *names[i] == 'B'; k++)
            if (*names[k] == 'I' && strcmp(names[k] + 1, names[i] + 1) == 0) inside[i] = k;
    }
    return AT_OK;
}

/* ---- Entities ---- */

static at_tag tag_at(const at_tags *t, const int32_t *tag, int64_t i)
{
    return tag[i] < 0 ? (at_tag){'O', -1} : t->list[tag[i]];
}

static bool goes_on(at_tag from, at_tag to)
{
    return (from.role == 'B' || from.role == 'I') && (to.role == 'I' || to.role == 'E') &&
           from.type == to.type;
}

bool at_entity_next(const at_tags *t, const int32_t *tag, int64_t n, int64_t from, at_entity *out)
{
    while (from < n && (tag_at(t, tag, from).type < 0 ||
                        (from > 0 && goes_on(tag_at(t, tag, from - 1), tag_at(t, tag, from)))))
        from++;
    if (from >= n) return false;
    int64_t end = from + 1;
    while (end < n && goes_on(tag_at(t, tag, end - 1), tag_at(t, tag, end))) end++;
    *out = (at_entity){from, end, tag_at(t, tag, from).type};
    return true;
}

/* ---- Counting ---- */

static bool equal(const at_entity *a, const at_entity *b)
{
    return a->first == b->first && a->end == b->end && a->type == b->type;
}

void at_entities_count(const at_tags *t, at_entity_counts *by_type, const int32_t *truth, const int32_t *said,
                       int64_t n)
{
    at_entity a, b;
    bool is_a = at_entity_next(t, truth, n, 0, &a), is_b = at_entity_next(t, said, n, 0, &b);
    while (is_a || is_b) { /* both in the order of their first words; the earlier one goes on */
        const bool take_a = is_a && (!is_b || a.first <= b.first),
                   take_b = is_b && (!is_a || b.first <= a.first);
        if (take_a && take_b && equal(&a, &b)) by_type[a.type].right++;
        if (take_a) by_type[a.type].truly++;
        if (take_b) by_type[b.type].said++;
        if (take_a) is_a = at_entity_next(t, truth, n, a.end, &a);
        if (take_b) is_b = at_entity_next(t, said, n, b.end, &b);
    }
}

at_entity_scores at_entities_score(const at_entity_counts *c)
{
    const double right = (double)c->right;
    return (at_entity_scores){.precision = c->said ? right / (double)c->said : 0,
                              .recall = c->truly ? right / (double)c->truly : 0,
                              .f1 = c->right ? 2 * right / (double)(c->said + c->truly) : 0};
}
