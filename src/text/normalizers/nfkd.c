/* NFKD: Unicode's normal form NFKD (UAX 15). */
#include "text/normalizers/forms.h"

static void apply(const void *params, at_pieces *w)
{
    (void)params;
    at_apply_form(w, &(at_form){.compose = false, .compatible = true});
}

const at_normalizer at_normalizer_nfkd = {
    .name = "NFKD",
    .doc = "Unicode's normal form: decomposed, compatibly",
    .apply = apply,
};
