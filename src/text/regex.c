/* regex.c: PCRE2 behind regex.h. Layer: text.
 *
 * tokenizer.json is written for the engine Oniguruma. What tokenizers use of it (classes by Unicode, groups
 * with options, look-ahead, possessive repetition) PCRE2 reads alike. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "text/regex.h"
#include <pcre2.h>

struct at_regex {
    at_regex *next;
    at_ctx *ctx; /* of whoever compiles or frees it: PCRE2's memory comes from there */
    pcre2_general_context *memory;
    pcre2_code *code;
};

static void *take(size_t size, void *ctx)
{
    return at_alloc(*(at_ctx **)ctx, size);
}

static void give(void *p, void *ctx)
{
    at_free(*(at_ctx **)ctx, p);
}

static at_status compile(at_regex *r, const char *pattern, uint32_t options, const char *where)
{
    int error;
    size_t at;
    at_ctx *ctx = r->ctx;
    r->memory = pcre2_general_context_create(take, give, &r->ctx);
    pcre2_compile_context *c = r->memory ? pcre2_compile_context_create(r->memory) : NULL;
    if (!c) return at_fail(ctx, AT_E_NOMEM, "out of memory");
    r->code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, options, &error, &at, c);
    pcre2_compile_context_free(c);
    if (!r->code && at_last_status(ctx) == AT_OK) {
        PCRE2_UCHAR text[200];
        pcre2_get_error_message(error, text, sizeof text);
        return at_fail(ctx, AT_E_UNSUPPORTED, "%s: PCRE2 does not take the pattern %s: %s at its byte %zu",
                       where, pattern, (char *)text, at + 1);
    }
    if (!r->code) return AT_E_NOMEM;
    (void)pcre2_jit_compile(r->code, PCRE2_JIT_COMPLETE); /* without it the same is found, only slower */
    return at_last_status(ctx);
}

static at_status make(at_regex **out, at_regex **list, at_ctx *ctx, const char *pattern, uint32_t options,
                      const char *where)
{
    at_regex *r;
    AT_NEW(ctx, r, 1);
    *r = (at_regex){.next = *list, .ctx = ctx};
    *list = *out = r;
    return compile(r, pattern, options, where);
}

at_status at_regex_compile(at_regex **out, at_regex **list, at_ctx *ctx, const char *pattern,
                           const char *where)
{
    /* \C would match a part of a character, and what is left of it is no UTF-8 */
    return make(out, list, ctx, pattern, PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, where);
}

at_status at_regex_literal(at_regex **out, at_regex **list, at_ctx *ctx, const char *text, const char *where)
{
    return make(out, list, ctx, text, PCRE2_UTF | PCRE2_LITERAL, where);
}

void at_regex_free_all(at_ctx *ctx, at_regex *list)
{
    while (list) {
        at_regex *next = list->next;
        list->ctx = ctx;
        pcre2_code_free(list->code);
        pcre2_general_context_free(list->memory);
        at_free(ctx, list);
        list = next;
    }
}

/* ---- Matching ---- */

void at_regex_begin(at_regex_walk *walk, at_pieces *w, const at_regex *regex, const char *text, int32_t n)
{
    *walk = (at_regex_walk){.regex = regex, .w = w, .text = text, .n = n};
    if (w->status != AT_OK) return;
    pcre2_general_context *memory = pcre2_general_context_create(take, give, &w->ctx);
    if (memory) walk->memory = pcre2_match_data_create(1, memory);
    pcre2_general_context_free(memory);
    if (!walk->memory) at_pieces_fail(w, AT_E_NOMEM);
}

bool at_regex_next(at_regex_walk *walk, at_range *match)
{
    if (walk->w->status != AT_OK || walk->at > walk->n) return false;
    const int got = pcre2_match(walk->regex->code, (PCRE2_SPTR)walk->text, (size_t)walk->n, (size_t)walk->at,
                                PCRE2_NO_UTF_CHECK, walk->memory, NULL);
    if (got == PCRE2_ERROR_NOMATCH) return false;
    if (got < 0) {
        at_pieces_fail(walk->w, at_fail(walk->w->ctx, AT_E_UNSUPPORTED,
                                        "a regular expression of the tokenizer gave up at byte %d of a text "
                                        "(PCRE2's error %d); shorten the text",
                                        walk->at + 1, got));
        return false;
    }
    const size_t *at = pcre2_get_ovector_pointer(walk->memory);
    *match = (at_range){(int32_t)at[0], (int32_t)at[1]};
    walk->at = match->end;
    if (match->first == match->end) { /* an empty match: the next one is to be elsewhere */
        uint32_t code;
        walk->at += walk->at < walk->n ? at_utf8_next(&code, walk->text + walk->at) : 1;
    }
    return true;
}

void at_regex_end(at_regex_walk *walk)
{
    pcre2_match_data_free(walk->memory);
}

void at_split_regex(at_pieces *w, const at_regex *regex, const char *text, int32_t n, at_behaviour behaviour,
                    bool invert)
{
    at_splitter splitter;
    at_regex_walk walk;
    at_range match;
    at_splitter_begin(&splitter, w, behaviour, invert);
    at_regex_begin(&walk, w, regex, text, n);
    while (at_regex_next(&walk, &match)) at_splitter_match(&splitter, match.first, match.end);
    at_regex_end(&walk);
    at_splitter_end(&splitter, n);
}
