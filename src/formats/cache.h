/* cache.h: files of what could be computed again, named by a digest of everything that it is made from. None
 * of them is needed: one that is missing or damaged is made anew, and one that cannot be written is done
 * without. A digest of what is in it stands in the file, so that a single bit that has changed is noticed.
 * Writing is atomic, so runs may share a folder. Layer: formats. */
#ifndef AT_CACHE_H
#define AT_CACHE_H

#include "formats/digest.h"
#include "formats/safetensors.h"

/* FOLDER/KIND-KEY.safetensors; NULL = no memory. Ends the digest. */
const char *at_cache_path(at_arena *a, const char *folder, const char *kind, at_digest *key);

/* NULL: there is none that can be read, or it is not what was written; no error is left. */
at_safetensors *at_cache_open(at_ctx *ctx, const char *path);

/* Write it with its digest, and its folder where there is none. OK also when that fails: lost, else "", then
 * says why.
 * @return NOMEM. */
enum { AT_CACHE_LOST = 512 };
at_status at_cache_keep(at_ctx *ctx, char lost[AT_CACHE_LOST], const char *path, const at_tensor *tensors,
                        int64_t n) AT_MUST_USE;

#endif
