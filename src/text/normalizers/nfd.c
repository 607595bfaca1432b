/* NFD: Unicode's normal form NFD (UAX 15). */
#include "text/normalizers/forms.h"

static void apply(const void *params, at_pieces *w)
{
    (void)params;
    at_apply_form(w, &(at_form){.compose = false, .compatible = false});
}

const at_normalizer at_normalizer_nfd = {
    .name = "NFD",
    .doc = "Unicode's normal form: decomposed",
    .apply = apply,
};
