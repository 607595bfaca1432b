/* torture.c: failing allocations, one after another. */
#include "tests/harness/torture.h"
#include "tests/harness/test.h"
#include <dirent.h>

int at_open_files(void)
{
    int n = 0;
    DIR *stream = opendir("/proc/self/fd");
    if (!stream) return 0;
    while (readdir(stream)) n++;
    closedir(stream);
    return n;
}

void at_torture_some(at_ctx *ctx, at_attempt attempt, void *arg, int64_t first, int64_t stride)
{
    enum { MOST = 100000 };
    const int64_t live = ctx->alloc.live;
    const int files = at_open_files();
    int64_t n = first;
    for (;; n += stride) {
        if (n > MOST) fail_msg("no success after %d failures", MOST);
        ctx->alloc.fail_at = n;
        const at_status status = attempt(ctx, arg);
        const bool met = ctx->alloc.fail_at == 0;
        ctx->alloc.fail_at = 0;
        if (status != AT_OK && status != AT_E_NOMEM)
            fail_msg("allocation %lld failed: status %s: %s", (long long)n, at_status_name(status),
                     at_last_error(ctx));
        if (ctx->alloc.live != live)
            fail_msg("allocation %lld failed: %lld objects leaked", (long long)n,
                     (long long)(ctx->alloc.live - live));
        if (at_open_files() != files) fail_msg("allocation %lld failed: an open file leaked", (long long)n);
        if (status == AT_E_NOMEM && *at_last_error(ctx) == '\0')
            fail_msg("allocation %lld: no message", (long long)n);
        if (!met && status != AT_OK) fail_msg("fails without a failing allocation: %s", at_last_error(ctx));
        at_clear_error(ctx);
        if (!met) break;
    }
    if (n == first) fail_msg("nothing was allocated");
}

void at_torture(at_ctx *ctx, at_attempt attempt, void *arg)
{
    at_torture_some(ctx, attempt, arg, 1, 1);
}
