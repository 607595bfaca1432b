/* photos_list.c: photos without labels, from files and folders as a user names them. Layer: data. */
#include "base/text.h"
#include "data/photos.h"
#include "data/photos_internal.h"

enum { MAX_LISTED = 10000000 };

static at_status add(at_photo_set *s, int64_t *room, const char *path)
{
    AT_REQUIRE(s->arena.ctx, s->n < MAX_LISTED, AT_E_RANGE, "more than %d files", (int)MAX_LISTED);
    if (s->n == *room) {
        const int64_t wider = *room ? 2 * *room : 64;
        at_photo *grown = at_arena_alloc(&s->arena, (size_t)wider * sizeof *grown);
        if (!grown) return AT_E_NOMEM;
        if (s->n) memcpy(grown, s->photos, (size_t)s->n * sizeof *grown);
        s->photos = grown;
        *room = wider;
    }
    char *copy = at_arena_strdup(&s->arena, path);
    if (!copy) return AT_E_NOMEM;
    s->photos[s->n++] = (at_photo){.path = copy, .label = -1};
    return AT_OK;
}

/* The photos of a folder, then those of its sub-folders (one level: class folders). */
static at_status add_folder(at_photo_set *s, int64_t *room, const char *folder, bool below)
{
    const char **names;
    int64_t n;
    AT_TRY(at__list_photos(&s->arena, &names, &n, folder));
    for (int64_t i = 0; i < n; i++) AT_TRY(add(s, room, names[i]));
    if (!below) return AT_OK;
    AT_TRY(at__list_folders(&s->arena, &names, &n, folder));
    for (int64_t i = 0; i < n; i++) {
        const char *path = at_path_join(&s->arena, folder, names[i]);
        if (!path) return AT_E_NOMEM;
        AT_TRY(add_folder(s, room, path, false));
    }
    return AT_OK;
}

static at_status list(at_photo_set *s, const char *const *paths, int n_paths)
{
    int64_t room = 0;
    for (int i = 0; i < n_paths; i++) {
        AT_REQUIRE(s->arena.ctx, at_path_exists(paths[i]), AT_E_IO,
                   "%s: no such file or folder; check the path", paths[i]);
        if (at_path_is_folder(paths[i]))
            AT_TRY(add_folder(s, &room, paths[i], true));
        else
            AT_TRY(add(s, &room, paths[i]));
    }
    AT_REQUIRE(s->arena.ctx, s->n > 0, AT_E_ARG, "%s: no photo (.jpg, .jpeg, .png) there",
               n_paths ? paths[0] : "no file is given");
    return AT_OK;
}

at_status at_photos_list(at_ctx *ctx, at_photo_set *out, const char *const *paths, int n_paths)
{
    *out = (at_photo_set){0};
    at_photo_set s = {0};
    at_arena_init(&s.arena, ctx);
    const at_status status = list(&s, paths, n_paths);
    if (status == AT_OK)
        *out = s;
    else
        at_photos_deinit(&s);
    return status;
}
