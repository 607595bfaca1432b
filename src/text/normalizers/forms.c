/* forms.c: Unicode's normal forms (UAX 15), lower case, and leaving characters out, with the places that the
 * characters come from. The mappings are utf8proc's; order and composition are written out because each
 * character's change must be known (at_emit). Layer: text. */
#include "text/normalizers/forms.h"
#include <utf8proc.h>

enum { MOST_CODES = 32 }; /* that one character becomes; 18 in Unicode 15 */

typedef struct letter {
    uint32_t code;
    int change; /* as at_emit takes it */
    int class;  /* canonical combining class; 0 = a starter */
} letter;

typedef struct run { /* a starter and what combines with it */
    letter *list;
    int32_t n, room;
} run;

static int combining_class(uint32_t c)
{
    return utf8proc_get_property((utf8proc_int32_t)c)->combining_class;
}

/* The character that two make, or 0. */
static uint32_t composed(uint32_t a, uint32_t b)
{
    utf8proc_int32_t pair[2] = {(utf8proc_int32_t)a, (utf8proc_int32_t)b};
    const utf8proc_ssize_t n = utf8proc_normalize_utf32(pair, 2, UTF8PROC_COMPOSE | UTF8PROC_STABLE);
    return n == 1 ? (uint32_t)pair[0] : 0;
}

/* Canonical order: stable by class, between starters. */
static void insert(run *r, letter x)
{
    int32_t i = r->n++;
    if (x.class != 0)
        for (; i > 0 && r->list[i - 1].class > x.class; i--) r->list[i] = r->list[i - 1];
    r->list[i] = x;
}

static void decompose(run *r, uint32_t c, bool compatible)
{
    utf8proc_int32_t codes[MOST_CODES];
    int boundary = 0;
    const int options = UTF8PROC_DECOMPOSE | (compatible ? UTF8PROC_COMPAT : 0);
    const utf8proc_ssize_t n = utf8proc_decompose_char((utf8proc_int32_t)c, codes, MOST_CODES,
                                                       (utf8proc_option_t)options, &boundary);
    for (int k = 0; k < n && k < MOST_CODES; k++) {
        const uint32_t code = (uint32_t)codes[k];
        insert(r, (letter){code, k > 0, combining_class(code)});
    }
}

/* Join what combines with the starter before it. A letter is blocked where one of its class or a higher one,
 * or a starter, stands between. What is joined is one character less for the starter to take the place of. */
static void compose(run *r)
{
    int32_t out = 0, starter = -1;
    int last = 0; /* class of the letter before, when it did not join */
    for (int32_t i = 0; i < r->n; i++) {
        const letter x = r->list[i];
        const bool blocked = starter < 0 || (out - 1 > starter && (last >= x.class || last == 0));
        const uint32_t joined = blocked ? 0 : composed(r->list[starter].code, x.code);
        if (joined) {
            r->list[starter].code = joined;
            r->list[starter].change += x.change - 1;
            continue;
        }
        if (x.class == 0) starter = out;
        last = x.class;
        r->list[out++] = x;
    }
    r->n = out;
}

static void flush(at_pieces *w, run *r, bool joins)
{
    if (joins) compose(r);
    for (int32_t i = 0; i < r->n; i++) at_emit(w, r->list[i].code, r->list[i].change);
    r->n = 0;
}

static bool reserve(at_pieces *w, run *r, int32_t more)
{
    if (r->n + more <= r->room) return true;
    const int32_t room = 2 * (r->n + more);
    letter *list = at_realloc(w->ctx, r->list, (size_t)r->room * sizeof *list, (size_t)room * sizeof *list);
    if (!list) {
        at_pieces_fail(w, AT_E_NOMEM);
        return false;
    }
    r->list = list;
    r->room = room;
    return true;
}

/* Nothing to do for these in any form, and nothing before or behind them matters but what may combine with
 * them. */
static bool is_plain(uint32_t c)
{
    return c < 0x80;
}

static void rewrite(at_pieces *w, const void *params, const char *text, int32_t n)
{
    const at_form *form = params;
    run r = {0};
    uint32_t c, next;
    int32_t same = 0; /* bytes before i that stay as they are */
    for (int32_t i = 0, k; i < n; i += k) {
        k = at_utf8_next(&c, text + i);
        const bool last = i + k >= n;
        if (!last) at_utf8_next(&next, text + i + k);
        if (is_plain(c) && (last || is_plain(next))) {
            if (r.n) flush(w, &r, form->compose);
            same += k;
            continue;
        }
        at_keep(w, same);
        same = 0;
        if (!reserve(w, &r, MOST_CODES)) break;
        decompose(&r, c, form->compatible);
    }
    flush(w, &r, form->compose);
    at_keep(w, same);
    at_free(w->ctx, r.list);
}

void at_apply_form(at_pieces *w, const at_form *form)
{
    at_pieces_rewrite(w, rewrite, form);
}

/* ---- Lower case ---- */

static void lowercase(at_pieces *w, const void *params, const char *text, int32_t n)
{
    (void)params;
    uint32_t c, low[2];
    int32_t same = 0;
    for (int32_t i = 0, k; i < n; i += k) {
        k = at_utf8_next(&c, text + i);
        const int m = at_lower(low, c);
        if (m == 1 && low[0] == c) {
            same += k;
            continue;
        }
        at_keep(w, same);
        same = 0;
        at_emit(w, low[0], 0);
        if (m > 1) at_emit(w, low[1], 1);
    }
    at_keep(w, same);
}

void at_apply_lowercase(at_pieces *w)
{
    at_pieces_rewrite(w, lowercase, NULL);
}

/* ---- Leaving out: marks, which ASCII has none of ---- */

typedef struct filter {
    bool (*goes)(uint32_t c);
} filter;

static void leave_out(at_pieces *w, const void *params, const char *text, int32_t n)
{
    const filter *f = params;
    uint32_t c;
    int32_t same = 0;
    for (int32_t i = 0, k; i < n; i += k) {
        k = at_utf8_next(&c, text + i);
        if (c < 0x80 || !f->goes(c)) {
            same += k;
            continue;
        }
        at_keep(w, same);
        at_drop(w, k);
        same = 0;
    }
    at_keep(w, same);
}

void at_filter(at_pieces *w, bool (*goes)(uint32_t c))
{
    at_pieces_rewrite(w, leave_out, &(filter){goes});
}
