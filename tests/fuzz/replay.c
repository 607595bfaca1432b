/* replay.c: runs a fuzz target over files and over the files in folders: NAME_replay FILE_OR_FOLDER... */
#include "formats/file.h"
#include "tests/fuzz/fuzz.h"
#include <stdio.h>

static int n_run;

static bool run_file(at_ctx *ctx, const char *path)
{
    at_file f;
    if (at_file_map(ctx, &f, path) != AT_OK) {
        fprintf(stderr, "%s\n", at_last_error(ctx));
        return false;
    }
    LLVMFuzzerTestOneInput(f.size ? f.data : (const uint8_t *)"", f.size);
    at_file_unmap(ctx, &f);
    n_run++;
    return true;
}

static bool run(at_arena *a, const char *path)
{
    const char **names;
    int64_t n;
    if (!at_path_is_folder(path)) return run_file(a->ctx, path);
    if (at_folder_list(a, &names, &n, path) != AT_OK) return false;
    for (int64_t i = 0; i < n; i++) {
        const char *below = at_arena_printf(a, "%s/%s", path, names[i]);
        if (!below || !run(a, below)) return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    at_ctx *ctx = at_fuzz_begin();
    at_arena a;
    at_arena_init(&a, ctx);
    bool ok = true;
    for (int i = 1; i < argc && ok; i++) ok = run(&a, argv[i]);
    at_arena_deinit(&a);
    at_ctx_destroy(ctx);
    printf("%d inputs\n", n_run);
    return ok && n_run ? 0 : 1;
}
