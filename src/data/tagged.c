/* tagged.c: tagged sentences from bytes. Layer: data. Reading path: at_tagged_parse, read_conll (or
 * read_json, read_plain), put_word, end_sentence; then finish: names of tags, texts, contents. */
#include "data/tagged.h"
#include "data/texts_internal.h"
#include "formats/file.h"
#include "formats/tree_internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { MOST_COLUMNS = 64, MOST_TAGS = 10000, SHOWN_BYTES = 100 };

typedef struct reader {
    at_tagged *t;
    at_ctx *ctx;
    const at_tagged_options *o;
    at__values tags; /* in the order in which they come, or as given */
    bool given;
    int64_t room, starts; /* of the arrays of words and of sentences */
    const char *next, *end;
    int64_t line;
    bool universal;              /* .conllu */
    int text_column, tag_column; /* from 0; -1 = the last */
    int n_columns;               /* of the first row; 0 = there was none */
    int64_t first_row;           /* its line */
} reader;

/* ---- Endings ---- */

static bool ends_with(const char *path, const char *const *endings, int n)
{
    const char *dot = strrchr(path, '.');
    for (int i = 0; dot && i < n; i++)
        if (strcasecmp(dot, endings[i]) == 0) return true;
    return false;
}

static const char *const conll_endings[] = {".conll", ".conllu", ".bio", ".iob", ".iob2"};

static bool is_json(const char *path)
{
    static const char *const endings[] = {".jsonl", ".ndjson"};
    return ends_with(path, endings, AT_COUNT(endings));
}

static bool is_tagged_name(const char *path)
{
    if (!at_path_is_folder(path)) return ends_with(path, conll_endings, AT_COUNT(conll_endings));
    for (int i = 0; i < AT_COUNT(conll_endings); i++) {
        char name[4096];
        if (snprintf(name, sizeof name, "%s/train%s", path, conll_endings[i]) >= (int)sizeof name)
            return false;
        if (at_path_exists(name)) return true;
    }
    return false;
}

/* ---- Words and sentences ---- */

static at_status grow(at_ctx *ctx, void **list, int64_t *room, int64_t to, size_t size)
{
    void *grown = at_realloc(ctx, *list, (size_t)*room * size, (size_t)to * size);
    if (!grown) return AT_E_NOMEM;
    *list = grown;
    return AT_OK;
}

static at_status make_room(reader *r)
{
    at_tagged *t = r->t;
    const int64_t to = at_max(256, 2 * r->room);
    if (t->n_words < r->room) return AT_OK;
    AT_TRY(grow(r->ctx, (void **)&t->words, &r->room, to, sizeof *t->words));
    AT_TRY(grow(r->ctx, (void **)&t->tag, &r->room, to, sizeof *t->tag));
    AT_TRY(grow(r->ctx, (void **)&t->line, &r->room, to, sizeof *t->line));
    AT_TRY(grow(r->ctx, (void **)&t->place, &r->room, to, sizeof *t->place));
    r->room = to;
    return AT_OK;
}

static at_status unknown_tag(const reader *r, at_cell tag)
{
    enum { SHOWN = 20 };
    at_text list;
    at_text_init(&list, r->ctx);
    for (int64_t i = 0; i < r->tags.n && i < SHOWN; i++)
        at_text_printf(&list, "%s%s", i ? ", " : "", r->tags.list[i].text);
    if (r->tags.n > SHOWN) at_text_add(&list, ", ...");
    at_status status = at_text_status(&list);
    if (status == AT_OK)
        status = at_fail(r->ctx, AT_E_FORMAT,
                         "%s:%lld: tag %.*s is not among the %lld of training (%s); correct it or remove the "
                         "sentence",
                         r->t->path, (long long)r->line, (int)at_min((int64_t)tag.n, SHOWN_BYTES), tag.text,
                         (long long)r->tags.n, list.data);
    at_text_deinit(&list);
    return status;
}

static at_status number_tag(reader *r, at_cell tag, int32_t *out)
{
    *out = -1;
    if (r->o->predicts) return AT_OK;
    AT_REQUIRE(r->ctx, tag.n > 0, AT_E_FORMAT,
               "%s:%lld: the tag is empty; a word outside of every entity has the tag O", r->t->path,
               (long long)r->line);
    if (r->given) {
        *out = at__values_find(&r->tags, tag);
        return *out < 0 ? unknown_tag(r, tag) : AT_OK;
    }
    AT_TRY(at__values_add(&r->tags, out, tag));
    AT_REQUIRE(r->ctx, r->tags.n <= MOST_TAGS, AT_E_FORMAT,
               "%s:%lld: more than %d different tags; is that the column of the tags? Set data.label",
               r->t->path, (long long)r->line, (int)MOST_TAGS);
    return AT_OK;
}

/* word, tag: borrowed, as long as the set lives. */
static at_status put_word(reader *r, at_cell word, at_cell tag, int64_t place)
{
    at_tagged *t = r->t;
    AT_REQUIRE(r->ctx, word.n > 0, AT_E_FORMAT, "%s:%lld: the word is empty; fill it in or remove the line",
               t->path, (long long)r->line);
    AT_TRY(make_room(r));
    AT_TRY(number_tag(r, tag, &t->tag[t->n_words]));
    t->words[t->n_words] = word;
    t->line[t->n_words] = r->line;
    t->place[t->n_words++] = place;
    return AT_OK;
}

/* Nothing where no word has come since the last one. */
static at_status end_sentence(reader *r)
{
    at_tagged *t = r->t;
    if (t->n_words == (t->n ? t->start[t->n] : 0)) return AT_OK;
    AT_REQUIRE(r->ctx, t->n < INT32_MAX, AT_E_FORMAT, "%s: more than %d sentences", t->path, INT32_MAX);
    if (t->n + 2 > r->starts) {
        const int64_t to = at_max(64, 2 * (t->n + 2));
        AT_TRY(grow(r->ctx, (void **)&t->start, &r->starts, to, sizeof *t->start));
        r->starts = to;
    }
    t->start[++t->n] = t->n_words;
    return AT_OK;
}

/* ---- Lines ---- */

/* The next line without its end, writable and with a NUL behind it; false = there is none. */
static bool next_line(reader *r, char **line, size_t *n)
{
    if (r->next == r->end) return false;
    char *begin = (char *)r->next, *stop = memchr(begin, '\n', (size_t)(r->end - begin));
    r->next = stop ? stop + 1 : r->end;
    if (!stop) stop = begin + (r->end - begin);
    if (stop > begin && stop[-1] == '\r') stop--;
    *stop = '\0';
    *line = begin;
    *n = (size_t)(stop - begin);
    r->line++;
    return true;
}

static at_status check_line(const reader *r, const char *line, size_t n)
{
    AT_REQUIRE(r->ctx, !memchr(line, '\0', n), AT_E_FORMAT,
               "%s:%lld: a NUL byte; is this a text file? Remove it, or save the file as UTF-8", r->t->path,
               (long long)r->line);
    uint32_t code;
    for (size_t i = 0; i < n;) {
        const int width = at_utf8_decode(&code, line + i);
        AT_REQUIRE(r->ctx, width > 0, AT_E_FORMAT,
                   "%s:%lld: invalid UTF-8 at byte %zu of the line; save the file as UTF-8", r->t->path,
                   (long long)r->line, i + 1);
        i += (size_t)width;
    }
    return AT_OK;
}

/* ---- CoNLL ---- */

/* Cut a line in place: at tabs or, where it has none, at blanks. Columns beyond MOST_COLUMNS are counted
 * only; the last one is list[MOST_COLUMNS - 1] then. */
static int cut_columns(char *line, at_cell list[MOST_COLUMNS])
{
    const bool tabs = strchr(line, '\t') != NULL;
    int n = 0;
    while (true) {
        if (!tabs) line += strspn(line, " ");
        const size_t width = strcspn(line, tabs ? "\t" : " ");
        const bool last = !line[width];
        if (width || tabs) list[at_min(n++, MOST_COLUMNS - 1)] = (at_cell){line, width};
        if (last) return n;
        line[width] = '\0';
        line += width + 1;
    }
}

static at_status find_number(const reader *r, const char *given, const char *key, int fallback, int *out)
{
    *out = fallback;
    if (!given) return AT_OK;
    char *end;
    const long x = strtol(given, &end, 10);
    AT_REQUIRE(r->ctx, *given && !*end && x >= 1 && x <= MOST_COLUMNS, AT_E_ARG,
               "%s: %s is %s, must be the number of a column, from 1 on", r->t->path, key, given);
    *out = (int)x - 1;
    return AT_OK;
}

static at_status check_row(reader *r, int n)
{
    const at_tagged *t = r->t;
    if (!r->n_columns) {
        r->n_columns = n;
        r->first_row = r->line;
        AT_REQUIRE(r->ctx, n > 1 || r->o->predicts, AT_E_FORMAT,
                   "%s:%lld: one column only; expected a word and its tag, separated by a tab or blanks",
                   t->path, (long long)r->line);
        const int most = (int)at_max(r->text_column, r->o->predicts ? 0 : r->tag_column) + 1;
        AT_REQUIRE(r->ctx, n <= MOST_COLUMNS && most <= n, AT_E_FORMAT,
                   "%s:%lld: %d columns; expected %d to %d (data.text, data.label)", t->path,
                   (long long)r->line, n, most, (int)MOST_COLUMNS);
    }
    AT_REQUIRE(r->ctx, n == r->n_columns, AT_E_FORMAT,
               "%s:%lld: %d column%s, but line %lld has %d; a word and its tag are missing or too much here",
               t->path, (long long)r->line, n, n == 1 ? "" : "s", (long long)r->first_row, r->n_columns);
    return AT_OK;
}

/* Of Universal Dependencies: a range of words, or a node that stands for no word. */
static bool is_no_word(at_cell id)
{
    return strpbrk(id.text, "-.") != NULL;
}

static bool is_blank(const char *line)
{
    while (at__is_space(*line)) line++;
    return !*line;
}

static at_status read_row(reader *r, char *line)
{
    at_cell cells[MOST_COLUMNS];
    if (is_blank(line) || strncmp(line, "-DOCSTART-", 10) == 0) return end_sentence(r);
    if (r->universal && *line == '#') return AT_OK;
    const int n = cut_columns(line, cells);
    AT_TRY(check_row(r, n));
    if (r->universal && is_no_word(cells[0])) return AT_OK;
    const at_cell *tag = &cells[r->tag_column < 0 || r->o->predicts ? n - 1 : r->tag_column];
    return put_word(r, at__trim(&cells[r->text_column]), at__trim(tag), 0);
}

static at_status read_conll(reader *r)
{
    static const char *const endings[] = {".conllu"};
    char *line;
    size_t n;
    r->universal = ends_with(r->t->path, endings, 1);
    AT_TRY(find_number(r, r->o->text, "data.text", r->universal ? 1 : 0, &r->text_column));
    AT_TRY(find_number(r, r->o->label, "data.label", r->universal ? 3 : -1, &r->tag_column));
    while (next_line(r, &line, &n)) {
        AT_TRY(check_line(r, line, n));
        AT_TRY(read_row(r, line));
    }
    return end_sentence(r);
}

/* ---- JSON lines ---- */

static const char *const word_keys[] = {"tokens", "words", NULL};
static const char *const tag_keys[] = {"ner_tags", "tags", "labels", "pos_tags", NULL};

/* The list of this name or, without one, of the first of the usual names. */
static at_status find_list(const reader *r, const at_tree *map, const char *given, const char *const *usual,
                           const at_tree **out)
{
    *out = given ? at_tree_get(map, given) : NULL;
    for (; !given && !*out && *usual; usual++) *out = at_tree_get(map, *usual);
    AT_REQUIRE(r->ctx, !*out || (*out)->kind == AT_LIST, AT_E_FORMAT, "%s:%lld: \"%s\" is %s, must be a list",
               r->t->path, (long long)r->line, (*out)->key, at_tree_kind_name((*out)->kind));
    return AT_OK;
}

static at_status copy_text(reader *r, const at_tree *item, const char *what, at_cell *out)
{
    AT_REQUIRE(r->ctx, item->kind == AT_STRING, AT_E_FORMAT, "%s:%lld: a %s is %s, must be a text",
               r->t->path, (long long)r->line, what, at_tree_kind_name(item->kind));
    out->n = strlen(item->text);
    out->text = at_arena_strdup(&r->t->arena, item->text);
    return out->text ? AT_OK : AT_E_NOMEM;
}

/* The name of a tag that is a number, from data.tags. */
static at_status name_number(reader *r, int64_t number, at_cell *out)
{
    const char *name = r->o->tags;
    AT_REQUIRE(r->ctx, name, AT_E_FORMAT,
               "%s:%lld: the tags are numbers; name them, in the order of their numbers, by data.tags "
               "(\"O,B-PER,I-PER\"), or write the tags' names into the file",
               r->t->path, (long long)r->line);
    for (int64_t i = 0; name && i < number; i++) {
        name = strchr(name, ',');
        if (name) name++;
    }
    AT_REQUIRE(r->ctx, name && number >= 0, AT_E_FORMAT,
               "%s:%lld: tag %lld is not among those of data.tags (%s)", r->t->path, (long long)r->line,
               (long long)number, r->o->tags);
    const at_cell cell = {name, strcspn(name, ",")};
    const at_cell trimmed = at__trim(&cell);
    out->n = trimmed.n;
    out->text = at_arena_printf(&r->t->arena, "%.*s", (int)trimmed.n, trimmed.text);
    return out->text ? AT_OK : AT_E_NOMEM;
}

static at_status put_words(reader *r, const at_tree *words, const at_tree *tags)
{
    const at_tree *tag = tags ? tags->first : NULL;
    for (const at_tree *word = words->first; word; word = word->next) {
        at_cell text, name = {"", 0};
        AT_TRY(copy_text(r, word, "word", &text));
        if (tag && tag->kind == AT_WHOLE)
            AT_TRY(name_number(r, tag->whole, &name));
        else if (tag)
            AT_TRY(copy_text(r, tag, "tag", &name));
        AT_TRY(put_word(r, text, name, 0));
        if (tag) tag = tag->next;
    }
    return end_sentence(r);
}

static at_status read_object(reader *r, at_arena *scratch, const char *line, size_t n)
{
    const at_tree *words, *tags = NULL;
    at_tree *map;
    AT_TRY(at__json_parse_piece(scratch, &map, line, n, (at__place){r->t->path, (int)r->line, 1}));
    AT_REQUIRE(r->ctx, map->kind == AT_MAP, AT_E_FORMAT, "%s:%lld: a line must be a map, it is %s",
               r->t->path, (long long)r->line, at_tree_kind_name(map->kind));
    AT_TRY(find_list(r, map, r->o->text, word_keys, &words));
    AT_REQUIRE(r->ctx, words, AT_E_FORMAT, "%s:%lld: there is no list of words \"%s\"; set data.text",
               r->t->path, (long long)r->line, r->o->text ? r->o->text : "tokens");
    if (!r->o->predicts) {
        AT_TRY(find_list(r, map, r->o->label, tag_keys, &tags));
        AT_REQUIRE(r->ctx, tags, AT_E_FORMAT, "%s:%lld: there is no list of tags \"%s\"; set data.label",
                   r->t->path, (long long)r->line, r->o->label ? r->o->label : "ner_tags");
        AT_REQUIRE(r->ctx, tags->n == words->n, AT_E_FORMAT,
                   "%s:%lld: %lld words, but %lld tags; each word has one", r->t->path, (long long)r->line,
                   (long long)words->n, (long long)tags->n);
    }
    return put_words(r, words, tags);
}

static at_status read_json(reader *r)
{
    char *line;
    size_t n;
    while (next_line(r, &line, &n)) {
        AT_TRY(check_line(r, line, n));
        if (is_blank(line)) continue;
        at_arena scratch;
        at_arena_init(&scratch, r->ctx);
        const at_status s = read_object(r, &scratch, line, n);
        at_arena_deinit(&scratch);
        AT_TRY(s);
    }
    return AT_OK;
}

/* ---- Plain text ---- */

static at_status read_plain(reader *r)
{
    char *line;
    size_t n;
    while (next_line(r, &line, &n)) {
        AT_TRY(check_line(r, line, n));
        const int64_t before = r->t->n_words;
        for (size_t i = 0; i < n;) {
            size_t end = i;
            while (end < n && !at__is_space(line[end])) end++;
            if (end > i) AT_TRY(put_word(r, (at_cell){line + i, end - i}, (at_cell){"", 0}, (int64_t)i));
            i = end + 1;
        }
        if (r->t->n_words == before) continue;
        AT_TRY(end_sentence(r));
    }
    return AT_OK;
}

/* Does the first row end with one of the classes? */
static bool ends_with_class(const reader *r, const char *bytes, size_t n)
{
    for (const char *end = bytes + n; bytes < end;) {
        const char *stop = memchr(bytes, '\n', (size_t)(end - bytes));
        const at_cell line = {bytes, (size_t)((stop ? stop : end) - bytes)}, row = at__trim(&line);
        bytes = stop ? stop + 1 : end;
        if (row.n == 0 || strncmp(row.text, "-DOCSTART-", at_min(row.n, 10)) == 0) continue;
        size_t first = row.n;
        while (first > 0 && !at__is_space(row.text[first - 1])) first--;
        for (int i = 0; first > 0 && i < r->o->n_classes; i++)
            if (strlen(r->o->classes[i]) == row.n - first &&
                memcmp(r->o->classes[i], row.text + first, row.n - first) == 0)
                return true;
        return false;
    }
    return false;
}

/* ---- When all words are there ---- */

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static at_status name_tags(reader *r)
{
    at_tagged *t = r->t;
    const int64_t n = r->tags.n;
    if (r->o->predicts) return AT_OK;
    AT_REQUIRE(r->ctx, n > 1 || r->given, AT_E_FORMAT,
               "%s: has one tag only, %.*s; there is nothing to tell apart. Is that the column of the tags? "
               "(data.label)",
               t->path, (int)at_min((int64_t)r->tags.list[0].n, SHOWN_BYTES), r->tags.list[0].text);
    t->n_classes = (int)n;
    t->classes = at_arena_alloc(&t->arena, (size_t)n * sizeof *t->classes);
    int32_t *place = at_arena_alloc(&t->arena, (size_t)n * sizeof *place);
    if (!t->classes || !place) return AT_E_NOMEM;
    for (int64_t i = 0; i < n; i++)
        if (!(t->classes[i] =
                  at_arena_printf(&t->arena, "%.*s", (int)r->tags.list[i].n, r->tags.list[i].text)))
            return AT_E_NOMEM;
    if (r->given) return AT_OK;
    qsort(t->classes, (size_t)n, sizeof *t->classes, by_name);
    for (int64_t i = 0; i < n; i++)
        place[at__values_find(&r->tags, (at_cell){t->classes[i], strlen(t->classes[i])})] = (int32_t)i;
    for (int64_t i = 0; i < t->n_words; i++) t->tag[i] = place[t->tag[i]];
    return AT_OK;
}

/* The words with a blank between them. */
static at_status join(at_tagged *t, int64_t sentence)
{
    size_t n = 0;
    for (int64_t i = t->start[sentence]; i < t->start[sentence + 1]; i++) n += t->words[i].n + 1;
    char *text = at_arena_alloc(&t->arena, n), *next = text;
    if (!text) return AT_E_NOMEM;
    for (int64_t i = t->start[sentence]; i < t->start[sentence + 1]; i++) {
        t->place[i] = next - text;
        memcpy(next, t->words[i].text, t->words[i].n);
        next += t->words[i].n;
        *next++ = ' ';
    }
    next[-1] = '\0';
    t->text[sentence] = (at_cell){text, n - 1};
    return AT_OK;
}

/* Of plain text: the line from its first to its last word, and a NUL behind every word. */
static at_status copy_line(at_tagged *t, int64_t sentence)
{
    const int64_t first = t->start[sentence], last = t->start[sentence + 1] - 1, skip = t->place[first];
    const size_t n = (size_t)(t->place[last] - skip) + t->words[last].n;
    char *text = at_arena_alloc(&t->arena, n + 1);
    if (!text) return AT_E_NOMEM;
    memcpy(text, t->words[first].text, n);
    t->text[sentence] = (at_cell){text, n};
    for (int64_t i = first; i <= last; i++) {
        t->place[i] -= skip;
        ((char *)t->words[i].text)[t->words[i].n] = '\0';
    }
    return AT_OK;
}

/* Shares are stratified by the rarest tag of each sentence. */
static int rarest(const at_tagged *t, const int64_t *count, int64_t sentence)
{
    int32_t best = t->tag[t->start[sentence]];
    for (int64_t i = t->start[sentence]; i < t->start[sentence + 1]; i++)
        if (count[t->tag[i]] < count[best]) best = t->tag[i];
    return best;
}

static at_status hash_sentences(reader *r)
{
    at_tagged *t = r->t;
    at_contents c = {
        .n = t->n, .n_labels = t->n_classes, .source = t->path, .noun = "sentence", .holder = "file"};
    int64_t *count = at_arena_alloc(&t->arena, (size_t)t->n_classes * sizeof *count);
    uint8_t *digest = at_arena_alloc(&t->arena, (size_t)t->n * AT_DIGEST_BYTES);
    c.items = at_arena_alloc(&t->arena, (size_t)t->n * sizeof *c.items);
    if (!count || !digest || !c.items) return AT_E_NOMEM;
    for (int64_t i = 0; i < t->n_words; i++) count[t->tag[i]]++;
    for (int64_t i = 0; i < t->n; i++, digest += AT_DIGEST_BYTES) {
        at_digest d;
        at_digest_init(&d);
        at__digest_text(&d, &t->text[i]);
        at_digest_end(&d, digest);
        c.items[i] = (at_content){rarest(t, count, i), digest};
    }
    AT_TRY(at_contents_sort(&t->arena, &c));
    t->contents = c;
    return AT_OK;
}

static at_status finish(reader *r, bool plain)
{
    at_tagged *t = r->t;
    AT_REQUIRE(r->ctx, t->n > 0, AT_E_FORMAT, "%s: there is no sentence in it", t->path);
    AT_TRY(name_tags(r));
    if (!(t->text = at_arena_alloc(&t->arena, (size_t)t->n * sizeof *t->text))) return AT_E_NOMEM;
    for (int64_t i = 0; i < t->n; i++) AT_TRY(plain ? copy_line(t, i) : join(t, i));
    return r->o->predicts ? AT_OK : hash_sentences(r);
}

/* ---- The whole ---- */

static at_status take_given(reader *r, const char *const *classes, int n)
{
    int32_t number;
    r->given = true;
    for (int i = 0; i < n; i++)
        AT_TRY(at__values_add(&r->tags, &number, (at_cell){classes[i], strlen(classes[i])}));
    return AT_OK;
}

static at_status read_bytes(reader *r, const char *bytes, size_t n, const at_tagged *like)
{
    at_tagged *t = r->t;
    if (like)
        AT_TRY(take_given(r, like->classes, like->n_classes));
    else if (r->o->classes)
        AT_TRY(take_given(r, r->o->classes, r->o->n_classes));
    at__skip_mark(&bytes, &n);
    char *copy = at_arena_alloc(&t->arena, n + 1); /* words point into it */
    if (!copy) return AT_E_NOMEM;
    memcpy(copy, bytes, n);
    r->next = copy;
    r->end = copy + n;
    const bool json = is_json(t->path);
    const bool plain = !json && r->o->predicts &&
                       !ends_with(t->path, conll_endings, AT_COUNT(conll_endings)) &&
                       !ends_with_class(r, copy, n);
    AT_TRY(json ? read_json(r) : plain ? read_plain(r) : read_conll(r));
    return finish(r, plain);
}

at_status at_tagged_parse(at_ctx *ctx, at_tagged *out, const char *bytes, size_t n, const char *path,
                          const at_tagged_options *o, const at_tagged *like)
{
    *out = (at_tagged){0};
    at_tagged t = {0};
    reader r = {.t = &t, .ctx = ctx, .o = o};
    at_arena_init(&t.arena, ctx);
    at__values_init(&r.tags, ctx);
    at_status s = (t.path = at_arena_strdup(&t.arena, path)) ? AT_OK : AT_E_NOMEM;
    if (s == AT_OK) s = read_bytes(&r, bytes, n, like);
    at__values_deinit(&r.tags);
    if (s == AT_OK)
        *out = t;
    else
        at_tagged_deinit(&t);
    return s;
}

at_status at_tagged_read(at_ctx *ctx, at_tagged *out, const char *path, const at_tagged_options *o,
                         const at_tagged *like)
{
    at_file file;
    *out = (at_tagged){0};
    AT_TRY(at_file_map(ctx, &file, path));
    const at_status s = at_tagged_parse(ctx, out, (const char *)file.data, file.size, path, o, like);
    at_file_unmap(ctx, &file);
    return s;
}

void at_tagged_deinit(at_tagged *t)
{
    at_ctx *ctx = t->arena.ctx;
    if (!ctx) return;
    at_free(ctx, t->start);
    at_free(ctx, t->words);
    at_free(ctx, t->tag);
    at_free(ctx, t->line);
    at_free(ctx, t->place);
    at_arena_deinit(&t->arena);
    *t = (at_tagged){0};
}

/* ---- Recognising ---- */

enum { LOOK_BYTES = 1 << 16 };

/* Of IOB and IOBES: no other column looks like that. */
static bool is_entity_tag(const char *tag)
{
    return strcmp(tag, "O") == 0 || (*tag && strchr("BIES", *tag) && tag[1] == '-' && tag[2]);
}

static bool are_tagged_rows(at_ctx *ctx, const char *bytes, size_t n, const char *path)
{
    at_tagged t;
    if (at_tagged_parse(ctx, &t, bytes, n, path, &(at_tagged_options){0}, NULL) != AT_OK) return false;
    bool all = t.n_classes > 1;
    for (int i = 0; i < t.n_classes && all; i++) all = is_entity_tag(t.classes[i]);
    at_tagged_deinit(&t);
    return all;
}

static bool is_tagged_object(const reader *r, const at_tree *map)
{
    const at_tree *words, *tags;
    if (map->kind != AT_MAP || find_list(r, map, NULL, word_keys, &words) != AT_OK || !words ||
        find_list(r, map, NULL, tag_keys, &tags) != AT_OK || !tags || words->n != tags->n)
        return false;
    for (const at_tree *t = map->first; t; t = t->next)
        if (t->kind != AT_LIST && (at_names_text(t->key) || at_names_label(t->key))) return false;
    for (const at_tree *t = words->first; t; t = t->next)
        if (t->kind != AT_STRING) return false;
    return true;
}

static bool are_tagged_objects(at_ctx *ctx, char *bytes, size_t n, const char *path)
{
    at_tagged t = {.path = path};
    reader r = {.t = &t, .ctx = ctx, .next = bytes, .end = bytes + n};
    char *line;
    bool any = false, all = true;
    while (all && next_line(&r, &line, &n)) {
        if (is_blank(line)) continue;
        at_arena scratch;
        at_tree *map;
        at_arena_init(&scratch, ctx);
        all = at__json_parse_piece(&scratch, &map, line, n, (at__place){path, (int)r.line, 1}) == AT_OK &&
              is_tagged_object(&r, map);
        at_arena_deinit(&scratch);
        any = true;
    }
    return any && all;
}

/* Whole lines alone are looked at. */
static bool looks_tagged(at_arena *a, const char *bytes, size_t n, const char *path)
{
    at__skip_mark(&bytes, &n);
    if (n > LOOK_BYTES)
        for (n = LOOK_BYTES; n > 0 && bytes[n - 1] != '\n';) n--;
    char *copy = n ? at_arena_alloc(a, n + 1) : NULL;
    if (!copy) return false;
    memcpy(copy, bytes, n);
    return is_json(path) ? are_tagged_objects(a->ctx, copy, n, path) : are_tagged_rows(a->ctx, copy, n, path);
}

bool at_looks_tagged(at_ctx *ctx, const char *bytes, size_t n, const char *path)
{
    at_ctx quiet; /* where failures stay */
    at_arena a;
    at_ctx_fork(&quiet, ctx);
    at_arena_init(&a, &quiet);
    const bool looks = looks_tagged(&a, bytes, n, path);
    at_arena_deinit(&a);
    return looks;
}

static bool holds_tagged(at_arena *a, const char *path)
{
    at_text_splits found;
    at_file file;
    if (at_texts_find_splits(a, &found, path) != AT_OK || !found.train ||
        at_file_map(a->ctx, &file, found.train) != AT_OK)
        return false;
    const bool looks = at_looks_tagged(a->ctx, (const char *)file.data, file.size, found.train);
    at_file_unmap(a->ctx, &file);
    return looks;
}

bool at_is_tagged(at_ctx *ctx, const char *path)
{
    at_ctx quiet;
    at_arena a;
    if (is_tagged_name(path)) return true;
    at_ctx_fork(&quiet, ctx);
    at_arena_init(&a, &quiet);
    const bool holds = holds_tagged(&a, path);
    at_arena_deinit(&a);
    return holds;
}
