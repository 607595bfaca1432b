/* tags.h: tags of words as entities: "B-PER" begins a person, "I-PER" goes on, "O" is outside. Layer: tasks.
 *
 * IOB1, IOB2 and IOBES are read by one rule, that of conlleval (Tjong Kim Sang and Buchholz 2000) and of
 * seqeval's default: an entity goes on from B or I to I or E of its type, and ends elsewhere. */
#ifndef AT_TAGS_H
#define AT_TAGS_H

#include "base/alloc.h"

typedef struct at_tag {
    char role;    /* B, I, E, S; O = outside */
    int32_t type; /* of the entity; -1 = outside */
} at_tag;

typedef struct at_tags {
    at_tag *list; /* [n] of the classes; NULL: they are no entities' tags (parts of speech) */
    int n;
    const char **types; /* [n_types] bytewise: "LOC", "PER"; of plain "B" and "I": "_" */
    int n_types;
    int32_t outside; /* the class "O"; -1 = there is none */
} at_tags;

/* Entities' tags are those of which each is O, or B, I, E or S with or without a type. names: borrowed. */
at_status at_tags_init(at_arena *arena, at_tags *out, const char *const *names, int n) AT_MUST_USE;

/* For each class the one that the tokens behind a word's first have: B-X is I-X where there is that class. */
at_status at_tags_inside(at_arena *arena, int32_t **out, const char *const *names, int n) AT_MUST_USE;

typedef struct at_entity {
    int64_t first, end; /* words */
    int32_t type;
} at_entity;

/* The first entity of a sentence's n tags (-1 counts as outside) that begins at or behind `from`. */
bool at_entity_next(const at_tags *t, const int32_t *tag, int64_t n, int64_t from, at_entity *out);

typedef struct at_entity_counts {
    int64_t truly, said, right; /* in the truth; predicted; both, with the same words and type */
} at_entity_counts;

/* Add those of one sentence. by_type: [n_types] */
void at_entities_count(const at_tags *t, at_entity_counts *by_type, const int32_t *truth, const int32_t *said,
                       int64_t n);

/* 0 where nothing was said, is there, or is right. */
typedef struct at_entity_scores {
    double precision, recall, f1;
} at_entity_scores;

at_entity_scores at_entities_score(const at_entity_counts *c);

#endif
