/* scene.h: what a command line needs: small photos, a small network, and both with something wrong. */
#ifndef AT_SCENE_H
#define AT_SCENE_H

#include "formats/safetensors.h"

/* n photos FOLDER/CLASS/NN.jpg of 45 x 37 pixels for each class ("cat dog"), numbered from `first`: noise
 * with a tint of its own a class. The same arguments give the same bytes. */
void at_make_photos(const char *folder, const char *classes, int n, int first);

/* A copy of a tiny MobileNetV2 with labels ant, bee, fly, moth, wasp; layout: "hf" or "timm". */
void at_copy_model(const char *folder, const char *layout);

/* The same of a tiny BERT with its vocabulary, in FOLDER/NAME. */
void at_copy_bert(const char *folder, const char *name);

/* FOLDER/films.tsv: 60 films, up or down, whose second word decides. */
void at_make_films(const char *folder);

/* FOLDER (made anew below the build folder) with model/ (hf) and photos/{cat,dog,emu}, n of each. */
const char *at_make_scene(char folder[1024], const char *name, int n);

/* What a shell does there; the test fails unless it succeeds. */
void at_in_folder(const char *folder, const char *commands);

/* Replace FOLDER/NAME by this text. */
void at_put_text(const char *folder, const char *name, const char *text);

/* Replace `from`, which must be there, by `to` in a text file. */
void at_edit_text(const char *folder, const char *name, const char *from, const char *to);

/* Keep the first n bytes of a file. */
void at_cut_file(const char *folder, const char *name, int64_t n);

/* Rewrite a model file after `change` has altered the list of tensors; returns how many there are now. The
 * list has room for one more. */
typedef int64_t (*at_change_tensors)(at_tensor *tensors, int64_t n);
void at_rewrite_tensors(const char *folder, const char *name, at_change_tensors change);

/* Largest |a - b| over a tensor that two model files have, as 32-bit floats; fails the test where one has it
 * not. */
double at_tensor_distance(const char *path_a, const char *path_b, const char *name);

#endif
