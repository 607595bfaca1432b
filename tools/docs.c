/* docs.c: tables of docs/recipe.md and docs/ops.md, from what the library says of itself. tools/docs puts
 * them between the words that people wrote. */
#include <attune.h>
#include <stdio.h>
#include <string.h>

/* A cell; "|" would end it. */
static void cell(const char *text)
{
    printf(" ");
    for (; text && *text; text++) printf(*text == '|' ? ", " : "%c", *text);
    printf(" |");
}

static void range_cell(const at_option_info *o)
{
    if (o->choices)
        cell(o->choices);
    else if (o->low != o->high)
        printf(" %g to %g |", o->low, o->high);
    else
        printf(" |");
}

/* Other spellings, without the key itself: as a short form it always works. */
static void alias_cell(const at_option_info *o)
{
    const char *p = o->aliases ? o->aliases : "";
    printf(" ");
    for (bool first = true; *p;) {
        const int length = (int)strcspn(p, " ");
        printf("%s`%.*s`", first ? "" : ", ", length, p);
        first = false;
        p += length + (int)strspn(p + length, " ");
    }
    printf(" |\n");
}

/* Keys with or without a section. */
static void keys_of(const at_ctx *ctx, bool top)
{
    at_option_info o;
    const char *section = NULL;
    for (int i = 0; at_option_list(ctx, i, &o); i++) {
        if ((*o.section == '\0') != top) continue;
        if (!section || strcmp(section, o.section) != 0) {
            printf("\n### %s\n\n", top ? "Top level" : o.section);
            printf("| key | meaning | type | default | legal | also called |\n|---|---|---|---|---|---|\n");
        }
        section = o.section;
        printf("| `%s%s%s` |", o.section, top ? "" : ".", o.key);
        cell(o.help);
        cell(o.type);
        cell(o.fallback);
        range_cell(&o);
        alias_cell(&o);
    }
}

static void kind(const at_ctx *ctx, const char *kind, const char *title)
{
    const char *name, *doc;
    printf("\n## %s\n\n| name | what it is |\n|---|---|\n", title);
    for (int i = 0; at_kind_list(ctx, kind, i, &name, &doc); i++) {
        printf("| `%s` |", name);
        cell(doc);
        printf("\n");
    }
}

/* Kernels are called OP.VARIANT. */
static void ops(const at_ctx *ctx)
{
    const char *name, *doc, *kernel, *unused;
    printf("\n| op | what it is | kernels beside the reference |\n|---|---|---|\n");
    for (int i = 0; at_kind_list(ctx, "op", i, &name, &doc); i++) {
        printf("| `%s` |", name);
        cell(doc);
        bool any = false;
        const size_t n = strlen(name);
        for (int k = 0; at_kind_list(ctx, "kernel", k, &kernel, &unused); k++) {
            if (strncmp(kernel, name, n) != 0 || kernel[n] != '.') continue;
            printf("%s%s", any ? ", " : " ", kernel + n + 1);
            any = true;
        }
        printf(" |\n");
    }
}

int main(int argc, char **argv)
{
    at_ctx *ctx;
    if (argc < 2 || at_ctx_create(&ctx, NULL) != AT_OK) return 1;
    if (strcmp(argv[1], "keys") == 0) {
        keys_of(ctx, true);
        keys_of(ctx, false);
    }
    if (strcmp(argv[1], "ops") == 0) ops(ctx);
    if (strcmp(argv[1], "kind") == 0 && argc == 4) kind(ctx, argv[2], argv[3]);
    at_ctx_destroy(ctx);
    return 0;
}
