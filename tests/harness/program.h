/* program.h: the program from outside: command lines, what they print, how they end. */
#ifndef AT_PROGRAM_H
#define AT_PROGRAM_H

#include "formats/tree.h"

typedef struct at_output {
    int code;        /* exit code; 128 + n when signal n ended it */
    char *out, *err; /* what it printed, NUL-terminated */
} at_output;

/* Run "attune LINE" in `folder`, the line as a shell takes it. Its cache of features is FOLDER/.cache. */
void at_attune(at_output *o, const char *folder, const char *line, ...) AT_PRINTF(3, 4);

/* The same after shell commands ("ulimit -f 8;"). */
void at_attune_after(at_output *o, const char *folder, const char *commands, const char *line);
void at_output_free(at_output *o);

/* at_attune; fails the test unless it ends with this code. */
void at_attune_expect(int code, const char *folder, const char *line, ...) AT_PRINTF(3, 4);

/* Start it, with its standard output to be read line by line; at_attune_kill ends it by a signal (0: by
 * itself) and returns its end as at_output.code. Its errors go to FOLDER/.err. */
typedef struct at_running {
    int pid;
    void *lines; /* FILE * */
} at_running;
void at_attune_start(at_running *p, const char *folder, const char *line, ...) AT_PRINTF(3, 4);
int at_attune_kill(at_running *p, int signal_number);

/* ---- JSON lines ---- */

/* Parse every line of a text as one JSON object; fails the test when one is not. In the arena, as a list. */
at_tree *at_json_lines(at_arena *a, const char *text);

/* Object number `index` (from 0, or from -1 at the end) whose "event" is this; NULL = there is none. */
const at_tree *at_event_named(const at_tree *lines, const char *event, int index);

/* ---- Folders ---- */

/* SHA-256 over names and contents of all files below a folder, but for those that begin with a name of
 * `without`
 * ("run", or NULL) at its top, and the hidden ones there. */
void at_folder_digest(char hex[65], const char *folder, const char *without);

/* Fails the test unless two files hold the same bytes. */
void at_expect_same_file(const char *folder_a, const char *folder_b, const char *name);

#endif
