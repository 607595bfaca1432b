/* mistakes_model_test.c: model folders with something wrong, as the program tells them. */
#include "tests/harness/mistake.h"
#include "tests/harness/scene.h"
#include "tests/harness/test.h"
#include <stdio.h>
#include <unistd.h>

#define WEIGHTS "model/model.safetensors"
#define TRAIN   "train model photos --output run"

/* ---- Files ---- */

static void no_model(const char *folder)
{
    char path[1400];
    snprintf(path, sizeof path, "%s/" WEIGHTS, folder);
    assert_int_equal(unlink(path), 0);
}

static void no_config(const char *folder)
{
    char path[1400];
    snprintf(path, sizeof path, "%s/model/config.json", folder);
    assert_int_equal(unlink(path), 0);
}

static void no_preprocessing(const char *folder)
{
    char path[1400];
    snprintf(path, sizeof path, "%s/model/preprocessor_config.json", folder);
    assert_int_equal(unlink(path), 0);
}

static void half_header(const char *folder)
{
    at_cut_file(folder, WEIGHTS, 1000);
}

static void half_data(const char *folder)
{
    at_cut_file(folder, WEIGHTS, 60000);
}

static void empty_weights(const char *folder)
{
    at_put_text(folder, WEIGHTS, "");
}

/* One tensor of 16 bytes; its entry in the header is given. */
static void put_header(const char *folder, const char *header, size_t data)
{
    char bytes[512] = {0}, path[1400];
    const uint64_t n = strlen(header);
    memcpy(bytes, &n, 8);
    memcpy(bytes + 8, header, n);
    snprintf(path, sizeof path, "%s/" WEIGHTS, folder);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, 8 + n + data, f), 8 + n + data);
    fclose(f);
}

static void offsets_outside(const char *folder)
{
    put_header(folder, "{\"w\":{\"dtype\":\"F32\",\"shape\":[8],\"data_offsets\":[0,32]}}", 16);
}

static void wrong_length(const char *folder)
{
    put_header(folder, "{\"w\":{\"dtype\":\"F32\",\"shape\":[5],\"data_offsets\":[0,16]}}", 16);
}

static void overlap(const char *folder)
{
    put_header(folder,
               "{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,12]},"
               "\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,16]}}",
               16);
}

/* ---- Tensors against config.json ---- */

static at_tensor *named(at_tensor *tensors, int64_t n, const char *name)
{
    for (int64_t i = 0; i < n; i++)
        if (strcmp(tensors[i].name, name) == 0) return &tensors[i];
    fail_msg("no tensor %s", name);
    return NULL;
}

static int64_t drop_one(at_tensor *tensors, int64_t n)
{
    at_tensor *t = named(tensors, n, "mobilenet_v2.layer.2.conv_3x3.convolution.weight");
    memmove(t, t + 1, (size_t)(tensors + n - (t + 1)) * sizeof *t);
    return n - 1;
}

static int64_t add_one(at_tensor *tensors, int64_t n)
{
    static const float data[3];
    tensors[n] = (at_tensor){
        .name = "mobilenet_v2.layer.99.weight", .dtype = AT_F32, .rank = 1, .dim = {3}, .data = data};
    return n + 1;
}

static int64_t as_whole(at_tensor *tensors, int64_t n)
{
    named(tensors, n, "mobilenet_v2.conv_1x1.normalization.bias")->dtype = AT_I32;
    return n;
}

static void missing(const char *folder)
{
    at_rewrite_tensors(folder, WEIGHTS, drop_one);
}

static void surplus(const char *folder)
{
    at_rewrite_tensors(folder, WEIGHTS, add_one);
}

static void not_floating(const char *folder)
{
    at_rewrite_tensors(folder, WEIGHTS, as_whole);
}

static void other_width(const char *folder)
{
    at_edit_text(folder, "model/config.json", "\"depth_multiplier\": 0.09", "\"depth_multiplier\": 0.5");
}

static void other_architecture(const char *folder)
{
    at_edit_text(folder, "model/config.json", "\"model_type\": \"mobilenet_v2\"",
                 "\"model_type\": \"mobilenet_v9\"");
}

static void out_of_range(const char *folder)
{
    at_edit_text(folder, "model/config.json", "\"num_channels\": 3", "\"num_channels\": -3");
}

static void wrong_type(const char *folder)
{
    at_edit_text(folder, "model/config.json", "\"num_channels\": 3", "\"num_channels\": \"three\"");
}

static void not_json(const char *folder)
{
    at_edit_text(folder, "model/config.json", "\"num_channels\": 3,", "\"num_channels\": 3");
}

static void labels_with_a_gap(const char *folder)
{
    at_edit_text(folder, "model/config.json", "\"4\": \"wasp\"", "\"5\": \"wasp\"");
}

static const at_mistake list[] = {
    {"no-model", no_model, TRAIN, 1,
     "model/model.safetensors: cannot open: No such file or directory; check the path"},
    {"no-config", no_config, TRAIN, 1,
     "model/config.json: cannot open: No such file or directory; check the path"},
    {"no-preprocessing", no_preprocessing, TRAIN, 1,
     "model/preprocessor_config.json is missing: it says how pictures are scaled for this network"},
    {"no-folder", NULL, "train nowhere photos --output run", 1,
     "nowhere: no such model folder; check the path"},
    {"empty-weights", empty_weights, TRAIN, 1,
     "model/model.safetensors: has 0 bytes, a safetensors file begins with 8 bytes that give its header's "
     "length"},
    {"half-header", half_header, TRAIN, 1,
     "model/model.safetensors: the header needs 36296 bytes, the file ends after 992 of them; it is "
     "truncated"},
    {"half-data", half_data, TRAIN, 1,
     "model/model.safetensors: tensor \"mobilenet_v2.layer.1.expand_1x1.convolution.weight\": ends at byte "
     "24180 of "
     "the data, the file has 23696; it is truncated"},
    {"offsets-outside", offsets_outside, TRAIN, 1,
     "model/model.safetensors: tensor \"w\": ends at byte 32 of the data, the file has 16; it is truncated"},
    {"wrong-length", wrong_length, TRAIN, 1,
     "model/model.safetensors: tensor \"w\": shape [5] of F32 needs 20 bytes, the header gives 16 "
     "(data_offsets "
     "[0,16])"},
    {"overlap", overlap, TRAIN, 1,
     "model/model.safetensors: tensor \"b\" begins at byte 8 of the data, inside tensor \"a\" that ends at "
     "12"},
    {"missing", missing, TRAIN, 1,
     "model/model.safetensors: tensor \"mobilenet_v2.layer.2.conv_3x3.convolution.weight\" is missing; the "
     "file does "
     "not "
     "fit config.json"},
    {"surplus", surplus, TRAIN, 1,
     "model/model.safetensors: tensor \"mobilenet_v2.layer.99.weight\" belongs to nothing in a mobilenet_v2 "
     "of this "
     "config.json"},
    {"not-floating", not_floating, TRAIN, 1,
     "model/model.safetensors: tensor \"mobilenet_v2.conv_1x1.normalization.bias\" is I32; weights must be "
     "floating-point "
     "numbers"},
    {"other-width", other_width, TRAIN, 1,
     "model/model.safetensors: tensor \"mobilenet_v2.conv_stem.first_conv.convolution.weight\" has shape "
     "[8,3,3,3], "
     "config.json implies [16,3,3,3]"},
    {"architecture", other_architecture, TRAIN, 1,
     "model/config.json: unknown architecture \"mobilenet_v9\"; known are: bert, distilbert, mobilenet_v2, "
     "modernbert, resnet, roberta, xlm_roberta, camembert"},
    {"range", out_of_range, TRAIN, 1, "model/config.json: num_channels is -3, must be 1 to 64"},
    {"type", wrong_type, TRAIN, 1, "model/config.json: num_channels is text, must be a whole number"},
    {"json", not_json, TRAIN, 1, "model/config.json:36:17: '}' expected near '\"output_stride\"'"},
    {"labels", labels_with_a_gap, TRAIN, 1,
     "model/config.json: id2label must give a text for every number from 0 to 4, found key \"5\""},
    {"inspect", missing, "inspect model", 1,
     "model/model.safetensors: tensor \"mobilenet_v2.layer.2.conv_3x3.convolution.weight\" is missing; the "
     "file does "
     "not "
     "fit config.json"},
    {"eval", missing, "eval model photos", 1,
     "model/model.safetensors: tensor \"mobilenet_v2.layer.2.conv_3x3.convolution.weight\" is missing; the "
     "file does "
     "not "
     "fit config.json"},
    {"predict", no_config, "predict model photos", 1,
     "model/config.json: cannot open: No such file or directory; check the path"},
};

AT_TEST(test_mistakes__in_a_model_folder)
{
    at_expect_mistakes("mistakes-model", list, AT_COUNT(list), false);
}
