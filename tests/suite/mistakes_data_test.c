/* mistakes_data_test.c: photos with something wrong, as the program tells them. */
#include "formats/image.h"
#include "tests/harness/mistake.h"
#include "tests/harness/program.h"
#include "tests/harness/scene.h"
#include "tests/harness/test.h"
#include <stdio.h>
#include <stdlib.h>

#define TRAIN "train model photos --output run"

/* ---- Folders ---- */

static void one_class(const char *folder)
{
    at_in_folder(folder, "rm -r photos/dog photos/emu");
}

static void one_photo(const char *folder)
{
    at_in_folder(folder, "rm photos/dog/01.jpg photos/dog/02.jpg photos/dog/03.jpg");
}

static void no_photo(const char *folder)
{
    at_in_folder(folder, "rm photos/dog/*");
}

static void no_class(const char *folder)
{
    at_in_folder(folder, "mv photos/dog/* photos && rm -r photos/cat photos/dog photos/emu");
}

static void test_of_others(const char *folder)
{
    at_in_folder(
        folder,
        "mkdir all && mv photos all/train && mkdir -p all/Test/fox && cp all/train/dog/00.jpg all/Test/fox");
}

static void twice_valid(const char *folder)
{
    at_in_folder(folder,
                 "mkdir all && cp -r photos all/train && cp -r photos all/val && cp -r photos all/Valid");
}

/* ---- Files ---- */

static void empty_photo(const char *folder)
{
    at_put_text(folder, "photos/dog/01.jpg", "");
}

static void text_photo(const char *folder)
{
    at_put_text(folder, "photos/dog/01.jpg", "no picture at all, but longer than a header");
}

/* Whole header, half of the picture. */
static void half_photo(const char *folder)
{
    at_cut_file(folder, "photos/dog/01.jpg", 1200);
}

static void all_dogs_half(const char *folder)
{
    for (int i = 0; i < 4; i++) {
        char name[64];
        snprintf(name, sizeof name, "photos/dog/%02d.jpg", i);
        at_cut_file(folder, name, 1200);
    }
}

/* A PNG header that claims 60000 x 60000 pixels. */
static void bomb(const char *folder)
{
    char command[512];
    snprintf(command, sizeof command, "cp '%s/tests/data/invalid/image/png-bomb/input' photos/dog/01.png",
             AT_SOURCE_DIR);
    at_in_folder(folder, command);
}

static void unreadable(const char *folder)
{
    at_in_folder(folder, "ln -s nowhere photos/dog/09.jpg");
}

static const at_mistake list[] = {
    {"no-folder", NULL, "train model nowhere --output run", 1,
     "nowhere: no such folder or file of data; check the path"},
    {"a-file", NULL, "train model model/config.json --output run", 2,
     "model/config.json: cannot tell what kind of data this is; expected a folder with one sub-folder of "
     "photos a "
     "class (or train/ and test/ of that kind), or give --task"},
    {"one-class", one_class, TRAIN, 1,
     "photos: has one class only, cat; a classifier needs at least 2: expected FOLDER/CLASS/photo.jpg (or "
     ".jpeg, "
     ".png), one sub-folder for each class"},
    {"one-photo", one_photo, TRAIN, 1,
     "photos: class dog has one photo, which cannot be split; add photos, or give a folder of its own for "
     "validation"},
    {"no-photo", no_photo, TRAIN, 1,
     "photos: class dog has no photo (.jpg, .jpeg, .png); add some or remove the folder"},
    {"no-class", no_class, TRAIN, 1,
     "photos: neither class folders with photos nor train, valid or test folders; expected "
     "FOLDER/CLASS/photo.jpg (or "
     ".jpeg, .png), one sub-folder for each class"},
    {"twice-valid", twice_valid, "train model all --output run", 2,
     "all: Valid and val mean the same split; keep one of them"},
    {"test-of-others", test_of_others, "train model all --output run", 1,
     "all/Test: class fox is not among the 3 classes of training (cat, dog, emu); rename or remove the "
     "folder"},
    {"eval-of-others", test_of_others, "eval model all", 1,
     "all/Test: class fox is not among the 5 classes of training (ant, bee, fly, moth, wasp); rename or "
     "remove the "
     "folder"},
    {"empty-photo", empty_photo, TRAIN, 1, "photos/dog/01.jpg: the file is empty; replace or remove it"},
    {"text-photo", text_photo, TRAIN, 1,
     "photos/dog/01.jpg: neither JPEG nor PNG (begins with 6e 6f 20 70); convert or remove the file"},
    {"bomb", bomb, TRAIN, 1,
     "photos/dog/01.png: claims 50000 x 50000 pixels; at most 67108864 in all and 65535 a side are read; "
     "scale the "
     "picture down"},
    {"unreadable", unreadable, TRAIN, 1,
     "photos/dog/09.jpg: cannot open: No such file or directory; check the path"},
    {"all-dogs-half", all_dogs_half, TRAIN " --data.corrupt skip", 1,
     "photos: class dog has no photo that can be decoded; add some or remove the folder"},
    {"half-cached", half_photo, TRAIN " --method head", 1,
     "photos/dog/01.jpg: corrupt JPEG: Premature end of JPEG file; replace or remove the file"},
    {"predict-half", half_photo, "predict model photos/dog", 1,
     "photos/dog/01.jpg: corrupt JPEG: Premature end of JPEG file; replace or remove the file"},
    {"predict-bomb", bomb, "predict model photos/dog", 1,
     "photos/dog/01.png: claims 50000 x 50000 pixels; at most 67108864 in all and 65535 a side are read; "
     "scale the "
     "picture down"},
    {"predict-nothing", NULL, "predict model nowhere.jpg", 1,
     "nowhere.jpg: no such file or folder; check the path"},
    {"predict-none", NULL, "predict model model", 2, "model: no photo (.jpg, .jpeg, .png) there"},
};

AT_TEST(test_mistakes__in_data)
{
    at_expect_mistakes("mistakes-data", list, AT_COUNT(list), false);
}

/* A whole header, and what follows cut off: found when it is decoded. */
static const at_mistake late[] = {
    {"half-photo", half_photo, TRAIN " --json --quiet", 1,
     "photos/dog/01.jpg: corrupt JPEG: Premature end of JPEG file; replace or remove the file"},
};

AT_TEST(test_mistakes__in_data_that_decoding_finds)
{
    at_expect_mistakes("mistakes-late", late, AT_COUNT(late), true);
}
