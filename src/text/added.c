/* added.c: added tokens: their ids, and finding them. Layer: text.
 *
 * At each place the longest token counts; after a match the search goes on behind it. A single_word token
 * inside a word is passed over; lstrip and rstrip take the blanks around into the token. (AddedVocabulary in
 * Hugging Face's `tokenizers`.) */
#include "text/tokenizer_internal.h"
#include <stdlib.h>

/* ---- Finding ---- */

static const at_added_pattern *match(const at_added_matcher *m, const char *text, int32_t n)
{
    const int b = (unsigned char)*text;
    for (int32_t i = m->begin[b]; i < m->begin[b + 1]; i++)
        if (m->list[i].n <= n && memcmp(m->list[i].text, text, (size_t)m->list[i].n) == 0) return &m->list[i];
    return NULL;
}

/* The character before a place of valid UTF-8, and where it begins. */
static int32_t step_back(uint32_t *code, const char *text, int32_t at)
{
    do at--;
    while (at > 0 && ((unsigned char)text[at] & 0xc0) == 0x80);
    at_utf8_next(code, text + at);
    return at;
}

static bool stands_alone(const char *text, int32_t n, at_range r)
{
    uint32_t code;
    if (r.first > 0) {
        step_back(&code, text, r.first);
        if (at_is_word(code)) return false;
    }
    if (r.end < n) {
        at_utf8_next(&code, text + r.end);
        if (at_is_word(code)) return false;
    }
    return true;
}

/* The blanks that a token takes along; done: what is a piece already. */
static at_range with_blanks(const at_added_token *token, const char *text, int32_t n, at_range r,
                            int32_t done)
{
    uint32_t code;
    if (token->lstrip) {
        int32_t first = r.first;
        for (int32_t before; first > 0; first = before) {
            before = step_back(&code, text, first);
            if (!at_is_space(code)) break;
        }
        r.first = first > done ? first : done;
    }
    while (token->rstrip && r.end < n) {
        const int k = at_utf8_next(&code, text + r.end);
        if (!at_is_space(code)) break;
        r.end += k;
    }
    return r;
}

typedef struct extraction {
    const at_added *added;
    const at_added_matcher *matcher;
} extraction;

static void extract(at_pieces *w, const void *params, const char *text, int32_t n)
{
    const extraction *x = params;
    int32_t done = 0;
    for (int32_t i = 0; i < n;) {
        const at_added_pattern *p = match(x->matcher, text + i, n - i);
        if (!p) {
            i++;
            continue;
        }
        const at_added_token *token = &x->added->list[p->token];
        at_range r = {i, i + p->n};
        i += p->n;
        if (token->single_word && !stands_alone(text, n, r)) continue;
        r = with_blanks(token, text, n, r, done);
        at_cut(w, done, r.first);
        at_cut_token(w, r.first, r.end, token->id);
        done = r.end;
    }
    at_cut(w, done, n);
}

void at_added_extract(const at_added *a, const at_added_matcher *m, at_pieces *w)
{
    at_pieces_split(w, extract, &(extraction){a, m});
}

/* ---- Reading ---- */

static int by_first_and_length(const void *a, const void *b)
{
    const at_added_pattern *x = a, *y = b;
    if (x->text[0] != y->text[0]) return (unsigned char)x->text[0] < (unsigned char)y->text[0] ? -1 : 1;
    if (x->n != y->n) return x->n > y->n ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

static void index_patterns(at_added_matcher *m)
{
    qsort(m->list, (size_t)m->n, sizeof *m->list, by_first_and_length);
    for (int b = 0, i = 0; b <= 256; b++) {
        while (i < m->n && (unsigned char)m->list[i].text[0] < b) i++;
        m->begin[b] = i;
    }
}

/* What a token looks like in normalised text. */
static at_status normalize(const at_section *s, const char **text)
{
    at_pieces w = {0};
    const at_step *step = &s->t->normalizer;
    at_status status = at_pieces_begin(&w, s->ctx, *text, strlen(*text), s->where);
    if (status == AT_OK && step->apply) step->apply(step->params, &w);
    if (status == AT_OK) status = w.status;
    if (status == AT_OK && !(*text = at_arena_strdup(s->arena, w.now.text))) status = AT_E_NOMEM;
    at_pieces_deinit(&w);
    return status;
}

static at_status add_pattern(const at_section *s, at_added *a, int32_t i)
{
    const at_added_token *token = &a->list[i];
    at_added_matcher *m = token->normalized ? &a->normalized : &a->plain;
    const char *text = token->content;
    if (token->normalized) AT_TRY(normalize(s, &text));
    if (*text) {
        m->list[m->n] = (at_added_pattern){text, (int32_t)strlen(text), i, m->n};
        m->n++;
    }
    return AT_OK;
}

/* The id of a token that may be the model's, an earlier added one's, or the next free one. */
static int32_t find_id(const at_added *a, const at_vocab *v, int64_t i)
{
    const char *content = a->list[i].content;
    int64_t next = v->n;
    for (int64_t k = 0; k < i; k++) {
        if (strcmp(a->list[k].content, content) == 0) return a->list[k].id;
        next = at_max(next, a->list[k].id + (int64_t)1);
    }
    const int32_t id = at_vocab_find(v, content, strlen(content));
    return id >= 0 ? id : (int32_t)next;
}

/* Special tokens before others, so that of two with the same text the special one is found. */
static at_status make_patterns(const at_section *s, at_added *a)
{
    const size_t bytes = (size_t)a->n * sizeof(at_added_pattern);
    if (!(a->plain.list = at_arena_alloc(s->arena, bytes))) return AT_E_NOMEM;
    if (!(a->normalized.list = at_arena_alloc(s->arena, bytes))) return AT_E_NOMEM;
    for (int round = 0; round < 2; round++)
        for (int32_t i = 0; i < a->n; i++)
            if (a->list[i].special == (round == 0)) AT_TRY(add_pattern(s, a, i));
    index_patterns(&a->plain);
    index_patterns(&a->normalized);
    return AT_OK;
}

static at_status read_token(const at_section *s, at_added_token *out, int64_t *id)
{
    AT_TRY(at_section_text(s, &out->content, "content", NULL));
    AT_TRY(at_section_whole(s, id, "id", -1, AT_VOCAB_LIMIT - 1, -1));
    AT_TRY(at_section_flag(s, &out->special, "special", false));
    AT_TRY(at_section_flag(s, &out->normalized, "normalized", !out->special));
    AT_TRY(at_section_flag(s, &out->lstrip, "lstrip", false));
    AT_TRY(at_section_flag(s, &out->rstrip, "rstrip", false));
    return at_section_flag(s, &out->single_word, "single_word", false);
}

at_status at_added_parse(const at_section *s, const at_tree *list)
{
    at_added *a = &s->t->added;
    if (!list || list->kind == AT_NULL) return AT_OK;
    AT_REQUIRE(s->ctx, list->kind == AT_LIST, AT_E_FORMAT, "%s: added_tokens must be a list, it is %s",
               s->where, at_tree_kind_name(list->kind));
    if (!(a->list = at_arena_alloc(s->arena, (size_t)list->n * sizeof *a->list))) return AT_E_NOMEM;
    for (const at_tree *c = list->first; c; c = c->next) {
        at_section child;
        int64_t id;
        AT_TRY(at_section_child(&child, s, c, ": added_tokens", a->n));
        at_added_token *token = &a->list[a->n];
        AT_TRY(read_token(&child, token, &id));
        if (!*token->content) continue;
        token->id = find_id(a, &s->t->vocab, a->n++);
        AT_REQUIRE(
            s->ctx, id < 0 || id == token->id, AT_E_FORMAT,
            "%s: \"%s\" has id %lld, but %d by the vocabulary; write the file anew with the library that "
            "made it",
            child.where, token->content, (long long)id, token->id);
    }
    return make_patterns(s, a);
}
