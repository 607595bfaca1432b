/* StripAccents: combining marks go. Letters with an accent of their own keep it: NFD takes them apart. */
#include "text/normalizers/forms.h"

static void apply(const void *params, at_pieces *w)
{
    (void)params;
    at_filter(w, at_is_mark);
}

const at_normalizer at_normalizer_strip_accents = {
    .name = "StripAccents",
    .doc = "combining marks go",
    .apply = apply,
};
