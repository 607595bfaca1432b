/* tree.h: what JSON and YAML files hold, as one kind of tree with line numbers. Layer: formats. */
#ifndef AT_TREE_H
#define AT_TREE_H

#include "base/alloc.h"
#include "base/text.h"

typedef enum at_tree_kind { AT_NULL, AT_FLAG, AT_WHOLE, AT_NUMBER, AT_STRING, AT_LIST, AT_MAP } at_tree_kind;

typedef struct at_tree {
    at_tree_kind kind;
    const char *key;              /* in a map; NULL elsewhere */
    int line;                     /* from 1, in a map that of the key; 0 = unknown (JSON) */
    bool flag;                    /* FLAG */
    int64_t whole;                /* WHOLE */
    double number;                /* WHOLE and NUMBER */
    const char *text;             /* STRING; for YAML plain scalars of other kinds: as written */
    struct at_tree *first, *next; /* children of LIST and MAP in order */
    struct at_tree *last;         /* so that appending costs the same for the last child as for the first */
    int64_t n;                    /* how many */
} at_tree;

enum { AT_TREE_LIMIT = 16 << 20, AT_TREE_DEPTH = 64 }; /* bytes at_tree_read takes; nesting */

/* Parse text; time and memory are linear in size (YAML maps: n log n), which the caller bounds. `name` stands
 * in messages: "recipe.yaml:7: ...", with the column after the line where the syntax is wrong. Duplicate
 * keys, NUL bytes, invalid UTF-8, numbers that fit neither int64 nor double, nesting beyond AT_TREE_DEPTH and
 * anything after the document are FORMAT errors; *out is NULL then. The tree lives in the arena and needs
 * neither text nor name. YAML is read by the 1.2 core schema: 1e-4 is a number, yes and on are text, 010 is
 * ten; a key is text whatever it looks like; an empty document is null. Anchors, aliases and tags are FORMAT
 * errors. */
at_status at_json_parse(at_arena *a, at_tree **out, const char *text, size_t size,
                        const char *name) AT_MUST_USE;
at_status at_yaml_parse(at_arena *a, at_tree **out, const char *text, size_t size,
                        const char *name) AT_MUST_USE;

/* Read and parse a file; by its ending .json is JSON, all else YAML. */
at_status at_tree_read(at_arena *a, at_tree **out, const char *path) AT_MUST_USE;

/* Child of a map by key, or NULL (also when t is NULL or no map). O(n). */
const at_tree *at_tree_get(const at_tree *t, const char *key);
/* Child by dotted path "a.b.c". */
const at_tree *at_tree_at(const at_tree *t, const char *path);

const char *at_tree_kind_name(at_tree_kind kind); /* "a list" ... for messages */

/* The same kinds, keys and values in the same order. NaN equals NaN; a NULL tree equals only NULL. */
bool at_tree_equal(const at_tree *a, const at_tree *b);

/* Build trees (for writing): children are appended in order, text is copied. Without memory the result is
 * NULL and recorded in the context; at_tree_add passes a NULL parent or child on, so that at_last_status at
 * the end is check enough. key: NULL in a list. Returns child. */
at_tree *at_tree_new(at_arena *a, at_tree_kind kind);
at_tree *at_tree_add(at_arena *a, at_tree *parent, const char *key, at_tree *child);
at_tree *at_tree_string(at_arena *a, const char *text);
at_tree *at_tree_whole(at_arena *a, int64_t x);
at_tree *at_tree_number(at_arena *a, double x);
at_tree *at_tree_flag(at_arena *a, bool x);

/* Write: JSON (indent 0 = one line without its end, else spaces a level and a line end) and YAML (block
 * style; strings quoted where a reader of YAML 1.1 or 1.2 would take them for something else). What is
 * written parses back to an equal tree, but for what the formats lack: JSON has null for NaN and infinity,
 * and invalid UTF-8 becomes U+FFFD in both. */
void at_json_write(at_text *out, const at_tree *t, int indent);
void at_yaml_write(at_text *out, const at_tree *t);

#endif
