/* vocab_json_fuzz.c: any bytes as vocab.json and, behind a NUL byte, merges.txt, without a config and with
 * one; what opens takes a text. */
#include "tests/fuzz/tokenizer_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char config[] = "{\"tokenizer_class\": \"RobertaTokenizer\", \"add_prefix_space\": true, "
                                 "\"cls_token\": \"<s>\", \"sep_token\": \"<s>\", \"trim_offsets\": false}";
    at_fuzz_file files[3] = {
        {.name = "vocab.json"}, {.name = "merges.txt"}, {"tokenizer_config.json", config, sizeof config - 1}};
    at_fuzz_cut(files, data, size);
    at_fuzz_tokenizer_of(files, 2);
    at_fuzz_tokenizer_of(files, 3);
    return 0;
}
