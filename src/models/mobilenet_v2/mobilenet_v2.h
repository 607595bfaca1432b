/* mobilenet_v2.h: what the network's config reader and its graph share. Layer: models, private to the folder.
 */
#ifndef AT_MOBILENET_V2_H
#define AT_MOBILENET_V2_H

#include "models/model.h"

enum { MOBILENET_STAGES = 6, MOBILENET_MAX_BLOCKS = 64 };

typedef struct mobilenet_unit { /* convolution and its norm */
    at_site *conv, *norm;
} mobilenet_unit;

typedef struct mobilenet_block {
    mobilenet_unit expand, depthwise, project;
    int stage, index; /* index within the stage: timm's names */
    bool residual;
} mobilenet_block;

typedef struct mobilenet_v2 {
    /* Config, whichever layout it came in */
    double multiplier, depth, epsilon, momentum, expand_ratio;
    int64_t divisor, min_depth, output_stride, channels_in, features; /* features: of the last convolution */
    at_padding padding;
    bool fixed_ends;   /* timm's d variants: stem and last stage are not scaled */
    bool stem_expands; /* Transformers' first_layer_is_expansion = false: one more 1x1 in the stem */
    /* Sites */
    mobilenet_unit stem, stem_expand, stem_depthwise, stem_project, last;
    mobilenet_block blocks[MOBILENET_MAX_BLOCKS];
    int n_blocks;
} mobilenet_v2;

bool at__mobilenet_recognise(const at_tree *config, at_layout *layout);
at_status at__mobilenet_read_config(at_model *m, mobilenet_v2 *k);

/* Channels scaled by the multiplier: a multiple of the divisor that loses at most a tenth. */
int64_t at__mobilenet_channels(const at_model *m, const mobilenet_v2 *k, double channels, double multiplier);

#endif
