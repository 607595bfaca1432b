/* peft.h: folders of adapters as PEFT (github.com/huggingface/peft) writes and reads them:
 * adapter_config.json and adapter_model.safetensors. Layer: adapters.
 *
 * A tensor is called base_model.model.MODULE.REST, MODULE being the module's name in the network that Python
 * knows. Unknown keys of the config are ignored, as PEFT does; what would change the result is refused by
 * at_peft_off. */
#ifndef AT_PEFT_H
#define AT_PEFT_H

#include "adapters/adapter.h"
#include "formats/safetensors.h"
#include "formats/tree.h"

enum { AT_PEFT_NAME = 512 };

typedef struct at_peft {
    at_ctx *ctx;
    at_arena arena;
    const char *folder;
    at_tree *config;
    at_safetensors *tensors;
} at_peft;

/* Open a folder whose peft_type is this. *out is NULL on failure.
 * @return IO, FORMAT; UNSUPPORTED: another peft_type, which is named. */
at_status at_peft_open(at_peft **out, at_ctx *ctx, const char *folder, const char *type) AT_MUST_USE;
void at_peft_close(at_peft *p);

/* Refuse a key that is neither absent, null, false, "none" nor empty. */
at_status at_peft_off(const at_peft *p, const char *key) AT_MUST_USE;

/* What the map `key` (rank_pattern, alpha_pattern) has for a module: the first entry whose key is the
 * module's name or its last parts. *out stays where there is none. UNSUPPORTED: a key that is a regular
 * expression. */
at_status at_peft_pattern(const at_peft *p, const char *key, const char *module, double *out) AT_MUST_USE;

/* The module of a site: its weight's name in files without ".weight". */
const char *at_peft_module(char out[AT_PEFT_NAME], const at_site *site, const char *prefix);

/* "base_model.model.MODULE.rest"; and of a parameter, as modules_to_save have it. */
const char *at_peft_name(char out[AT_PEFT_NAME], const at_site *site, const char *prefix, const char *rest);
const char *at_peft_param_name(char out[AT_PEFT_NAME], const at_param *param, const char *prefix);

/* A tensor of this shape as numbers, count of them. FORMAT: it is missing; SHAPE, DTYPE: it does not fit. */
at_status at_peft_get(const at_peft *p, const char *name, int rank, const int64_t *dim,
                      at_real *out) AT_MUST_USE;

/* Take over the tensors of modules_to_save: all that are called as a parameter of the network. */
at_status at_peft_take_modules(const at_peft *p, at_net *net, const char *prefix) AT_MUST_USE;

/* Is the site stored as a whole: does it learn itself, or is it not as its checkpoint has it? */
bool at_peft_is_module_to_save(const at_site *site);

/* Tensors to be written; they live in the arena. */
typedef struct at_peft_tensors {
    at_tensor *list;
    int64_t n;
} at_peft_tensors;

/* Add a state's values, in this shape. */
at_status at_peft_put(at_peft_tensors *t, at_arena *a, const at_net *net, const char *name,
                      const at_state *state, int rank, const int64_t *dim) AT_MUST_USE;

/* Add the parameters of the sites that are stored as a whole, and their names to config.modules_to_save. */
at_status at_peft_put_modules(at_peft_tensors *t, at_arena *a, const at_net *net, const char *prefix,
                              at_tree *config) AT_MUST_USE;

/* Write the folder's two files; config: its keys in the order in which they shall stand. */
at_status at_peft_write(at_ctx *ctx, const char *folder, const at_tree *config,
                        const at_peft_tensors *t) AT_MUST_USE;

#endif
