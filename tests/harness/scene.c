/* scene.c: photos and networks made for tests. */
#include "tests/harness/scene.h"
#include "base/rng.h"
#include "formats/image.h"
#include "tests/harness/test.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { WIDTH = 45, HEIGHT = 37, TEXT_LIMIT = 1 << 20 };

/* ---- Photos ---- */

static void make_photo(at_ctx *ctx, const char *path, const char *class, int number)
{
    unsigned char rgb[WIDTH * HEIGHT * 3], *jpeg;
    size_t n;
    const at_rng_key key = at_rng_make(1, at_hash_name(class), 0);
    const uint32_t tint = at_rng_u32(key, 0, 1, 0);
    for (int i = 0; i < WIDTH * HEIGHT * 3; i++)
        rgb[i] = (unsigned char)(at_rng_u32(key, (uint64_t)number, 0, (uint64_t)i) % 120 +
                                 (tint >> (8 * (i % 3)) & 127));
    const at_image image = {WIDTH, HEIGHT, rgb};
    at_expect_ok(ctx, at_image_encode_jpeg(ctx, &jpeg, &n, &image, 90));
    at_expect_ok(ctx, at_file_write(ctx, path, jpeg, n));
    at_free(ctx, jpeg);
}

void at_make_photos(const char *folder, const char *classes, int n, int first)
{
    at_ctx *ctx = at_test_ctx();
    char list[256], path[1400], *rest = NULL;
    snprintf(list, sizeof list, "%s", classes);
    for (const char *c = strtok_r(list, " ", &rest); c; c = strtok_r(NULL, " ", &rest)) {
        snprintf(path, sizeof path, "%s/%s", folder, c);
        at_expect_ok(ctx, at_folder_make(ctx, path));
        for (int i = first; i < first + n; i++) {
            snprintf(path, sizeof path, "%s/%s/%02d.jpg", folder, c, i);
            make_photo(ctx, path, c, i);
        }
    }
    at_test_done(ctx);
}

/* ---- Networks ---- */

void at_copy_model(const char *folder, const char *layout)
{
    char command[4096];
    snprintf(
        command, sizeof command,
        "mkdir -p '%s' && cd '%s/src/models/mobilenet_v2/golden_%s' && cp config.json model.safetensors '%s'",
        folder, AT_SOURCE_DIR, layout, folder);
    if (system(command) != 0) fail_msg("cannot copy the model");
    snprintf(command, sizeof command,
             "cp '%s/src/models/mobilenet_v2/golden_hf/preprocessor_config.json' '%s'", AT_SOURCE_DIR,
             folder);
    if (strcmp(layout, "hf") == 0 && system(command) != 0) fail_msg("cannot copy the preprocessing");
}

void at_copy_bert(const char *folder, const char *name)
{
    char commands[2048];
    snprintf(commands, sizeof commands, "mkdir '%s' && cp '%s/src/models/bert/golden_hf/'* '%s'", name,
             AT_SOURCE_DIR, name);
    at_in_folder(folder, commands);
}

void at_make_films(const char *folder)
{
    char rows[8192] = "label\ttext\n";
    size_t n = strlen(rows);
    for (int i = 0; i < 60; i++)
        n += (size_t)snprintf(rows + n, sizeof rows - n, "%s\t%c %s film%s %c.\n", i % 2 ? "up" : "down",
                              'a' + i % 26, i % 2 ? "good" : "bad", i % 3 ? "s are" : "", 'a' + i % 11);
    at_put_text(folder, "films.tsv", rows);
}

const char *at_make_scene(char folder[1024], const char *name, int n)
{
    char path[1200];
    at_test_folder(folder, name);
    snprintf(path, sizeof path, "%s/model", folder);
    at_copy_model(path, "hf");
    snprintf(path, sizeof path, "%s/photos", folder);
    at_make_photos(path, "cat dog emu", n, 0);
    return folder;
}

/* ---- Files ---- */

void at_in_folder(const char *folder, const char *commands)
{
    char line[4096];
    snprintf(line, sizeof line, "cd '%s' && %s", folder, commands);
    if (system(line) != 0) fail_msg("%s failed", line);
}

void at_put_text(const char *folder, const char *name, const char *text)
{
    at_ctx *ctx = at_test_ctx();
    char path[1400];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    at_expect_ok(ctx, at_file_write(ctx, path, text, strlen(text)));
    at_test_done(ctx);
}

void at_edit_text(const char *folder, const char *name, const char *from, const char *to)
{
    at_ctx *ctx = at_test_ctx();
    char path[1400], *text;
    size_t size;
    at_text edited;
    at_text_init(&edited, ctx);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    at_expect_ok(ctx, at_file_read(ctx, &text, &size, path, TEXT_LIMIT));
    const char *at = strstr(text, from);
    if (!at) fail_msg("%s has no %s", path, from);
    at_text_bytes(&edited, text, (size_t)(at - text));
    at_text_add(&edited, to);
    at_text_add(&edited, at + strlen(from));
    at_expect_ok(ctx, at_file_write(ctx, path, edited.data, edited.size));
    at_text_deinit(&edited);
    at_free(ctx, text);
    at_test_done(ctx);
}

void at_cut_file(const char *folder, const char *name, int64_t n)
{
    at_ctx *ctx = at_test_ctx();
    char path[1400], *text;
    size_t size;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    at_expect_ok(ctx, at_file_read(ctx, &text, &size, path, TEXT_LIMIT));
    assert_true(n < (int64_t)size);
    at_expect_ok(ctx, at_file_write(ctx, path, text, (size_t)n));
    at_free(ctx, text);
    at_test_done(ctx);
}

void at_rewrite_tensors(const char *folder, const char *name, at_change_tensors change)
{
    at_ctx *ctx = at_test_ctx();
    char path[1400];
    at_safetensors *f;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    at_expect_ok(ctx, at_safetensors_open(&f, ctx, path));
    at_tensor *tensors = at_alloc_array(ctx, f->n + 1, sizeof *tensors);
    assert_non_null(tensors);
    memcpy(tensors, f->tensors, (size_t)f->n * sizeof *tensors);
    const int64_t n = change(tensors, f->n);
    at_expect_ok(ctx, at_safetensors_write(ctx, path, tensors, n, f->metadata));
    at_free(ctx, tensors);
    at_safetensors_close(ctx, f);
    at_test_done(ctx);
}

double at_tensor_distance(const char *path_a, const char *path_b, const char *name)
{
    at_ctx *ctx = at_test_ctx();
    at_safetensors *f[2];
    const at_tensor *t[2];
    double worst = 0.0;
    for (int i = 0; i < 2; i++) {
        at_expect_ok(ctx, at_safetensors_open(&f[i], ctx, i ? path_b : path_a));
        t[i] = at_safetensors_find(f[i], name);
        if (!t[i] || t[i]->dtype != AT_F32) fail_msg("%s has no 32-bit %s", i ? path_b : path_a, name);
    }
    assert_int_equal(t[0]->count, t[1]->count);
    for (int64_t i = 0; i < t[0]->count; i++) {
        const double d =
            fabs((double)((const float *)t[0]->data)[i] - (double)((const float *)t[1]->data)[i]);
        if (!(d <= worst)) worst = d;
    }
    for (int i = 0; i < 2; i++) at_safetensors_close(ctx, f[i]);
    at_test_done(ctx);
    return worst;
}
