/* tagged.h: sentences of words with a tag each (named entities, parts of speech), from CoNLL files and JSON
 * lines. Layer: data.
 *
 * CoNLL: a line is a word, columns that nobody asked for, and the word's tag, separated by tabs, or by blanks
 * where the line has no tab; sentences end with an empty line; lines that begin with -DOCSTART- are none.
 * .conllu (Universal Dependencies): comments begin with #, the word is column 2, the tag column 4, and lines
 * of multiword tokens and of empty nodes ("1-2", "1.1") are left out.
 * JSON lines (.jsonl, .ndjson): {"tokens": [texts], "ner_tags": [texts or numbers]}. */
#ifndef AT_TAGGED_H
#define AT_TAGGED_H

#include "data/contents.h"
#include "formats/table.h"

typedef struct at_tagged_options {
    /* Columns by number (from 1), of JSON lines keys by name. NULL: the first and the last (.conllu: 2, 4);
     * "tokens", else "words"; "ner_tags", else "tags", "labels", "pos_tags". Recipe keys data.text,
     * data.label. */
    const char *text, *label;
    const char *tags; /* names of tags that are numbers, in their order: "O,B-PER,I-PER"; NULL = none */
    bool predicts;    /* tags are not looked at and may be missing */
    const char *const *classes; /* those of a trained head, in its order; NULL = what the data hold */
    int n_classes;
} at_tagged_options;

typedef struct at_tagged {
    at_arena arena;
    const char *path;
    int64_t n, n_words;
    int64_t *start;       /* [n + 1] of a sentence's words in what follows */
    at_cell *words;       /* [n_words]; no NUL need be behind one */
    int32_t *tag;         /* [n_words]; -1 = not looked at */
    int64_t *line;        /* [n_words] of the file */
    int64_t *place;       /* [n_words] byte of the sentence's text at which the word begins */
    at_cell *text;        /* [n] the words, a blank between them; of plain text the line */
    const char **classes; /* the tags: bytewise, or as given */
    int n_classes;
    at_contents contents; /* of the sentences, hashed and sorted; labels are their rarest tags */
} at_tagged;

/* Read a file: JSON lines by their ending, all else CoNLL. like: the training set; its tags are the tags, and
 * one that it lacks is an error. For predictions a file without such an ending is plain text, one text a line
 * cut at white space, unless its first line ends with one of the classes.
 * @return FORMAT with file, line and remedy; ARG (an option); IO; NOMEM. *out is zeroed on failure. */
at_status at_tagged_read(at_ctx *ctx, at_tagged *out, const char *path, const at_tagged_options *o,
                         const at_tagged *like) AT_MUST_USE;

/* The same of n bytes; path: for its ending, and for messages. */
at_status at_tagged_parse(at_ctx *ctx, at_tagged *out, const char *bytes, size_t n, const char *path,
                          const at_tagged_options *o, const at_tagged *like) AT_MUST_USE;

void at_tagged_deinit(at_tagged *t);

/* Is this file, or of a folder the training file, tagged for sure? By its ending (.conll .conllu .bio .iob
 * .iob2), else by what it holds. No error is left. */
bool at_is_tagged(at_ctx *ctx, const char *path);

/* The same of n bytes without such an ending: their first 64 KiB are rows of equally many columns, whose last
 * holds tags of entities (O, B-PER ...), two at least; or JSON lines with a list of words and an equally long
 * one of tags, and neither a text nor a label beside them. */
bool at_looks_tagged(at_ctx *ctx, const char *bytes, size_t n, const char *path);

#endif
