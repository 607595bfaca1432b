/* lorarig.h: networks with LoRA, for its tests: the two tiny ones of the models' goldens, and two linear
 * layers, with the input that PEFT got (src/adapters/golden.py). */
#ifndef AT_LORARIG_H
#define AT_LORARIG_H

#include "adapters/lora.h"
#include "engine/plan.h"
#include "models/model.h"

#define AT_LORA_GOLDEN    AT_SOURCE_DIR "/src/adapters/golden/"
#define AT_LORA_MOBILENET AT_SOURCE_DIR "/src/models/mobilenet_v2/golden_timm"
#define AT_LORA_RESNET    AT_SOURCE_DIR "/src/models/resnet/golden_hf"

enum { AT_LORA_SAMPLES = 64, AT_LORA_CLASSES = 5, AT_LORA_LOGITS = AT_LORA_SAMPLES * AT_LORA_CLASSES };

typedef struct at_lora_rig {
    at_ctx *ctx;
    at_device *device;
    at_model *model; /* or */
    at_net own;      /* the two-layer network */
    at_net *net;
    at_graph *g;
    at_plan *plan;
    at_value *x, *labels, *sample_id, *output;
    at_safetensors *golden; /* of LoRA */
    int64_t n;
    at_real *input;
    int32_t label[AT_LORA_SAMPLES], id[AT_LORA_SAMPLES];
} at_lora_rig;

/* All of these fail the test when anything does, but for hanging, whose refusals are tested. */

void at_lora_open_model(at_lora_rig *t, at_ctx *ctx, const char *folder);
/* Linear, relu, linear, as nn.Sequential names them. */
void at_lora_open_two_layer(at_lora_rig *t, at_ctx *ctx);
void at_lora_close(at_lora_rig *t);

/* Hang LoRA with these options on all sites that it takes; or what a folder of PEFT says. */
at_status at_lora_hang(at_lora_rig *t, const at_lora_options *o, uint64_t seed) AT_MUST_USE;
at_status at_lora_hang_from(at_lora_rig *t, const char *folder) AT_MUST_USE;
at_lora_options at_lora_defaults(at_ctx *ctx, int64_t r);

/* The graph up to the output; then its logits [n, AT_LORA_CLASSES]. */
void at_lora_build_model(at_lora_rig *t, at_mode mode);
void at_lora_build_two_layer(at_lora_rig *t, at_mode mode);
void at_lora_forward(at_lora_rig *t, const char *kernels, at_real out[AT_LORA_LOGITS]);

/* Write the inputs of the next pass. */
void at_lora_feed(at_lora_rig *t);

/* "NETWORK.WHAT" of the golden; a tensor as numbers, malloc'ed. */
const at_tensor *at_lora_golden(const at_lora_rig *t, const char *network, const char *what);
at_real *at_lora_reals(at_ctx *ctx, const at_tensor *t);

/* An empty folder, another one in each of the two libraries. */
void at_lora_scratch(char out[1024], const char *name);

#endif
