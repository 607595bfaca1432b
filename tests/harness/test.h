/* test.h: what every test file includes. AT_TEST(test_unit__behaviour) { ... } is found by the build. */
#ifndef AT_TEST_H
#define AT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"

#define AT_TEST(name)                                                                                        \
    void name(void **state);                                                                                 \
    void name(void **state __attribute__((unused)))

typedef struct at_test {
    const char *file, *name;
    void (*run)(void **state);
} at_test;

/* Skip with a reason that is counted. */
#define AT_SKIP(reason)                                                                                      \
    do {                                                                                                     \
        at_note_skip(__func__, reason);                                                                      \
        skip();                                                                                              \
    } while (0)
void at_note_skip(const char *test, const char *reason);

/* A context of its own for the running test; at_test_done checks that nothing leaked and destroys it. */
at_ctx *at_test_ctx(void);
void at_test_done(at_ctx *ctx);

/* ctx's last error must be a failure whose message contains `part`; then it is cleared. */
void at_expect_error(at_ctx *ctx, at_status got, at_status want, const char *part);

#define at_expect_ok(ctx, expr)                                                                              \
    do {                                                                                                     \
        if ((expr) != AT_OK) fail_msg("%s: %s", #expr, at_last_error(ctx));                                  \
    } while (0)

/* Path of real data named relative to the folder in ATTUNE_DATA, or NULL when that is not set. */
const char *at_test_data(char out[1024], const char *relative);

/* A fresh folder for this test below the build folder; emptied if it exists. */
const char *at_test_folder(char out[1024], const char *name);

#endif
