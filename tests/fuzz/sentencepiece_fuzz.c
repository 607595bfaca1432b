/* sentencepiece_fuzz.c: any bytes as a model of SentencePiece, alone and with special tokens around; what
 * opens takes a text. */
#include "tests/fuzz/tokenizer_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    at_fuzz_tokenizer("tokenizer.model", data, size, NULL);
    at_fuzz_tokenizer("tokenizer.model", data, size, "{\"add_bos_token\": true, \"add_eos_token\": true}");
    return 0;
}
