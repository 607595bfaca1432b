/* encode.c: one text or a pair to ids: the stages of a tokenizer in their order, truncation, special tokens.
 * Layer: text. */
#include "text/tokenizer_internal.h"

struct at_encode_work {
    at_pieces pieces;
    at_found_list found[2];         /* of text and pair; of all words and one */
    at_text word;                   /* a word behind a blank */
    uint8_t owner[AT_DIGEST_BYTES]; /* the tokenizer whose words are remembered */
};

/* ---- One text to tokens ---- */

static at_status find_tokens(at_ctx *ctx, const at_tokenizer *t, struct at_encode_work *work, int sequence,
                             const char *text, size_t n)
{
    at_pieces *w = &work->pieces;
    AT_TRY(at_pieces_begin(w, ctx, text, n, sequence ? "the second text" : "the text"));
    if (t->added.plain.n) at_added_extract(&t->added, &t->added.plain, w);
    if (t->normalizer.apply) t->normalizer.apply(t->normalizer.params, w);
    at_added_extract(&t->added, &t->added.normalized, w); /* drops pieces that became empty, too */
    if (t->pre_tokenizer.apply) t->pre_tokenizer.apply(t->pre_tokenizer.params, w);
    at_pieces_tokenize(w, &work->found[sequence], t->model->tokenize, t->model_params, t->model->cached);
    return w->status;
}

/* ---- Words to tokens ---- */

/* Put the tokens of one word behind those of the others. */
static at_status append(at_ctx *ctx, at_found_list *all, const at_found_list *one, int32_t word)
{
    if (all->n + one->n > all->room) {
        const int64_t room = at_max(64, 2 * (all->n + one->n));
        at_found *list =
            at_realloc(ctx, all->list, (size_t)all->room * sizeof *list, (size_t)room * sizeof *list);
        if (!list) return AT_E_NOMEM;
        all->list = list;
        all->room = room;
    }
    for (int64_t i = 0; i < one->n; i++) {
        all->list[all->n] = one->list[i];
        all->list[all->n++].word = word;
    }
    return AT_OK;
}

static at_status find_tokens_of_word(at_ctx *ctx, const at_tokenizer *t, struct at_encode_work *work,
                                     const at_cell *word)
{
    if (!t->of_bytes || (word->n > 0 && *word->text == ' '))
        return find_tokens(ctx, t, work, 1, word->text, word->n);
    at_text *behind_blank = &work->word;
    behind_blank->ctx = ctx;
    behind_blank->size = 0;
    at_text_add(behind_blank, " ");
    at_text_bytes(behind_blank, word->text, word->n);
    AT_TRY(at_text_status(behind_blank));
    return find_tokens(ctx, t, work, 1, behind_blank->data, behind_blank->size);
}

static at_status find_tokens_of_words(at_ctx *ctx, const at_tokenizer *t, struct at_encode_work *work,
                                      const at_cell *words, int64_t n)
{
    work->found[0].n = 0;
    for (int64_t i = 0; i < n; i++) {
        AT_TRY(find_tokens_of_word(ctx, t, work, &words[i]));
        AT_TRY(append(ctx, &work->found[0], &work->found[1], (int32_t)i));
    }
    work->found[1].n = 0;
    return AT_OK;
}

/* ---- Truncation ---- */

/* How many tokens of both texts stay where `most` may: the longer one is cut first, then both in turn; the
 * odd token is the longer text's. (truncate_encodings in Hugging Face's `tokenizers`.) */
static void longest_first(int64_t n[2], int64_t most)
{
    const int shorter = n[0] > n[1], longer = !shorter;
    if (n[0] + n[1] <= most) return;
    n[longer] = n[shorter] > most ? n[shorter] : at_max(n[shorter], most - n[shorter]);
    if (n[0] + n[1] <= most) return;
    n[shorter] = most / 2;
    n[longer] = most - n[shorter];
}

static int64_t special_tokens(const at_template *template)
{
    int64_t n = 0;
    for (int64_t i = 0; i < template->n; i++) n += template->list[i].sequence < 0;
    return n;
}

static at_status truncate(at_ctx *ctx, at_encoding *out, at_found_list found[2], int64_t max_length,
                          int64_t n_special)
{
    if (max_length == 0) return AT_OK;
    AT_REQUIRE(ctx, max_length >= n_special, AT_E_RANGE,
               "a length of %lld tokens has no room for the %lld special ones", (long long)max_length,
               (long long)n_special);
    int64_t n[2] = {found[0].n, found[1].n};
    longest_first(n, max_length - n_special);
    out->truncated = n[0] < found[0].n || n[1] < found[1].n;
    found[0].n = n[0];
    found[1].n = n[1];
    return AT_OK;
}

/* ---- Spans without blanks ---- */

/* Blanks at one end of a token of bytes: U+0120 is a blank as ByteLevel writes it. */
static int32_t leading_blanks(const char *token)
{
    uint32_t code;
    int32_t n = 0;
    while (*token) {
        token += at_utf8_next(&code, token);
        if (code != 0x120 && !at_is_space(code)) break;
        n++;
    }
    return n;
}

static int32_t trailing_blanks(const char *token)
{
    uint32_t code;
    int32_t n = 0; /* blanks since the last character that is none */
    while (*token) {
        token += at_utf8_next(&code, token);
        n = code == 0x120 || at_is_space(code) ? n + 1 : 0;
    }
    return n;
}

static bool continues(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

static void trim_start(at_found *f, const char *text, int32_t characters)
{
    for (; characters > 0 && f->first < f->end; characters--) do
            f->first++;
        while (f->first < f->end && continues(text[f->first]));
}

/* Not at all where there are fewer characters before. */
static void trim_end(at_found *f, const char *text, int32_t characters)
{
    int32_t end = f->end;
    for (; characters > 0 && end > 0; characters--) do
            end--;
        while (end > 0 && continues(text[end]));
    if (characters == 0) f->end = (int32_t)at_max(end, f->first);
}

/* (process_offsets of ByteLevel in Hugging Face's `tokenizers`; it, too, counts characters.) */
static void trim(const at_tokenizer *t, at_found_list *found, const char *text)
{
    for (int64_t i = 0; i < found->n; i++) {
        at_found *f = &found->list[i];
        const char *token = at_tokenizer_token(t, f->id);
        if (!token) continue;
        int32_t leading = leading_blanks(token);
        if (leading > 0 && (i == 0 || f->first == 0) && t->post.prefix_space) leading--;
        trim_start(f, text, leading);
        trim_end(f, text, trailing_blanks(token));
    }
}

/* ---- Putting together ---- */

static at_status make_room(at_ctx *ctx, at_encoding *e, int64_t n)
{
    if (n <= e->room) return AT_OK;
    const int64_t room = at_max(64, 2 * n);
    int32_t *ids = at_alloc_array(ctx, room, sizeof *ids), *types = at_alloc_array(ctx, room, sizeof *types);
    at_token_span *spans = at_alloc_array(ctx, room, sizeof *spans);
    if (!ids || !types || !spans) {
        at_free(ctx, ids);
        at_free(ctx, types);
        at_free(ctx, spans);
        return AT_E_NOMEM;
    }
    at_free(ctx, e->ids); /* what is there is of the last text */
    at_free(ctx, e->type_ids);
    at_free(ctx, e->spans);
    *e = (at_encoding){ids, types, spans, 0, room, e->truncated, e->work};
    return AT_OK;
}

static void put(at_encoding *e, int32_t id, int32_t type, at_token_span span)
{
    e->ids[e->n] = id;
    e->type_ids[e->n] = type;
    e->spans[e->n++] = span;
}

static void put_all(at_encoding *e, const at_found_list *found, int32_t sequence, int32_t type)
{
    for (int64_t i = 0; i < found->n; i++) {
        const at_found *f = &found->list[i];
        put(e, f->id, type, (at_token_span){f->first, f->end, f->word, sequence});
    }
}

static at_status assemble(at_ctx *ctx, at_encoding *e, const at_template *template,
                          const at_found_list *found, bool special)
{
    int64_t n = 0;
    for (int64_t i = 0; i < template->n; i++) {
        const at_template_item *item = &template->list[i];
        n += item->sequence < 0 ? 1 : found[item->sequence].n;
    }
    AT_TRY(make_room(ctx, e, n));
    for (int64_t i = 0; i < template->n; i++) {
        const at_template_item *item = &template->list[i];
        if (item->sequence >= 0)
            put_all(e, &found[item->sequence], item->sequence, item->type);
        else if (special)
            put(e, item->id, item->type, (at_token_span){-1, -1, -1, -1});
    }
    return AT_OK;
}

static const at_template_item plain_items[] = {{-1, 0, 0}, {-1, 1, 1}};

static at_template choose_template(const at_post *post, bool pair)
{
    const at_template *chosen = pair ? &post->pair : &post->single;
    return chosen->list ? *chosen : (at_template){plain_items, pair ? 2 : 1};
}

static at_status begin(at_ctx *ctx, const at_tokenizer *t, at_encoding *out, int64_t max_length)
{
    out->n = 0;
    out->truncated = false;
    AT_REQUIRE(ctx, max_length >= 0, AT_E_ARG, "max_length must be 0 or more, it is %lld",
               (long long)max_length);
    if (!out->work) AT_NEW(ctx, out->work, 1);
    if (memcmp(out->work->owner, t->identity, sizeof t->identity) != 0) {
        at_pieces_forget(&out->work->pieces);
        memcpy(out->work->owner, t->identity, sizeof t->identity);
    }
    return AT_OK;
}

at_status at_tokenizer_encode(at_ctx *ctx, const at_tokenizer *t, at_encoding *out, const char *text,
                              size_t n, const char *pair, size_t n_pair, int64_t max_length, bool special)
{
    AT_TRY(begin(ctx, t, out, max_length));
    at_found_list *found = out->work->found;
    AT_TRY(find_tokens(ctx, t, out->work, 0, text, n));
    found[1].n = 0;
    if (pair) AT_TRY(find_tokens(ctx, t, out->work, 1, pair, n_pair));
    const at_template template = choose_template(&t->post, pair != NULL);
    AT_TRY(truncate(ctx, out, found, max_length, special ? special_tokens(&template) : 0));
    if (t->post.trim) trim(t, &found[0], text);
    if (t->post.trim) trim(t, &found[1], pair);
    return assemble(ctx, out, &template, found, special);
}

at_status at_tokenizer_encode_words(at_ctx *ctx, const at_tokenizer *t, at_encoding *out,
                                    const at_cell *words, int64_t n, int64_t max_length, bool special)
{
    AT_TRY(begin(ctx, t, out, max_length));
    at_found_list *found = out->work->found;
    AT_TRY(find_tokens_of_words(ctx, t, out->work, words, n));
    const at_template template = choose_template(&t->post, false);
    AT_TRY(truncate(ctx, out, found, max_length, special ? special_tokens(&template) : 0));
    return assemble(ctx, out, &template, found, special);
}

void at_encoding_deinit(at_ctx *ctx, at_encoding *e)
{
    at_free(ctx, e->ids);
    at_free(ctx, e->type_ids);
    at_free(ctx, e->spans);
    if (e->work) {
        e->work->pieces.ctx = ctx;
        at_pieces_deinit(&e->work->pieces);
        for (int i = 0; i < 2; i++) at_free(ctx, e->work->found[i].list);
        e->work->word.ctx = ctx;
        at_text_deinit(&e->work->word);
        at_free(ctx, e->work);
    }
    *e = (at_encoding){0};
}
