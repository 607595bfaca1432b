/* options.h: values of a recipe or of an edit into the structs that option tables describe (base/option.h).
 * Layer: formats. */
#ifndef AT_OPTIONS_H
#define AT_OPTIONS_H

#include "base/option.h"
#include "formats/tree.h"

/* Where texts that are made live, whose context has the failures, and how messages name a key's place. */
typedef struct at_option_reader {
    at_arena *arena;
    const char *(*where)(void *from, const char *key);
    void *from;
} at_option_reader;

/* Is this the option's key or another spelling of it? "-" and "_" are one. key: its full name. */
bool at_option_is(const at_option *o, const char *key, const char *name);

/* Give a member what stands for "absent". */
void at_option_clear(const at_option *o, void *member);

/* Check a value and put it into its member. key: the full name, for messages. */
at_status at_option_read(const at_option_reader *r, const at_option *o, const char *key, const at_tree *t,
                         void *member) AT_MUST_USE;

/* The text that a scalar stands for; NULL = it is a list, a map or null, or there is no memory. */
const char *at_option_text(at_arena *a, const at_tree *t);

/* What may be chosen, separated by "|". */
const char *at_option_choices(at_arena *a, const at_option *o);

/* Fill a table's struct with its defaults. */
at_status at_options_default(at_arena *a, const at_options *table, void *out) AT_MUST_USE;

/* Put the values of a map, whose keys are the table's own, over what the struct has. */
at_status at_options_read(const at_option_reader *r, const at_options *table, const at_tree *map,
                          void *out) AT_MUST_USE;

#endif
