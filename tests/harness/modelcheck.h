/* modelcheck.h: an architecture against the golden folder of a tiny random network (tools/golden_model.py).
 */
#ifndef AT_MODELCHECK_H
#define AT_MODELCHECK_H

#include "engine/device.h"
#include "ops/optim/optim.h"
#include "tests/harness/test.h"

/* A network on a batch of a golden file in evaluation. */
typedef struct at_model_case {
    const char *folder;           /* the model */
    const char *golden;           /* a safetensors file; NULL = golden.safetensors in the folder */
    const char *inputs;           /* the file that has the inputs; NULL = the golden */
    const char *tensor;           /* what the output must be */
    const char *device, *kernels; /* NULL = cpu, auto */
    bool headless;                /* the output is what a head takes */
    bool plain;                   /* no fusions */
    double tol;                   /* 0 = AT_TOL_GOLDEN */
} at_model_case;

void at_check_output(at_ctx *ctx, const at_model_case *c);

/* A copy of a golden folder with another of its configs, config.VARIANT.json. */
const char *at_variant_folder(char out[1024], const char *golden, const char *variant);

/* The output under config.VARIANT.json is the golden's "eval.VARIANT.logits". */
void at_check_variant(at_ctx *ctx, const char *folder, const char *variant);

/* A config.json alone is refused, before any weights are looked for. */
void at_check_refused_config(at_ctx *ctx, const char *json, at_status status, const char *part);

/* Training of a golden folder: everything learns, batch statistics. */
typedef struct at_trace {
    const char *name; /* in the golden */
    const at_optimizer *optimizer;
    const void *options;
    double rate, clip, decay; /* clip: 0 = none */
    const char *kernels;      /* NULL = auto */
} at_trace;

extern const at_trace at_trace_adamw, at_trace_sgd;

/* Logits, loss and every gradient of the first step; losses and norms of 20 steps, and the parameters and
 * statistics afterwards. */
void at_check_trace(at_ctx *ctx, const char *folder, const char *device, const at_trace *trace, bool plain);

/* Of a text network's golden folder: sequences laid end to end give each the bits that it has alone, and the
 * gradient that they have one after another. */
void at_check_packing(at_ctx *ctx, const char *folder);

/* Saving gives the tensors that were opened; with a new head, all but the head's, and a folder that opens. */
void at_check_saving(at_ctx *ctx, const char *folder);

/* A folder with a head for every token, and one with a head for whole samples, open for the other kind, too:
 * without their head, and with a new one what is saved opens as that kind. */
void at_check_head_kinds(at_ctx *ctx, const char *of_tokens, const char *of_samples);

/* Without its head and the tensors that begin with `part` the folder opens, a new head makes them anew
 * (matrices of N(0, std)), they are the head's, and what is saved has the tensors of the golden again. */
void at_check_fresh_head(at_ctx *ctx, const char *folder, const char *part, double std);

#endif
