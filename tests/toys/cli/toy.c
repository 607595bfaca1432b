/* toy: makes a toy network and data for it, and lists what the library knows. */
#include "cli/cli.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { COLUMNS = 3, HIDDEN = 8, VOCABULARY = 5, CODES = 2, SAMPLES = 80 };

static double draw(unsigned *state)
{
    *state = *state * 1664525u + 1013904223u;
    return (*state >> 8) / 16777216.0 * 2 - 1;
}

static FILE *create(const char *folder, const char *name)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return fopen(path, "wb");
}

static bool write_config(const char *folder)
{
    FILE *f = create(folder, "config.json");
    if (!f) return false;
    fprintf(f, "{\"model_type\": \"toy_mlp\", \"columns\": %d, \"hidden\": %d, \"vocabulary\": %d}\n",
            COLUMNS, HIDDEN, VOCABULARY);
    return fclose(f) == 0;
}

/* encode.weight, encode.bias as floats, table.weight as bytes. */
static bool write_weights(const char *folder)
{
    enum { WEIGHT = HIDDEN * COLUMNS, FLOATS = WEIGHT + HIDDEN, CODE_BYTES = VOCABULARY * HIDDEN };
    char header[512];
    float values[FLOATS] = {0};
    unsigned char codes[CODE_BYTES];
    unsigned state = 1;
    for (int i = 0; i < WEIGHT; i++) values[i] = (float)draw(&state);
    for (int i = 0; i < CODE_BYTES; i++) codes[i] = (unsigned char)(128 + 64 * draw(&state));
    const int floats = FLOATS * (int)sizeof(float), weight = WEIGHT * (int)sizeof(float);
    const int n = snprintf(header, sizeof header,
                           "{\"encode.weight\":{\"dtype\":\"F32\",\"shape\":[%d,%d],\"data_offsets\":[0,%d]},"
                           "\"encode.bias\":{\"dtype\":\"F32\",\"shape\":[%d],\"data_offsets\":[%d,%d]},"
                           "\"table.weight\":{\"dtype\":\"U8\",\"shape\":[%d,%d],\"data_offsets\":[%d,%d]}}",
                           HIDDEN, COLUMNS, weight, HIDDEN, weight, floats, VOCABULARY, HIDDEN, floats,
                           floats + CODE_BYTES);
    const uint64_t padded = ((uint64_t)n + 7) / 8 * 8;
    memset(header + n, ' ', sizeof header - (size_t)n);
    FILE *f = create(folder, "model.safetensors");
    if (!f) return false;
    fwrite(&padded, sizeof padded, 1, f);
    fwrite(header, padded, 1, f);
    fwrite(values, sizeof values, 1, f);
    fwrite(codes, sizeof codes, 1, f);
    return fclose(f) == 0;
}

/* target = mean of |first column| + half the sum of the codes. */
static bool write_data(const char *folder)
{
    FILE *f = create(folder, "data.toy");
    unsigned state = 2;
    if (!f) return false;
    fprintf(f, "%d %d %d\n", SAMPLES, COLUMNS, CODES);
    for (int i = 0; i < SAMPLES; i++) {
        const int rows = i % 4, first = i % VOCABULARY, second = i / VOCABULARY % VOCABULARY;
        double x[3 * COLUMNS], sum = 0;
        for (int k = 0; k < rows * COLUMNS; k++) x[k] = draw(&state);
        for (int r = 0; r < rows; r++) sum += fabs(x[r * COLUMNS]);
        fprintf(f, "%.6f %d %d %d", (rows ? sum / rows : 0) + 0.5 * (first + second), first, second, rows);
        for (int k = 0; k < rows * COLUMNS; k++) fprintf(f, " %.6f", x[k]);
        fprintf(f, "\n");
    }
    return fclose(f) == 0;
}

static void list(const at_line *line, const char *kind)
{
    const char *name, *doc;
    for (int i = 0; at_kind_list(line->ctx, kind, i, &name, &doc); i++) printf("%s %s\n", kind, name);
}

static int run(at_line *line)
{
    static const char *const kinds[] = {"op",       "kernel", "storage", "architecture",
                                        "task",     "metric", "method",  "optimizer",
                                        "schedule", "edit",   "augment", "adapter"};
    for (int i = 0; i < (int)(sizeof kinds / sizeof *kinds); i++) list(line, kinds[i]);
    if (line->n_args != 1) return EXIT_OK;
    const char *folder = line->args[0];
    return write_config(folder) && write_weights(folder) && write_data(folder) ? EXIT_OK : EXIT_FAILED;
}

const at_verb at_verb_toy = {
    .name = "toy",
    .summary = "list everything that comes in kinds; make a toy network and its data",
    .usage = "attune toy [FOLDER]",
    .details = "The folder must exist. It receives config.json, model.safetensors and data.toy.",
    .examples = "  attune toy scratch/\n",
    .run = run};
