/* resnet.h: what the network's config reader and its graph share. Layer: models, private to the folder. */
#ifndef AT_RESNET_H
#define AT_RESNET_H

#include "models/model.h"

enum { RESNET_MAX_STAGES = 8, RESNET_MAX_BLOCKS = 256, RESNET_MAX_UNITS = 3 };

typedef struct resnet_unit { /* convolution and its norm */
    at_site *conv, *norm;
} resnet_unit;

typedef struct resnet_block {
    resnet_unit units[RESNET_MAX_UNITS], shortcut; /* shortcut.conv NULL: the input itself */
} resnet_block;

typedef struct resnet {
    /* Config, whichever layout it came in */
    int64_t channels_in, stem;        /* stem: its channels */
    int64_t width[RESNET_MAX_STAGES]; /* channels that a stage's blocks put out */
    int64_t inner[RESNET_MAX_STAGES]; /* and those between their convolutions */
    int64_t depth[RESNET_MAX_STAGES]; /* blocks */
    int n_stages;
    bool bottleneck;    /* blocks of 1x1, 3x3, 1x1; else of 3x3, 3x3 */
    bool first_strides; /* stage 0 halves the picture, too */
    bool early_stride;  /* a bottleneck halves it in its first convolution, not the second */
    /* Sites */
    resnet_unit embedder;
    resnet_block blocks[RESNET_MAX_BLOCKS];
    int n_blocks;
} resnet;

bool at__resnet_recognise(const at_tree *config, at_layout *layout);
at_status at__resnet_read_config(at_model *m, resnet *k);

#endif
