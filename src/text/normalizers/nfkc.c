/* NFKC: Unicode's normal form NFKC (UAX 15). */
#include "text/normalizers/forms.h"

static void apply(const void *params, at_pieces *w)
{
    (void)params;
    at_apply_form(w, &(at_form){.compose = true, .compatible = true});
}

const at_normalizer at_normalizer_nfkc = {
    .name = "NFKC",
    .doc = "Unicode's normal form: composed, compatibly",
    .apply = apply,
};
