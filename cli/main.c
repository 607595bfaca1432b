/* main.c: finds the command, takes its line apart, runs it. Flags are --key value, --key=value, and, where
 * the option says what that means, --key.
 */
#include "cli/cli.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_overview(FILE *f)
{
    fprintf(
        f,
        "attune %s: fine-tuning of deep networks\n\nusage: attune COMMAND [arguments] [--key value ...]\n\n",
        AT_VERSION);
    for (int i = 0; at_verbs[i]; i++) fprintf(f, "  %-10s %s\n", at_verbs[i]->name, at_verbs[i]->summary);
    fprintf(f,
            "\nfirst steps:\n"
            "  attune demo                                       what fine-tuning gains, on bundled photos\n"
            "  attune train MODEL PHOTOS --output runs/first     PHOTOS: one sub-folder a class\n"
            "  attune predict runs/first PHOTO                   use what was trained\n");
    fprintf(f, "\nattune COMMAND --help explains a command, its keys and gives examples.\n");
}

static void print_list(const at_ctx *ctx, const char *kind, const char *title)
{
    const char *name, *doc;
    if (!at_kind_list(ctx, kind, 0, &name, &doc)) return;
    printf("%s:", title);
    for (int i = 0; at_kind_list(ctx, kind, i, &name, &doc); i++) printf("%s %s", i ? "," : "", name);
    printf("\n");
}

static void print_keys(const at_ctx *ctx)
{
    at_option_info o;
    const char *section = NULL;
    printf("\nkeys (in a recipe file, or as --section.key; the short form in brackets works, too):\n");
    for (int i = 0; at_option_list(ctx, i, &o); i++) {
        if (!section || strcmp(section, o.section) != 0) printf("%s\n", *o.section ? "" : "");
        section = o.section;
        char name[128];
        snprintf(name, sizeof name, "%s%s%s", o.section, *o.section ? "." : "", o.key);
        printf("  --%-28s %s", name, o.help ? o.help : "");
        if (o.choices) printf(" (%s)", o.choices);
        if (o.fallback) printf("; default %s", o.fallback);
        if (o.aliases) printf(" [%s]", o.aliases);
        printf("\n");
    }
    printf("\n");
    print_list(ctx, "method", "methods");
    print_list(ctx, "edit", "edits");
    print_list(ctx, "adapter", "adapters");
    print_list(ctx, "augment", "augmentations");
    print_list(ctx, "task", "tasks");
    print_list(ctx, "optimizer", "optimizers");
    print_list(ctx, "schedule", "schedules");
    print_list(ctx, "metric", "metrics");
    print_list(ctx, "architecture", "architectures");
}

static void print_help(const at_verb *v, const at_ctx *ctx)
{
    printf("%s\n\nusage: %s\n\n%s\n\nexamples:\n%s", v->summary, v->usage, v->details, v->examples);
    printf("\nevery command: --json (one object a line on stdout), --isa base|avx2|avx512|avx512bf16|amx, "
           "--help\n");
    if (v->takes_recipe) print_keys(ctx);
}

/* ---- Taking a line apart ---- */

/* The option of this key; false = there is none. */
static bool find_option(const at_ctx *ctx, const char *key, at_option_info *out)
{
    for (int i = 0; at_option_list(ctx, i, out); i++) {
        char name[128];
        snprintf(name, sizeof name, "%s%s%s", out->section, *out->section ? "." : "", out->key);
        if (strcmp(name, key) == 0) return true;
    }
    return false;
}

/* What a key without "=" stands for by itself; NULL = the next argument is its value, as it may be of a flag:
 * "--deterministic false". */
static const char *bare_value(const at_ctx *ctx, const char *key, const char *next)
{
    at_option_info o;
    if (!find_option(ctx, key, &o)) return NULL;
    const bool truth = strcmp(next, "true") == 0 || strcmp(next, "false") == 0;
    return strcmp(o.type, "flag") == 0 && truth ? NULL : o.bare;
}

static int bad_line(const char *before, const char *what, const char *after)
{
    fprintf(stderr, "attune: %s%s%s\n", before, what, after);
    return EXIT_USAGE;
}

int at_take_most(const at_line *line, int most, const char *takes)
{
    return line->n_args > most ? bad_line(takes, ", not ", line->args[most]) : 0;
}

/* One "--..." argument; *i moves on when it takes the next one. */
static int take_flag(at_line *line, int argc, char **argv, int *i)
{
    char key[128];
    const char *text = argv[*i] + 2, *equals = strchr(text, '='), *value = equals ? equals + 1 : NULL;
    snprintf(key, sizeof key, "%.*s", equals ? (int)(equals - text) : (int)strlen(text), text);
    if (strcmp(key, "json") == 0) return line->json = true, 0;
    if (strcmp(key, "help") == 0) return line->help = true, 0;
    if (strcmp(key, "quiet") == 0) return line->quiet = true, 0;
    if (!value) value = bare_value(line->ctx, key, *i + 1 < argc ? argv[*i + 1] : "");
    if (!value) {
        if (*i + 1 >= argc) return bad_line("--", key, " needs a value");
        value = argv[++*i];
    }
    if (strcmp(key, "isa") == 0) return 0; /* taken before the context was made */
    const at_status s = strcmp(key, "recipe") == 0 ? at_recipe_load(line->recipe, value)
                                                   : at_recipe_set(line->recipe, key, value);
    if (s == AT_OK) return 0;
    const int code = at_finish(line, s);
    return s == AT_E_NOMEM ? code : EXIT_USAGE;
}

static int take_apart(at_line *line, int argc, char **argv)
{
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "-h") == 0)
            line->help = true;
        else if (strncmp(argv[i], "--", 2) == 0 && argv[i][2]) {
            const int code = take_flag(line, argc, argv, &i);
            if (code) return code;
        } else if (line->n_args == (int)(sizeof line->args / sizeof line->args[0])) {
            return bad_line("too many arguments from ", argv[i], " on; name a folder instead");
        } else {
            line->args[line->n_args++] = argv[i];
        }
    }
    return 0;
}

/* The one option that the context itself needs. */
static const char *find_isa(int argc, char **argv)
{
    for (int i = 2; i < argc; i++) {
        if (strncmp(argv[i], "--isa=", 6) == 0) return argv[i] + 6;
        if (strcmp(argv[i], "--isa") == 0 && i + 1 < argc) return argv[i + 1];
    }
    return NULL;
}

static const at_verb *find_verb(const char *name)
{
    for (int i = 0; at_verbs[i]; i++)
        if (strcmp(at_verbs[i]->name, name) == 0) return at_verbs[i];
    return NULL;
}

static int run(const at_verb *v, int argc, char **argv)
{
    static at_line line;
    if (at_ctx_create(&line.ctx, &(at_ctx_options){.isa = find_isa(argc, argv)}) != AT_OK)
        return bad_line("--isa", " must be base, avx2, avx512, avx512bf16 or amx", "");
    int code =
        at_recipe_create(&line.recipe, line.ctx) == AT_OK ? take_apart(&line, argc, argv) : EXIT_FAILED;
    if (code == 0 && line.help)
        print_help(v, line.ctx);
    else if (code == 0) {
        at_catch_signals(line.ctx);
        code = v->run(&line);
    }
    at_recipe_destroy(line.recipe);
    at_ctx_destroy(line.ctx);
    return code;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_overview(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        print_overview(stdout);
        return EXIT_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("attune %s\n", AT_VERSION);
        return EXIT_OK;
    }
    const at_verb *v = find_verb(argv[1]);
    if (!v) {
        fprintf(stderr, "attune: there is no command \"%s\"\n\n", argv[1]);
        print_overview(stderr);
        return EXIT_USAGE;
    }
    return run(v, argc, argv);
}
