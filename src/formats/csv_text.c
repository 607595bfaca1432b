/* csv_text.c: bytes of a file to text that csv.c can cut up: checked, UTF-8, in memory of its own. Layer:
 * formats. Lines are measured before memory is taken, so that a file of one endless line costs none. */
#include "base/text.h"
#include "formats/table_internal.h"

static int64_t line_of(const char *bytes, const char *place)
{
    int64_t line = 1;
    for (; (bytes = memchr(bytes, '\n', (size_t)(place - bytes))); bytes++) line++;
    return line;
}

static bool begins(const char *bytes, size_t n, const char *mark, size_t n_mark)
{
    return n >= n_mark && memcmp(bytes, mark, n_mark) == 0;
}

/* From a line's begin the last line end within reach is looked for: that leaves only what is longer. */
static at_status check_lines(const at_table *t, const char *bytes, size_t n)
{
    for (const char *p = bytes, *const end = bytes + n; end - p > AT_TABLE_LINE;) {
        const char *last = memrchr(p, '\n', AT_TABLE_LINE + 1);
        AT_REQUIRE(t->arena.ctx, last, AT_E_FORMAT,
                   "%s:%lld: a line of more than %d MiB; is this a table of texts?", t->path,
                   (long long)line_of(bytes, p), AT_TABLE_LINE >> 20);
        p = last + 1;
    }
    return AT_OK;
}

static at_status check_bytes(const at_table *t, const char *bytes, size_t n)
{
    at_ctx *ctx = t->arena.ctx;
    AT_REQUIRE(ctx, n > 0, AT_E_FORMAT, "%s: is empty; a table with at least one row is needed", t->path);
    AT_REQUIRE(ctx, !begins(bytes, n, "\xff\xfe", 2) && !begins(bytes, n, "\xfe\xff", 2), AT_E_FORMAT,
               "%s: is UTF-16; save it as UTF-8", t->path);
    AT_TRY(check_lines(t, bytes, n));
    const char *nul = memchr(bytes, '\0', n);
    AT_REQUIRE(ctx, !nul, AT_E_FORMAT,
               "%s:%lld: a NUL byte; is this a text file? Remove it, or save the table as UTF-8", t->path,
               (long long)line_of(bytes, nul));
    const char *cr = memchr(bytes, '\r', n);
    AT_REQUIRE(ctx, !cr || cr == bytes + n - 1 || memchr(bytes, '\n', n), AT_E_FORMAT,
               "%s: its lines end in CR alone; save it with line ends of LF or CRLF", t->path);
    return AT_OK;
}

/* Eight bytes at a time as long as they are ASCII. */
static const char *skip_ascii(const char *p, const char *end)
{
    for (uint64_t word; end - p >= 8; p += 8) {
        memcpy(&word, p, sizeof word);
        if (word & 0x8080808080808080u) break;
    }
    while (p < end && !(*p & 0x80)) p++;
    return p;
}

static at_status check_utf8(const at_table *t, const char *text, size_t n)
{
    const char *const end = text + n;
    for (const char *p = skip_ascii(text, end); p < end; p = skip_ascii(p, end)) {
        uint32_t code;
        const int length = at_utf8_decode(&code, p);
        AT_REQUIRE(t->arena.ctx, length, AT_E_FORMAT,
                   "%s:%lld: byte 0x%02x is not UTF-8; it may be Latin-1: set data.encoding latin-1", t->path,
                   (long long)line_of(text, p), (unsigned char)*p);
        p += length;
    }
    return AT_OK;
}

static size_t count_high(const char *bytes, size_t n)
{
    size_t high = 0;
    for (size_t i = 0; i < n; i++) high += (unsigned char)bytes[i] >> 7;
    return high;
}

/* ISO 8859-1: each byte is the code of its character. */
static void copy_latin1(char *to, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const unsigned char byte = (unsigned char)bytes[i];
        if (byte & 0x80) *to++ = (char)(0xc0 | byte >> 6);
        *to++ = (char)(byte & 0x80 ? 0x80 | (byte & 0x3f) : byte);
    }
}

at_status at__csv_text(at_table *t, char **text, size_t *size, const char *bytes, size_t n, bool latin1)
{
    AT_TRY(check_bytes(t, bytes, n));
    if (!latin1 && begins(bytes, n, "\xef\xbb\xbf", 3)) {
        bytes += 3;
        n -= 3;
    }
    *size = latin1 ? n + count_high(bytes, n) : n;
    AT_TRY(at_block_map(t->arena.ctx, &t->text, *size + 1));
    *text = t->text.data;
    if (latin1)
        copy_latin1(*text, bytes, n);
    else
        memcpy(*text, bytes, n);
    return latin1 ? AT_OK : check_utf8(t, *text, n);
}
