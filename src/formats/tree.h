/* tree.h: what JSON and YAML files hold, as one kind of tree with line numbers. Layer: formats. */
#ifndef AT_TREE_H
#define AT_TREE_H

#include "base/alloc.h"
#include "base/text.h"

typedef enum at_tree_kind { AT_NULL, AT_FLAG, AT_WHOLE, AT_NUMBER, AT_STRING, AT_LIST, AT_MAP } at_tree_kind;

typedef struct at_tree {
    at_tree_kind kind;
    const char *key;              /* in a map; NULL elsewhere */
    int line;                     /* from 1; 0 = unknown (JSON) */
    bool flag;                    /* FLAG */
    int64_t whole;                /* WHOLE */
    double number;                /* WHOLE and NUMBER */
    const char *text;             /* STRING; for YAML plain scalars of other kinds: as written */
    struct at_tree *first, *next; /* children of LIST and MAP in order */
    int64_t n;                    /* how many */
} at_tree;

enum { AT_TREE_LIMIT = 16 << 20, AT_TREE_DEPTH = 64 }; /* bytes of a file; nesting */

/* Parse text. `name` stands in messages: "recipe.yaml:7: ...". Duplicate keys, anchors of no use, NUL bytes,
 * invalid UTF-8, nesting beyond AT_TREE_DEPTH and anything after the document are FORMAT errors. The tree
 * lives in the arena. */
at_status at_json_parse(at_arena *a, at_tree **out, const char *text, size_t size,
                        const char *name) AT_MUST_USE;
at_status at_yaml_parse(at_arena *a, at_tree **out, const char *text, size_t size,
                        const char *name) AT_MUST_USE;

/* Read and parse a file; by its ending .json is JSON, all else YAML. */
at_status at_tree_read(at_arena *a, at_tree **out, const char *path) AT_MUST_USE;

/* Child of a map by key, or NULL (also when t is NULL or no map). */
const at_tree *at_tree_get(const at_tree *t, const char *key);
/* Child by dotted path "a.b.c". */
const at_tree *at_tree_at(const at_tree *t, const char *path);

const char *at_tree_kind_name(at_tree_kind kind); /* "a list" ... for messages */

/* Build trees (for writing): children are appended in order. */
at_tree *at_tree_new(at_arena *a, at_tree_kind kind);
at_tree *at_tree_add(at_arena *a, at_tree *parent, const char *key,
                     at_tree *child); /* key copied; returns child; NULL-safe */
at_tree *at_tree_string(at_arena *a, const char *text);
at_tree *at_tree_whole(at_arena *a, int64_t x);
at_tree *at_tree_number(at_arena *a, double x);
at_tree *at_tree_flag(at_arena *a, bool x);

/* Write: JSON (indent 0 = one line) and YAML (block style; strings quoted where a reader would take them for
 * something else). What is written parses back to an equal tree. */
void at_json_write(at_text *out, const at_tree *t, int indent);
void at_yaml_write(at_text *out, const at_tree *t);

#endif
