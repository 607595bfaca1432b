/* tokenizer_json_fuzz.c: any bytes as tokenizer.json; what opens takes a text. */
#include "tests/fuzz/tokenizer_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    at_fuzz_tokenizer("tokenizer.json", data, size, NULL);
    return 0;
}
