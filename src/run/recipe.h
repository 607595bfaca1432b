/* recipe.h: what a run is told: settings from flags, a file and a method's fragment, over the options that
 * the descriptors declare. Layer: run.
 *
 * A setting is a dotted key, a value and where it came from. Flags win over the file, the file over the
 * method, the method over the defaults. Every key is known before any work starts; an unknown one is an error
 * that names the nearest. at_recipe itself is public (attune.h). */
#ifndef AT_RECIPE_H
#define AT_RECIPE_H

#include "base/option.h"
#include "formats/tree.h"

typedef enum at_source { AT_FROM_DEFAULT, AT_FROM_METHOD, AT_FROM_FILE, AT_FROM_FLAG, AT_FROM_RUN } at_source;

typedef struct at_setting {
    struct at_setting *next;
    const char *key;
    const at_tree *value;
    at_source source;
    const char *origin; /* "recipe.yaml:7", "--train.epochs", "method head" */
    bool read;          /* a table with its key has been read since at_recipe_begin */
} at_setting;

struct at_recipe {
    at_ctx *ctx;
    at_arena arena;
    at_setting *settings;
};

/* A named recipe fragment of methods/, embedded at build: `const at_method at_method_NAME`. */
typedef struct at_method {
    const char *name, *doc, *text; /* doc: the key help of the fragment */
} at_method;

/* Apply the method ("head", "last:3") for a family of models: its settings rank below the file's. edits: the
 * list of edits it stands for, followed by the recipe's own. */
at_status at_recipe_apply_method(at_recipe *r, const char *method, const char *family,
                                 const at_tree **edits) AT_MUST_USE;

/* Forget what an earlier run with this recipe decided and read, and what its method said. */
void at_recipe_begin(at_recipe *r);

/* Take over what was set in another recipe, by flags or, if that is `weakest`, also by its file. except: a
 * key that is left out; NULL = none. */
at_status at_recipe_take(at_recipe *r, const at_recipe *from, at_source weakest,
                         const char *except) AT_MUST_USE;

/* Fill the struct of a table with the effective values; unset options get their defaults. */
at_status at_recipe_read(at_recipe *r, const at_options *table, void *out) AT_MUST_USE;

/* Walk what a file or flags set, to another value than the default, and no table that was read has. after:
 * NULL = from the start; NULL at the end. */
const at_setting *at_recipe_next_unread(at_recipe *r, const at_setting *after);

/* Is the key set by anything stronger than its default? */
bool at_recipe_is_set(const at_recipe *r, const char *key);

/* The setting that counts; NULL = none, so that the default does. */
const at_setting *at_recipe_setting(const at_recipe *r, const char *key);

/* Where the effective value came from, for messages: "recipe.yaml:7: train.epochs". */
const char *at_recipe_where(at_recipe *r, const char *key);

/* What the run decided for a value left open (batch size, output): stands in the written recipe. */
at_status at_recipe_decide(at_recipe *r, const char *key, at_tree *value) AT_MUST_USE;

/* The complete recipe as a tree of sections, every key of every table that `uses` accepts. */
at_status at_recipe_tree(at_recipe *r, at_tree **out) AT_MUST_USE;

/* The first key whose value differs between two complete recipes, apart from those that may change on resume;
 * NULL = none. */
const char *at_recipe_difference(at_recipe *r, const at_tree *a, const at_tree *b);

/* Walk all options of all tables: key is "section.key" in `key`. NULL at the end. */
typedef struct at_option_cursor {
    int table;
    const at_options *options;
    const at_option *option;
} at_option_cursor;
const at_option *at_option_next(const at_ctx *ctx, at_option_cursor *c, char key[128]);

#endif
