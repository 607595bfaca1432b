/* cli.h: what the commands share. The program uses the public header only.
 * A command is one file with `const at_verb at_verb_NAME`; the build finds it by this line. */
#ifndef AT_CLI_H
#define AT_CLI_H

#include <attune.h>

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_STOPPED = 130 };

/* What stands on the terminal. */
typedef struct at_display {
    bool is_open;     /* a progress line waits to be overwritten */
    double last_line; /* in a log: when the last progress line was written; 0 = none of this run */
    char score[64];   /* of the last evaluation */
} at_display;

/* A command line, taken apart. */
typedef struct at_line {
    at_ctx *ctx;
    at_recipe *recipe;
    const char *args[1024]; /* positional; points into argv */
    int n_args;
    bool json, help, quiet;
    at_display display;
} at_line;

typedef struct at_verb {
    const char *name, *summary;
    const char *usage;    /* "attune train MODEL DATA [--key value ...]" */
    const char *details;  /* a paragraph */
    const char *examples; /* lines */
    bool takes_recipe;    /* --help lists the recipe's keys */
    int (*run)(at_line *line);
} at_verb;

extern const at_verb *const at_verbs[]; /* generated; ends with NULL */

/* Set the recipe's key from a positional argument when it is there; exit code or 0. */
int at_set(at_line *line, const char *key, int index);

/* Refuse positional arguments beyond the first `most`; exit code or 0. */
int at_take_most(const at_line *line, int most, const char *takes);

/* Exit code for a status; prints the error. */
int at_finish(at_line *line, at_status status);

/* The event function of all commands: JSON lines on stdout with --json, else text; progress on stderr. data:
 * at_line.
 */
void at_show(void *data, const at_event *event);

/* Ctrl-C and SIGTERM save and stop; a second Ctrl-C ends at once. */
void at_catch_signals(at_ctx *ctx);

#endif
