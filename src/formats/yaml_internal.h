/* yaml_internal.h: what the three YAML files share. Layer: formats. */
#ifndef AT_YAML_INTERNAL_H
#define AT_YAML_INTERNAL_H

#include "formats/tree.h"

typedef enum at__yaml_meaning { AT__YAML_FINE, AT__YAML_TOO_LARGE } at__yaml_meaning;

/* Set kind and value of a node by its text, a plain scalar. TOO_LARGE: a number that fits neither int64 nor
 * double. */
at__yaml_meaning at__yaml_resolve(at_tree *t);

#endif
