/* texts.h: a table of texts as samples with labels, splits, duplicates and statistics. Layer: data.
 *
 *     at_text_splits found;                            // a folder's files, or the file itself
 *     at_texts_find_splits(&arena, &found, "data");
 *     at_texts_read(ctx, &train, found.train, &o, NULL);
 *     at_texts_read(ctx, &test, found.test, &o, &train);  // the same columns and classes
 *     at_contents_split(ctx, in_valid, &train.contents, 0.1, seed, NULL);
 *
 * Two texts count as equal when they differ in white space and in the case of the letters A to Z alone; of
 * pairs, both texts. */
#ifndef AT_TEXTS_H
#define AT_TEXTS_H

#include "data/contents.h"
#include "formats/table.h"

typedef enum at_texts_target {
    AT_TEXTS_CLASS,  /* the label is the name of a class */
    AT_TEXTS_SET,    /* a set of classes: a list, or separated by label_separator; it may be empty */
    AT_TEXTS_NUMBER, /* regression: a finite number */
    AT_TEXTS_NONE    /* predictions: labels are not looked at and may be missing */
} at_texts_target;

typedef struct at_texts_options {
    at_table_options table;
    at_texts_target target;
    /* Columns by name or number (from 1); NULL = inferred, see at_texts_read. Recipe keys data.label,
     * data.text, data.text_pair. */
    const char *label, *text,
        *text_pair;              /* text_pair "none": no second text even if a column looks like one */
    const char *label_separator; /* of sets; NULL = "," */
    bool pairs;                  /* a row is texts to compare: see at_texts_read */
    const char *negative;        /* of pairs: column of third texts, or "none"; NULL = inferred */
    bool skip_corrupt;           /* leave out rows with an empty text or label, with a note */
    bool keep_empty;             /* an empty text is one like any other */
    const char *const *classes;  /* those of a trained head, in its order; NULL = what the data hold */
    int n_classes;
    void (*note)(void *data, const char *text); /* what the user should know; NULL = nobody listens */
    void *note_data;
} at_texts_options;

typedef struct at_text_sample {
    int64_t row;   /* of the table */
    int32_t label; /* CLASS: its class. SET: the rarest of its classes (shares are stratified by it),
                      n_classes when empty. Else 0 */
    double number; /* NUMBER */
} at_text_sample;

typedef struct at_texts {
    at_arena arena;
    at_table table;
    at_texts_target target;
    bool pairs;                                                  /* as the options say */
    int label_column, text_column, pair_column, negative_column; /* -1 = none */
    int64_t n;
    at_text_sample *samples; /* in the order of the file */
    const char **classes;    /* CLASS and SET: bytewise; by value when all are whole numbers */
    int n_classes;
    int32_t *set;         /* SET: classes of sample i are set[set_start[i]] ... set[set_start[i + 1] - 1] */
    int64_t *set_start;   /* SET: [n + 1] */
    int64_t skipped;      /* rows left out */
    at_contents contents; /* of the samples, hashed and sorted */
} at_texts;

/* Read a table and look for its columns:
 *   label: a column named label, class, target, category or sentiment, else of the plural (labels), else the
 * one with the fewest values (2 at least), unless most rows have one of their own and there is one column of
 * lists, or lists are asked for; text: a column named text, sms, sentence, message, review or question, or as
 * the first of a pair (sentence1, premise, text_a), else the one with the longest texts on average; pair:
 * sentence2, hypothesis or text_b beside the first of a pair. Rows of pairs: the first two columns of texts,
 * the label one named score, similarity or as above, the third text one named negative; by position where
 * names do not tell: text, second text, then a number or a third text. Without a label the target becomes
 * NONE. The negative is looked at where there is no label. What was inferred is noted. Labels are taken
 * without the white space around them. like: the training set; columns and classes are its own, and a label
 * that it lacks is an error. NULL: they are found (or o->classes). Rows with an empty text or label are
 * errors unless skip_corrupt. Equal texts with different labels are noted, with an example.
 * @return what at_table_read returns; ARG (no such column); FORMAT with file and line. *out is zeroed on
 * failure. */
at_status at_texts_read(at_ctx *ctx, at_texts *out, const char *path, const at_texts_options *o,
                        const at_texts *like) AT_MUST_USE;

/* What a table's labels look like, found as at_texts_read finds them: SET where they are lists or a separator
 * is given; NUMBER where all are numbers that are not the names of classes (20 different whole numbers at
 * most, or those from 0 or 1 on without a gap); else CLASS. */
at_status at_texts_kind(at_ctx *ctx, at_texts_target *out, const char *path,
                        const at_texts_options *o) AT_MUST_USE;

void at_texts_deinit(at_texts *t);

/* ---- Samples ---- */

static inline const at_cell *at_texts_cell(const at_texts *t, int64_t sample, int column)
{
    return at_table_cell(&t->table, t->samples[sample].row, column);
}

static inline const at_cell *at_texts_text(const at_texts *t, int64_t sample)
{
    return at_texts_cell(t, sample, t->text_column);
}

/* NULL when there are no pairs. */
static inline const at_cell *at_texts_pair(const at_texts *t, int64_t sample)
{
    return t->pair_column < 0 ? NULL : at_texts_cell(t, sample, t->pair_column);
}

/* The text, the second text and the negative, by number; the column must be there. */
static inline const at_cell *at_texts_part(const at_texts *t, int64_t sample, int part)
{
    return at_texts_cell(t, sample,
                         part == 0   ? t->text_column
                         : part == 1 ? t->pair_column
                                     : t->negative_column);
}

/* For messages: "file:line". */
static inline int64_t at_texts_line(const at_texts *t, int64_t sample)
{
    return t->table.line[t->samples[sample].row];
}

/* SET: 1 for the classes of the sample, else 0. out: [n_classes]. */
void at_texts_set_row(const at_texts *t, int64_t sample, float *out);

/* Slices: any column by name or number; at_texts_cell then gives a sample's value. */
at_status at_texts_find_column(at_ctx *ctx, int *out, const at_texts *t, const char *name,
                               const char *key) AT_MUST_USE;

/* ---- Splits ---- */

/* What a path offers: a file is train. In a folder the files train.EXT, valid.EXT, test.EXT of tables (also
 * training; val, validation, dev; testing; in any case), else files of one ending with such a word in their
 * names ("TREC.train.all"), else the only table as train. NULL where absent. */
typedef struct at_text_splits {
    const char *train, *valid, *test; /* paths in the arena */
} at_text_splits;

at_status at_texts_find_splits(at_arena *arena, at_text_splits *out, const char *path) AT_MUST_USE;

/* Equal texts in two sets: report (may be NULL) is called for each pair of samples; returns how many. */
int64_t at_texts_duplicates(const at_texts *a, const at_texts *b,
                            void (*report)(void *data, int64_t sample_a, int64_t sample_b), void *data);

/* Texts that stand there with different labels (which at_texts_read notes). */
typedef struct at_text_conflicts {
    int64_t texts, samples;  /* different texts; all their samples */
    int64_t first, opposite; /* of the first such text by line: a sample, and the first with another label */
} at_text_conflicts;

at_text_conflicts at_texts_conflicts(const at_texts *t);

/* ---- Statistics ---- */

enum { AT_TEXT_LENGTHS = 20 };

typedef struct at_text_stats {
    int64_t texts, distinct;            /* distinct: texts that are not equal */
    int64_t words, bytes;               /* of both texts of pairs; words are what white space separates */
    int64_t longest;                    /* words of the longest */
    int64_t lengths[AT_TEXT_LENGTHS];   /* texts without words, of 1, 2 to 3, 4 to 7, ... words; the last: and
                                           more */
    int64_t *class_texts, *class_words; /* [n_classes] of the arena; NULL without classes */
} at_text_stats;

at_status at_texts_stats(at_arena *arena, at_text_stats *out, const at_texts *t) AT_MUST_USE;

#endif
