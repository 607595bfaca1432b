/* photos.c: a folder of photos: which splits it offers, which classes, which photos. Layer: data.
 * What a photo is, is told by its file's name; files are opened only to be hashed (photos_split.c).
 * Everything is sorted bytewise, so that labels depend on neither the file system nor the locale. Messages
 * name the folder and what to do, because a wrong folder is the first mistake that everyone makes. */
#include "data/photos.h"
#include "base/text.h"
#include "data/photos_internal.h"
#include <stdlib.h>

enum { MOST_CLASSES = 100000 };

/* ---- Names ---- */

static bool is_hidden(const char *name)
{
    return name[0] == '.';
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Is `name`, in any case, in the list of lower-case names that NULL ends? */
static bool is_one_of(const char *name, const char *const *list)
{
    for (; *list; list++) {
        size_t i = 0;
        while (name[i] && lower(name[i]) == (*list)[i]) i++;
        if (!name[i] && !(*list)[i]) return true;
    }
    return false;
}

static bool is_photo(const char *name)
{
    static const char *const endings[] = {".jpg", ".jpeg", ".png", NULL};
    const char *dot = strrchr(name, '.');
    return dot && is_one_of(dot, endings) && !is_hidden(name);
}

static at_status check_folder(at_ctx *ctx, const char *folder)
{
    AT_REQUIRE(ctx, at_path_exists(folder), AT_E_IO, "%s: no such folder; check the path", folder);
    AT_REQUIRE(ctx, at_path_is_folder(folder), AT_E_IO,
               "%s: is a file; photos are read from a folder with one sub-folder a class", folder);
    return AT_OK;
}

static const char layout[] =
    "expected FOLDER/CLASS/photo.jpg (or .jpeg, .png), one sub-folder for each class";

/* Sub-folders of `folder` that are not hidden: their names in *names. */
at_status at__list_folders(at_arena *a, const char ***names, int64_t *n, const char *folder)
{
    int64_t found;
    AT_TRY(at_folder_list(a, names, &found, folder));
    *n = 0;
    for (int64_t i = 0; i < found; i++) {
        const char *name = (*names)[i];
        if (is_hidden(name)) continue;
        const char *path = at_path_join(a, folder, name);
        if (!path) return AT_E_NOMEM;
        if (at_path_is_folder(path)) (*names)[(*n)++] = name;
    }
    return AT_OK;
}

/* Names of the photos in a folder. A folder that is called like a photo is none. */
at_status at__list_photos(at_arena *a, const char ***names, int64_t *n, const char *folder)
{
    int64_t found;
    AT_TRY(at_folder_list(a, names, &found, folder));
    *n = 0;
    for (int64_t i = 0; i < found; i++) {
        const char *name = (*names)[i];
        if (!is_photo(name)) continue;
        const char *path = at_path_join(a, folder, name);
        if (!path) return AT_E_NOMEM;
        if (!at_path_is_folder(path)) (*names)[(*n)++] = path;
    }
    return AT_OK;
}

/* ---- Splits ---- */

/* Does one of the sub-folders hold photos? */
static at_status holds_classes(at_arena *a, bool *out, const char *folder, const char *const *names,
                               int64_t n)
{
    *out = false;
    for (int64_t i = 0; i < n && !*out; i++) {
        const char *path = at_path_join(a, folder, names[i]), **photos;
        int64_t n_photos;
        if (!path) return AT_E_NOMEM;
        AT_TRY(at__list_photos(a, &photos, &n_photos, path));
        *out = n_photos > 0;
    }
    return AT_OK;
}

static at_status note_split(at_arena *a, const char **slot, const char *folder, const char *name)
{
    AT_REQUIRE(a->ctx, !*slot, AT_E_ARG, "%s: %s and %s mean the same split; keep one of them", folder,
               *slot ? strrchr(*slot, '/') + 1 : "", name);
    *slot = at_path_join(a, folder, name);
    return *slot ? AT_OK : AT_E_NOMEM;
}

static at_status find_named(at_arena *a, at_photo_splits *out, const char *folder, const char *const *names,
                            int64_t n)
{
    static const char *const train[] = {"train", "training", NULL};
    static const char *const valid[] = {"val", "valid", "validation", NULL};
    static const char *const test[] = {"test", "testing", NULL};
    for (int64_t i = 0; i < n; i++) {
        if (is_one_of(names[i], train)) AT_TRY(note_split(a, &out->train, folder, names[i]));
        if (is_one_of(names[i], valid)) AT_TRY(note_split(a, &out->valid, folder, names[i]));
        if (is_one_of(names[i], test)) AT_TRY(note_split(a, &out->test, folder, names[i]));
    }
    return AT_OK;
}

at_status at_photos_find_splits(at_arena *arena, at_photo_splits *out, const char *folder)
{
    *out = (at_photo_splits){0};
    AT_TRY(check_folder(arena->ctx, folder));
    const char **names;
    int64_t n;
    bool classes;
    AT_TRY(at__list_folders(arena, &names, &n, folder));
    AT_TRY(holds_classes(arena, &classes, folder, names, n));
    at_photo_splits found = {0};
    if (!classes) AT_TRY(find_named(arena, &found, folder, names, n));
    if (classes && !(found.train = at_arena_strdup(arena, folder))) return AT_E_NOMEM;
    AT_REQUIRE(arena->ctx, found.train || found.valid || found.test, AT_E_FORMAT,
               "%s: neither class folders with photos nor train, valid or test folders; %s", folder, layout);
    *out = found;
    return AT_OK;
}

/* ---- Classes and photos ---- */

/* Classes by name: their order in the set may be another. */
typedef struct class_name {
    const char *name;
    int label;
} class_name;

typedef struct class_index {
    class_name *sorted;
    int n;
} class_index;

static int by_name(const void *a, const void *b)
{
    return strcmp(((const class_name *)a)->name, ((const class_name *)b)->name);
}

static at_status index_classes(at_photo_set *s, class_index *out)
{
    *out = (class_index){at_arena_alloc(&s->arena, (size_t)s->n_classes * sizeof *out->sorted), s->n_classes};
    if (!out->sorted) return AT_E_NOMEM;
    for (int i = 0; i < s->n_classes; i++) out->sorted[i] = (class_name){s->classes[i], i};
    qsort(out->sorted, (size_t)s->n_classes, sizeof *out->sorted, by_name);
    return AT_OK;
}

/* -1: no class of that name. */
static int label_of(const class_index *index, const char *name)
{
    const class_name key = {name, 0};
    const class_name *found = bsearch(&key, index->sorted, (size_t)index->n, sizeof key, by_name);
    return found ? found->label : -1;
}

/* The classes are the sub-folders. */
static at_status take_classes(at_photo_set *s, const char *const *names, int64_t n)
{
    at_ctx *ctx = s->arena.ctx;
    AT_REQUIRE(ctx, n > 1, AT_E_FORMAT, "%s: has one class only, %s; a classifier needs at least 2: %s",
               s->folder, names[0], layout);
    AT_REQUIRE(ctx, n <= MOST_CLASSES, AT_E_RANGE, "%s: has %lld class folders, at most %d are read",
               s->folder, (long long)n, (int)MOST_CLASSES);
    s->classes = at_arena_alloc(&s->arena, (size_t)n * sizeof *s->classes);
    if (!s->classes) return AT_E_NOMEM;
    for (int64_t i = 0; i < n; i++) s->classes[i] = names[i];
    s->n_classes = (int)n;
    return AT_OK;
}

static at_status copy_classes(at_photo_set *s, const char *const *classes, int n)
{
    s->classes = at_arena_alloc(&s->arena, (size_t)n * sizeof *s->classes);
    if (!s->classes) return AT_E_NOMEM;
    for (int i = 0; i < n; i++)
        if (!(s->classes[i] = at_arena_strdup(&s->arena, classes[i]))) return AT_E_NOMEM;
    s->n_classes = n;
    return AT_OK;
}

static at_status unknown_class(const at_photo_set *s, const char *name)
{
    enum { SHOWN = 20 };
    at_text list;
    at_text_init(&list, s->arena.ctx);
    for (int i = 0; i < s->n_classes && i < SHOWN; i++)
        at_text_printf(&list, "%s%s", i ? ", " : "", s->classes[i]);
    if (s->n_classes > SHOWN) at_text_add(&list, ", ...");
    at_status status = at_text_status(&list);
    if (status == AT_OK)
        status =
            at_fail(s->arena.ctx, AT_E_FORMAT,
                    "%s: class %s is not among the %d classes of training (%s); rename or remove the folder",
                    s->folder, name, s->n_classes, list.data);
    at_text_deinit(&list);
    return status;
}

/* Photos of one class, as they came from its folder. */
typedef struct found_class {
    const char **paths;
    int64_t n;
} found_class;

static at_status find_photos(at_photo_set *s, found_class *found, const class_index *index, bool all_needed,
                             const char *const *names, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const int label = label_of(index, names[i]);
        if (label < 0) return unknown_class(s, names[i]);
        const char *path = at_path_join(&s->arena, s->folder, names[i]);
        if (!path) return AT_E_NOMEM;
        found_class *c = &found[label];
        AT_TRY(at__list_photos(&s->arena, &c->paths, &c->n, path));
        AT_REQUIRE(s->arena.ctx, c->n > 0 || !all_needed, AT_E_FORMAT,
                   "%s: class %s has no photo (.jpg, .jpeg, .png); add some or remove the folder", s->folder,
                   names[i]);
        s->n += c->n;
    }
    return AT_OK;
}

static at_status fill_photos(at_photo_set *s, const found_class *found)
{
    AT_REQUIRE(s->arena.ctx, s->n > 0, AT_E_FORMAT, "%s: no photo in any class folder; %s", s->folder,
               layout);
    s->photos = at_arena_alloc(&s->arena, (size_t)s->n * sizeof *s->photos);
    if (!s->photos) return AT_E_NOMEM;
    at_photo *p = s->photos;
    for (int c = 0; c < s->n_classes; c++)
        for (int64_t i = 0; i < found[c].n; i++) *p++ = (at_photo){.path = found[c].paths[i], .label = c};
    return AT_OK;
}

static at_status read_set(at_photo_set *s, const char *folder, const char *const *classes, int n_classes)
{
    at_ctx *ctx = s->arena.ctx;
    AT_TRY(check_folder(ctx, folder));
    if (!(s->folder = at_arena_strdup(&s->arena, folder))) return AT_E_NOMEM;
    const char **names;
    int64_t n;
    AT_TRY(at__list_folders(&s->arena, &names, &n, folder));
    AT_REQUIRE(ctx, n > 0, AT_E_FORMAT, "%s: has no class folders; %s", folder, layout);
    AT_TRY(classes ? copy_classes(s, classes, n_classes) : take_classes(s, names, n));
    class_index index;
    AT_TRY(index_classes(s, &index));
    found_class *found = at_arena_alloc(&s->arena, (size_t)s->n_classes * sizeof *found);
    if (!found) return AT_E_NOMEM;
    AT_TRY(find_photos(s, found, &index, classes == NULL, names, n));
    return fill_photos(s, found);
}

at_status at_photos_read(at_ctx *ctx, at_photo_set *out, const char *folder, const char *const *classes,
                         int n_classes)
{
    *out = (at_photo_set){0};
    at_photo_set s = {0};
    at_arena_init(&s.arena, ctx);
    const at_status status = read_set(&s, folder, classes, n_classes);
    if (status == AT_OK)
        *out = s;
    else
        at_photos_deinit(&s);
    return status;
}

void at_photos_deinit(at_photo_set *s)
{
    at_arena_deinit(&s->arena);
    *s = (at_photo_set){0};
}
