/* tree_internal.h: what the files behind tree.h share. Layer: formats. */
#ifndef AT_TREE_INTERNAL_H
#define AT_TREE_INTERNAL_H

#include "formats/tree.h"

typedef enum at__yaml_meaning { AT__YAML_FINE, AT__YAML_TOO_LARGE } at__yaml_meaning;

/* Set kind and value of a node by its text, a plain scalar. TOO_LARGE: a number that fits neither int64 nor
 * double. */
at__yaml_meaning at__yaml_resolve(at_tree *t);

/* Step over the byte-order mark that some editors put before UTF-8; *text is "" where there is nothing. */
void at__skip_mark(const char **text, size_t *size);

#endif
