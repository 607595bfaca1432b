/* attune.h: the public interface of libattune, fine-tuning of deep networks in C.
 *
 * Conventions
 *  - Every function that can fail returns at_status; AT_OK is 0, failures are negative. The text that says
 *    what was expected, what was found, where, and what to do is at_last_error(ctx) until
 * at_clear_error(ctx).
 *  - Out-parameters come first and are untouched (or NULL) on failure.
 *  - create/destroy: heap objects owned by the caller. get: borrowed, valid as long as the object it came
 * from.
 *  - A context and everything made from it belong to one thread at a time.
 *  - The library never prints, exits, aborts, catches signals, or opens a network connection. */
#ifndef ATTUNE_H
#define ATTUNE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define AT_API      __attribute__((visibility("default")))
#define AT_MUST_USE __attribute__((warn_unused_result))

#define AT_VERSION "0.1.0"

/* The one list of status codes: identifier, value, short name, meaning. */
#define AT_STATUS_LIST(X)                                                                                    \
    X(AT_OK, 0, "ok", "success")                                                                             \
    X(AT_E_ARG, -1, "argument", "an argument or a recipe value is not acceptable")                           \
    X(AT_E_SHAPE, -2, "shape", "tensor shapes do not fit together")                                          \
    X(AT_E_DTYPE, -3, "dtype", "element types do not fit together")                                          \
    X(AT_E_RANGE, -4, "range", "a number is outside its legal range")                                        \
    X(AT_E_NOMEM, -5, "memory", "out of memory")                                                             \
    X(AT_E_IO, -6, "io", "the operating system refused to read or write")                                    \
    X(AT_E_FORMAT, -7, "format", "a file does not follow its format")                                        \
    X(AT_E_UNSUPPORTED, -8, "unsupported", "valid, but not supported here")                                  \
    X(AT_E_NONFINITE, -9, "nonfinite", "a NaN or an infinity where a finite number is needed")               \
    X(AT_E_COMM, -10, "communication", "another process did not answer")                                     \
    X(AT_E_DEVICE, -11, "device", "the device failed")                                                       \
    X(AT_E_STATE, -12, "state", "the object is not in a state that allows the call")                         \
    X(AT_E_INTERNAL, -13, "internal", "a defect of this library")                                            \
    X(AT_E_INTERRUPTED, -14, "interrupted", "stopped on request; the state was saved")

typedef enum at_status {
#define X(id, value, name, meaning) id = value,
    AT_STATUS_LIST(X)
#undef X
} at_status;

/* Short name of a status ("shape"); "unknown" for a value that is none. */
AT_API const char *at_status_name(at_status status);

/* ---- Context ------------------------------------------------------------------------------------------ */

/* Registry of everything that comes in kinds, thread count, allocation counters, the last error. */
typedef struct at_ctx at_ctx;

typedef enum at_log_level { AT_LOG_DEBUG, AT_LOG_INFO, AT_LOG_WARN } at_log_level;

/* Receives one line without its end; called on the thread that runs the library. */
typedef void (*at_log_fn)(void *data, at_log_level level, const char *line);

typedef struct at_ctx_options {
    int threads;     /* compute threads; 0 = the processors this process may use */
    const char *isa; /* "base", "avx2", "avx512": the most that may be used; NULL = all the processor has */
    at_log_fn log;   /* NULL = silent */
    void *log_data;
} at_ctx_options;

/* Create a context. options: borrowed for the call; NULL = defaults.
 * @return OK; ARG (threads negative or above 4096, unknown isa); NOMEM. *out is NULL on failure. */
AT_API at_status at_ctx_create(at_ctx **out, const at_ctx_options *options) AT_MUST_USE;

/* Destroy a context; every object made from it must have been destroyed. NULL is allowed. */
AT_API void at_ctx_destroy(at_ctx *ctx);

/* Message of the first failure since the last at_clear_error; "" when there was none. Borrowed from ctx. */
AT_API const char *at_last_error(const at_ctx *ctx);
AT_API void at_clear_error(at_ctx *ctx);

#ifdef __cplusplus
}
#endif
#endif
