/* toyfolder.h: a folder with a toy network and data for it. */
#ifndef AT_TOYFOLDER_H
#define AT_TOYFOLDER_H

#include "base/base.h"

enum { AT_TOY_COLUMNS = 3, AT_TOY_HIDDEN = 8, AT_TOY_VOCABULARY = 5, AT_TOY_CODES = 2 };

/* Add the toys' architecture, task, storages, adapter, optimiser and schedule, where linked, to the context.
 */
void at_toys_add(at_ctx *ctx);

/* config.json and model.safetensors, random. plain: the table as floats, else as bytes (storage toy-u8). */
void at_toyfolder_model(at_ctx *ctx, const char *folder, bool plain);

#endif
