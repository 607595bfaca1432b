/* lora.h: the options of LoRA. Layer: adapters. */
#ifndef AT_LORA_H
#define AT_LORA_H

#include "adapters/adapter.h"

typedef struct at_lora_options {
    const struct at_tree *sites;
    int64_t r;
    double alpha, dropout;
    bool use_rslora;
    const char *from; /* a folder that PEFT or a run has written; NULL = A is drawn */
} at_lora_options;

extern const at_options at_options_lora;
extern const at_adapter at_adapter_lora;

#endif
