/* texts.h: what the suites of src/data/texts.h share: a folder with tables, reading them with notes, and what
 * must come out. Each file has a context, a folder and notes of its own. */
#ifndef AT_TEST_TEXTS_H
#define AT_TEST_TEXTS_H

#include "base/text.h"
#include "data/texts.h"
#include "formats/file.h"
#include "tests/harness/test.h"
#include <stdio.h>

static at_ctx *ctx;
static char folder[1024];

static inline const char *below(const char *name)
{
    static char path[4][1200];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
    return path[turn];
}

static inline void begin(const char *name)
{
    ctx = at_test_ctx();
    at_test_folder(folder, name);
}

static inline void put(const char *name, const char *text)
{
    at_expect_ok(ctx, at_file_write(ctx, below(name), text, strlen(text)));
}

static char notes[4096];

/* One a line, without the folder. */
static inline void take_note(void *data, const char *text)
{
    (void)data;
    for (const char *p; (p = strstr(text, folder)); text = p + strlen(folder) + 1)
        strncat(notes, text, (size_t)(p - text));
    strcat(strcat(notes, text), "\n");
}

static inline at_texts read_as(const char *name, at_texts_options o, const at_texts *like)
{
    at_texts t;
    *notes = '\0';
    o.note = take_note;
    at_expect_ok(ctx, at_texts_read(ctx, &t, below(name), &o, like));
    return t;
}

static inline at_texts read_file(const char *name)
{
    return read_as(name, (at_texts_options){0}, NULL);
}

static inline void expect_refused(const char *name, at_texts_options o, const at_texts *like,
                                  at_status status, const char *message)
{
    char whole[2000];
    at_texts t = {.n = 1};
    snprintf(whole, sizeof whole, "%s%s", *message == ':' ? below(name) : "", message);
    assert_int_equal(at_texts_read(ctx, &t, below(name), &o, like), status);
    assert_string_equal(at_last_error(ctx), whole);
    assert_int_equal(t.n, 0);
    at_clear_error(ctx);
}

static inline void expect_classes(const at_texts *t, int n, const char *const *classes)
{
    assert_int_equal(t->n_classes, n);
    for (int i = 0; i < n; i++) assert_string_equal(t->classes[i], classes[i]);
}

static inline void expect_columns(const at_texts *t, int label, int text, int pair, const char *note)
{
    assert_int_equal(t->label_column, label);
    assert_int_equal(t->text_column, text);
    assert_int_equal(t->pair_column, pair);
    assert_string_equal(notes, note);
}

#endif
