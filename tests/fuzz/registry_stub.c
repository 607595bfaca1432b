/* registry_stub.c: fuzz builds take the parsers alone, without what the generated registry lists. */
#include "base/base.h"

extern const at_entry at_registry[];
const at_entry at_registry[] = {{NULL, NULL}};
