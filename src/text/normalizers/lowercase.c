/* Lowercase: every character to lower case by Unicode's simple mapping, without regard to its neighbours. */
#include "text/normalizers/forms.h"

static void apply(const void *params, at_pieces *w)
{
    (void)params;
    at_apply_lowercase(w);
}

const at_normalizer at_normalizer_lowercase = {
    .name = "Lowercase",
    .doc = "lower case",
    .apply = apply,
};
