/* option.h: how a descriptor declares its options. The recipe schema, --help, the docs and "did you mean" are
 * put together from these tables; nothing else in the tree repeats a key. Layer: base.
 *
 * An option's value is a member of its table's struct. `const at_options at_options_NAME = {...}` registers a
 * table. */
#ifndef AT_OPTION_H
#define AT_OPTION_H

#include "base/base.h"

typedef enum at_option_type {
    AT_OPTION_FLAG,   /* bool */
    AT_OPTION_WHOLE,  /* int64_t */
    AT_OPTION_REAL,   /* double */
    AT_OPTION_TEXT,   /* const char *, lives as long as the recipe; NULL when absent */
    AT_OPTION_CHOICE, /* const char *: one of `choices`, or of the names of the registry kind `choices_of` */
    AT_OPTION_TREE,   /* const struct at_tree *: structured values (lists, maps) that their owner reads; NULL
                         when absent */
} at_option_type;

typedef struct at_option {
    const char *key; /* within the section: "learning_rate"; NULL ends the table */
    at_option_type type;
    size_t offset; /* of the member */
    /* The default, as a recipe has it; NULL = absent (numbers: NaN, whole numbers: -1). */
    const char *fallback;
    double low, high;       /* legal range of numbers, inclusive; low == high == 0: any */
    const char *choices;    /* "constant|linear|cosine" */
    const char *choices_of; /* registry kind */
    const char *aliases;    /* other spellings, separated by spaces: whole keys as other tools have them */
    const char *help;       /* one line: what it means, unit */
    const char *bare;       /* on a command line, what the key alone stands for; NULL: it needs a value (a
                               flag: true) */
    bool may_change;        /* a resumed run may give another value: it changes no result */
    bool transient;         /* belongs to this call, not to the recipe that is written */
} at_option;

typedef struct at_options {
    const char *name; /* section: keys are "section.key"; "" = the top level */
    const at_option *list;
    size_t size; /* of the struct */
} at_options;

#define AT_OPTION(member_of, member) .offset = offsetof(member_of, member)

#endif
