/* tree_internal.h: what the files behind tree.h share. Layer: formats. */
#ifndef AT_TREE_INTERNAL_H
#define AT_TREE_INTERNAL_H

#include "formats/tree.h"

typedef enum at__yaml_meaning { AT__YAML_FINE, AT__YAML_TOO_LARGE } at__yaml_meaning;

/* Set kind and value of a node by its text, a plain scalar. TOO_LARGE: a number that fits neither int64 nor
 * double. */
at__yaml_meaning at__yaml_resolve(at_tree *t);

/* Where in a file a piece of it begins that is parsed by itself: a line of JSONL, an element of a list. */
typedef struct at__place {
    const char *name;
    int line, column; /* from 1 */
} at__place;

/* at_json_parse of such a piece: messages have the line and column of the file. */
at_status at__json_parse_piece(at_arena *a, at_tree **out, const char *text, size_t size,
                               at__place where) AT_MUST_USE;

/* Step over the byte-order mark that some editors put before UTF-8; *text is "" where there is nothing. */
void at__skip_mark(const char **text, size_t *size);

#endif
