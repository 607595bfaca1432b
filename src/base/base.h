/* base.h: what every layer stands on: status and errors, the context, checked arithmetic, small helpers.
 * Layer: base. Includes nothing of the project but the public header. */
#ifndef AT_BASE_H
#define AT_BASE_H

#include <attune.h>
#include <stdarg.h>
#include <string.h>

#define AT_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define AT_COUNT(array)      ((int)(sizeof(array) / sizeof((array)[0])))
#define AT_ALIGN             64 /* bytes: every tensor block and arena object of 64 bytes or more */

#ifdef AT_CHECKED /* debug and fuzz builds: a broken invariant stops the program where it broke */
#define AT_ASSERT(ctx, cond)                                                                                 \
    do {                                                                                                     \
        (void)(ctx);                                                                                         \
        if (!(cond)) __builtin_trap();                                                                       \
    } while (0)
#else
#define AT_ASSERT(ctx, cond) AT_REQUIRE(ctx, cond, AT_E_INTERNAL, "%s:%d: %s", __FILE__, __LINE__, #cond)
#endif

/* ---- Errors ------------------------------------------------------------------------------------------- */

/* Record a failure and return its code. The first failure wins: while one is recorded, later ones only
 * return their code. Out-of-memory text is static and formats nothing. */
at_status at_fail(at_ctx *ctx, at_status code, const char *fmt, ...) AT_PRINTF(3, 4);

/* at_fail for AT_E_IO that appends the text of errno and what usually helps. */
at_status at_fail_errno(at_ctx *ctx, int error, const char *fmt, ...) AT_PRINTF(3, 4);

/* Put "context: " before the recorded message; called while unwinding, innermost first. */
void at_wrap(at_ctx *ctx, const char *fmt, ...) AT_PRINTF(2, 3);

at_status at_last_status(const at_ctx *ctx);

#define AT_TRY(expr)                                                                                         \
    do {                                                                                                     \
        at_status try_status_ = (expr);                                                                      \
        if (try_status_ != AT_OK) return try_status_;                                                        \
    } while (0)

/* AT_TRY for functions with one exit: sets the local `status` and goes to the label `out`. */
#define AT_TRY_OUT(expr)                                                                                     \
    do {                                                                                                     \
        if ((status = (expr)) != AT_OK) goto out;                                                            \
    } while (0)

#define AT_REQUIRE(ctx, cond, code, ...)                                                                     \
    do {                                                                                                     \
        if (!(cond)) return at_fail(ctx, code, __VA_ARGS__);                                                 \
    } while (0)

/* ---- Context ------------------------------------------------------------------------------------------ */

typedef enum at_isa {
    AT_ISA_BASE,
    AT_ISA_AVX2,
    AT_ISA_AVX512,
    AT_ISA_AVX512BF16, /* multiplies pairs of bf16 */
    AT_ISA_AMX,        /* and tiles of them */
    AT_ISA_COUNT
} at_isa;

typedef struct at_entry { /* one line of the generated registry: a descriptor and what kind it is */
    const char *kind;     /* "op", "kernel", "model", ... */
    const void *item;     /* begins with `const char *name` */
} at_entry;

struct at_ctx {
    int threads; /* of the pool; changed by at_ctx_set_threads */
    struct at_pool *pool;
    at_isa isa; /* the most that kernels may use */
    at_log_fn log;
    void *log_data;
    const at_entry *registry; /* generated, ends with {NULL, NULL} */
    at_entry *added;          /* at_ctx_add: toys and negative controls of tests */
    int n_added;
    struct { /* allocation accounting; fail_at counts down to a simulated failure, 0 = never */
        int64_t calls, live, fail_at;
    } alloc;
    int stop;     /* at_request_stop: written from signal handlers, atomically */
    bool has_run; /* a verb: the first one counts its time from the start of the process */
    at_status status;
    char message[1024];
};

/* A context for a helper thread: shares registry, log and limits with parent, has its own error.
 * *out must not outlive parent. */
void at_ctx_fork(at_ctx *out, const at_ctx *parent);

/* Another number of compute threads, from now on. Plans made before keep their pool: call it before. */
at_status at_ctx_set_threads(at_ctx *ctx, int threads) AT_MUST_USE;

bool at_stop_requested(const at_ctx *ctx);

/* Add a descriptor to this context only; it is found before the generated ones of its name. Borrowed. */
at_status at_ctx_add(at_ctx *ctx, const char *kind, const void *item) AT_MUST_USE;

/* Walk the descriptors of one kind: start with *cursor = 0; NULL at the end. */
const void *at_registry_next(const at_ctx *ctx, const char *kind, int *cursor);

/* The descriptor of a kind with this name, or NULL. */
const void *at_registry_find(const at_ctx *ctx, const char *kind, const char *name);

/* Among the names of a kind the one nearest to `name` (edit distance), for "did you mean"; NULL if none is
 * near. */
const char *at_registry_nearest(const at_ctx *ctx, const char *kind, const char *name);

void at_log(at_ctx *ctx, at_log_level level, const char *fmt, ...) AT_PRINTF(3, 4);

const char *at_isa_name(at_isa isa);
at_isa at_isa_native(void); /* the best this processor and operating system offer */

/* ---- Checked arithmetic: false on overflow, *out untouched -------------------------------------------- */

static inline bool at_add_ok(int64_t *out, int64_t a, int64_t b)
{
    int64_t r;
    if (__builtin_add_overflow(a, b, &r)) return false;
    *out = r;
    return true;
}

static inline bool at_mul_ok(int64_t *out, int64_t a, int64_t b)
{
    int64_t r;
    if (__builtin_mul_overflow(a, b, &r)) return false;
    *out = r;
    return true;
}

static inline int64_t at_min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t at_max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static inline int64_t at_ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static inline int64_t at_round_up(int64_t a, int64_t multiple)
{
    return at_ceil_div(a, multiple) * multiple;
}

/* ---- Text --------------------------------------------------------------------------------------------- */

/* Edit distance (Levenshtein), capped at `limit` + 1. */
int at_edit_distance(const char *a, const char *b, int limit);

/* Shell-like match of a whole name: '*' any run, '?' one character, "[ab]" one of; nothing is special about
 * '.' or '/'. */
bool at_glob_match(const char *pattern, const char *name);

/* 64-bit FNV-1a of a string: site keys, hash tables. Not for content. */
uint64_t at_hash_name(const char *name);

#endif
