/* contents.h: samples told apart by what they hold: stratified shares that keep equal ones together, and
 * equal ones in two sets. Photos and texts are split by this. Layer: data. */
#ifndef AT_CONTENTS_H
#define AT_CONTENTS_H

#include "base/alloc.h"
#include "formats/digest.h"

typedef struct at_content {
    int label;             /* below n_labels */
    const uint8_t *digest; /* [AT_DIGEST_BYTES] of what the sample holds; borrowed */
} at_content;

/* An item in the order of digests: with what sorting, and walking in that order, need of it. */
typedef struct at_content_ref {
    uint64_t prefix; /* the first bytes of the digest */
    int32_t item, label;
} at_content_ref;

typedef struct at_contents {
    at_content *items; /* [n], n <= INT32_MAX */
    int64_t n;
    at_content_ref *by_digest; /* [n]; at_contents_sort */
    int n_labels;
    /* For messages: "SOURCE: class NAME has one photo ...". */
    const char *source, *noun, *holder; /* "photo", "folder" */
    const char *const *classes; /* [n_labels]; NULL: a label that cannot be split is left out of the share */
} at_contents;

/* Set by_digest, in the arena. */
at_status at_contents_sort(at_arena *arena, at_contents *c) AT_MUST_USE;

/* Choose a stratified share (0 < share < 1) of each label by content and seed: at least one sample of each
 * and at most all but one; equal contents, of whatever labels, stay on one side, and neither names nor the
 * order of the samples matter. taken: samples of another share, not to be chosen (NULL = none); the share is
 * still of all.
 * @return RANGE (share); FORMAT (a class that cannot be split, by name); NOMEM. in_share [n] is untouched on
 * failure. */
at_status at_contents_split(at_ctx *ctx, bool *in_share, const at_contents *c, double share, uint64_t seed,
                            const bool *taken) AT_MUST_USE;

/* Pairs of equal contents: report (may be NULL) is called for each; returns how many. */
int64_t at_contents_duplicates(const at_contents *a, const at_contents *b,
                               void (*report)(void *data, int64_t i, int64_t j), void *data);

/* How many samples from by_digest[i] on hold the same. */
int64_t at_contents_run(const at_contents *c, int64_t i);

#endif
