/* vocab_txt_fuzz.c: any bytes as vocab.txt, without a config and with one; what opens takes a text. */
#include "tests/fuzz/tokenizer_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    at_fuzz_tokenizer("vocab.txt", data, size, NULL);
    at_fuzz_tokenizer("vocab.txt", data, size,
                      "{\"do_lower_case\": false, \"cls_token\": {\"content\": \"<s>\", \"lstrip\": true}, "
                      "\"sep_token\": \"<s>\", \"unk_token\": \"<unk>\"}");
    return 0;
}
