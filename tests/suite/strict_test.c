/* strict_test.c: under --kernels strict every task trains, scores, predicts and embeds, in float and in bf16:
 * none of its ops has to do with the plain reference. */
#include "tests/harness/program.h"
#include "tests/harness/scene.h"
#include "tests/harness/test.h"
#include <stdio.h>

/* bert/, which normalises what it pools, and a table for each task on texts. */
static void make_texts(const char *folder)
{
    at_copy_bert(folder, "bert");
    at_in_folder(folder, "mkdir bert/1_Pooling");
    at_put_text(folder, "bert/1_Pooling/config.json",
                "{\"word_embedding_dimension\": 18, \"pooling_mode_mean_tokens\": true}");
    at_put_text(folder, "bert/modules.json",
                "[{\"idx\": 0, \"name\": \"0\", \"path\": \"\", \"type\": "
                "\"sentence_transformers.models.Transformer\"},\n"
                " {\"idx\": 1, \"name\": \"1\", \"path\": \"1_Pooling\", \"type\": "
                "\"sentence_transformers.models.Pooling\"},\n"
                " {\"idx\": 2, \"name\": \"2\", \"path\": \"2_Normalize\", \"type\": "
                "\"sentence_transformers.models.Normalize\"}]\n");
    at_put_text(folder, "classes.tsv", "label\ttext\nup\tgood film\ndown\tbad film\nup\ta good film\n");
    at_put_text(folder, "sets.tsv", "label\ttext\ngood|film\tgood film\nbad\tbad\nfilm\ta film\n");
    at_put_text(folder, "numbers.tsv", "label\ttext\n1980.5\tgood film\n1987.25\tbad film\n2003\ta film\n");
    at_put_text(folder, "tagged.conll", "a O\ngood B-LIKED\nfilm I-LIKED\n\nbad B-BAD\nfilm O\n\na O\n");
    at_put_text(folder, "scored.tsv",
                "sentence1\tsentence2\tscore\ngood film\ta film\t0.9\nbad\tgood\t0.1\na\tb\t0.4\n");
    at_put_text(folder, "pairs.tsv", "anchor\tpositive\ngood film\ta film\nbad\tbad film\na\tb\n");
    at_put_text(folder, "triples.tsv",
                "anchor\tpositive\tnegative\ngood film\ta film\tbad\nbad\tbad film\tgood\na\tb\tc d\n");
}

typedef struct task {
    const char *data, *options;
} task;

static const task tasks[] = {
    {"classes.tsv", ""},
    {"sets.tsv", "--data.label_separator '|'"},
    {"sets.tsv", "--data.label_separator '|' --multi-label-text-classification.class_weights balanced"},
    {"numbers.tsv", "--task text-regression"},
    {"tagged.conll", "--task token-classification"},
    {"scored.tsv", "--task sentence-similarity"},
    {"pairs.tsv", "--task sentence-similarity"},
    {"triples.tsv", "--task sentence-similarity"},
};

#define STEP "--kernels strict --train.steps 2 --train.batch_size 3 "

static void expect_tasks(const char *precision)
{
    char folder[1024], name[64];
    snprintf(name, sizeof name, "strict-texts-%s", precision);
    at_test_folder(folder, name);
    make_texts(folder);
    for (int i = 0; i < AT_COUNT(tasks); i++) {
        const task *t = &tasks[i];
        at_attune_expect(0, folder, "train bert %s %s " STEP "--data.valid %s --precision %s --output run-%d",
                         t->data, t->options, t->data, precision, i);
        at_attune_expect(0, folder, "eval run-%d %s %s --kernels strict --precision %s", i, t->data,
                         strstr(t->options, "--data") ? "--data.label_separator '|'" : "", precision);
        at_attune_expect(0, folder, "predict run-%d %s --kernels strict --precision %s", i, t->data,
                         precision);
    }
    at_attune_expect(0, folder,
                     "embed bert classes.tsv --data.text text --kernels strict --precision %s "
                     "--output rows.npy",
                     precision);
}

AT_TEST(test_strict__texts_need_no_reference)
{
    expect_tasks("f32");
}

AT_TEST(test_strict__texts_need_no_reference_in_bf16)
{
    expect_tasks("bf16");
}

static void expect_photos(const char *precision)
{
    static const char *const methods[] = {"full", "last", "head", "probe", "lora", "scratch"};
    char folder[1024], name[64];
    snprintf(name, sizeof name, "strict-photos-%s", precision);
    at_make_scene(folder, name, 4);
    for (int i = 0; i < AT_COUNT(methods); i++) {
        const bool solves = strcmp(methods[i], "probe") == 0; /* in float alone */
        at_attune_expect(0, folder, "train model photos --method %s --precision %s " STEP "--output run-%s",
                         methods[i], solves ? "f32" : precision, methods[i]);
    }
    at_attune_expect(0, folder, "eval run-full photos --kernels strict --precision %s", precision);
    at_attune_expect(0, folder, "predict run-full photos/cat --kernels strict --precision %s", precision);
    at_attune_expect(0, folder, "embed model photos --kernels strict --precision %s --output rows.npy",
                     precision);
}

AT_TEST(test_strict__photos_need_no_reference)
{
    expect_photos("f32");
}

AT_TEST(test_strict__photos_need_no_reference_in_bf16)
{
    expect_photos("bf16");
}
