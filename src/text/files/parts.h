/* parts.h: for routes that write the sections which tokenizer.json would have. Layer: text. */
#ifndef AT_TEXT_PARTS_H
#define AT_TEXT_PARTS_H

#include "text/tokenizer_internal.h"

/* FOLDER/tokenizer_config.json as a section; without the file all members are absent. */
at_status at__config_read(at_tokenizer *t, at_section *out, const char *folder) AT_MUST_USE;

/* Trees: NULL passes on, the context knows the failure. */
at_tree *at__add_text(at_arena *a, at_tree *parent, const char *key, const char *text);
at_tree *at__add_flag(at_arena *a, at_tree *parent, const char *key, bool flag);
at_tree *at__add_section(at_arena *a, at_tree *parent, const char *key, const char *type);
/* "KEY": [token, id] */
void at__add_pair(at_arena *a, at_tree *parent, const char *key, const char *token, int32_t id);

/* The special tokens of a family, "unk_token" ..., as the config or the fallback says them, go into the list
 * added_tokens where the vocabulary has them. */
typedef struct at_special {
    const char *key, *fallback;
    const char *token; /* found */
    int32_t id;        /* -1 = not in the vocabulary */
} at_special;
at_status at__add_specials(at_tokenizer *t, const at_section *config, at_tree *sections, at_special *list,
                           int n) AT_MUST_USE;

#endif
