/* grid.h: products whose rows are the pixels of a batch of pictures, in order. Layer: ops. */
#ifndef AT_CONV2D_GRID_H
#define AT_CONV2D_GRID_H

#include "base/base.h"

typedef struct grid {
    int64_t height, width;
} grid;

typedef struct place { /* of a row: sample and pixel */
    int64_t s, y, x;
} place;

static inline place place_of(const grid *g, int64_t row)
{
    return (place){row / (g->width * g->height), row / g->width % g->height, row % g->width};
}

/* To the next row. */
static inline void step(const grid *g, place *at)
{
    if (++at->x < g->width) return;
    at->x = 0;
    if (++at->y < g->height) return;
    at->y = 0;
    at->s++;
}

#endif
