/* NFC: Unicode's normal form NFC (UAX 15). */
#include "text/normalizers/forms.h"

static void apply(const void *params, at_pieces *w)
{
    (void)params;
    at_apply_form(w, &(at_form){.compose = true, .compatible = false});
}

const at_normalizer at_normalizer_nfc = {
    .name = "NFC",
    .doc = "Unicode's normal form: composed",
    .apply = apply,
};
