/* pieces.h: the text on its way to tokens. Layer: text.
 *
 * A text is a sequence of pieces: normalizers rewrite their characters, pre-tokenizers cut them. Each byte of
 * the present text knows which bytes of the original it stands for, so that a token's place leads back to
 * what was given. Where a character of the result belongs follows the rules of NormalizedString in Hugging
 * Face's `tokenizers`; the comments at at_emit and at_cut say them.
 *
 * A step calls at_pieces_rewrite or at_pieces_split with a function that sees one open piece at a time. The
 * first failure sticks (status); later calls do nothing. */
#ifndef AT_PIECES_H
#define AT_PIECES_H

#include "text/unicode.h"

typedef struct at_range {
    int32_t first, end;
} at_range;

typedef struct at_piece {
    at_range at;    /* bytes of the present text */
    int32_t origin; /* byte of the original text where it begins */
    int32_t token;  /* the added token that it is, -1 = open: still text */
} at_piece;

typedef struct at_lettering { /* a text whose bytes know where they come from */
    char *text;               /* NUL-terminated */
    at_range *from; /* for each byte: bytes of the original; the same for all bytes of a character */
    int32_t n;
    int64_t room;
} at_lettering;

typedef struct at_piece_list {
    at_piece *list;
    int64_t n, room;
} at_piece_list;

typedef struct at_found { /* a token of the result */
    int32_t id;
    int32_t first, end; /* bytes of the original text; of the piece while the model sees it */
    int32_t word;       /* index of its piece */
} at_found;

typedef struct at_found_list {
    at_found *list;
    int64_t n, room;
} at_found_list;

/* Words whose tokens are known, so that a model sees a word once. Bounded: when it is full it is emptied. */
typedef struct at_word_cache {
    struct at_cached_word *slot; /* by hash, at most one word each */
    char *text;                  /* the words, one after the other */
    at_found *found;             /* and their tokens, places in the word */
    int32_t n_text, n_found;
} at_word_cache;

typedef struct at_pieces {
    at_ctx *ctx;
    at_status status;
    at_lettering now, old;    /* old: what a rewriting reads */
    at_piece_list list, past; /* past: what a step reads */
    const at_piece *piece;    /* the one that the step's function sees, with its bytes in what is read */
    int32_t read;             /* of `old`: next byte of a rewriting */
    int32_t word;             /* index of the piece that the model sees */
    at_found_list *found;     /* where at_found_add puts tokens */
    at_word_cache cache;      /* of the tokenizer that used it last */
    char *scratch;            /* for a step's own use: at_pieces_scratch */
    size_t scratch_room;
} at_pieces;

enum { AT_TEXT_LIMIT = 1 << 28 }; /* bytes of one text, normalised */

/* One piece, the whole text. Invalid UTF-8 and texts above AT_TEXT_LIMIT are errors; `what` names the text.
 */
at_status at_pieces_begin(at_pieces *w, at_ctx *ctx, const char *text, size_t n,
                          const char *what) AT_MUST_USE;
void at_pieces_deinit(at_pieces *w);

/* Sees one open piece: n bytes, a NUL behind those of the last. */
typedef void (*at_piece_fn)(at_pieces *w, const void *params, const char *text, int32_t n);

/* No byte of the present text is above 0x7f. */
bool at_pieces_are_ascii(const at_pieces *w);

/* Rewriting: fn emits what the piece's text becomes. */
void at_pieces_rewrite(at_pieces *w, at_piece_fn fn, const void *params);

/* The next character of the result. change 0: it takes the place of the next character that was; n < 0: of
 * that and -n more; 1: it is new. It belongs to where the (first) replaced character came from; a new one to
 * where the character before the reading place came from, at the start of a piece to its origin, empty. */
void at_emit(at_pieces *w, uint32_t code, int change);
void at_emit_text(at_pieces *w, const char *text, int change); /* each of its characters */
/* New characters that belong to the next one. */
void at_emit_before(at_pieces *w, const char *text);
/* The next n bytes of the piece stay as they are, or go. */
void at_keep(at_pieces *w, int32_t n);
void at_drop(at_pieces *w, int32_t n);

/* Splitting: fn cuts pieces out, from left to right; what it does not name is dropped, empty pieces are
 * none. */
void at_pieces_split(at_pieces *w, at_piece_fn fn, const void *params);
void at_cut(at_pieces *w, int32_t first, int32_t end);
void at_cut_token(at_pieces *w, int32_t first, int32_t end, int32_t token);

/* For the model: fn finds the tokens of each piece, which depend on its bytes alone. cached: words are
 * remembered; at_pieces_forget when another tokenizer comes. first, end: bytes of the piece. */
void at_pieces_tokenize(at_pieces *w, at_found_list *found, at_piece_fn fn, const void *params, bool cached);
void at_pieces_forget(at_pieces *w);
void at_found_add(at_pieces *w, int32_t id, int32_t first, int32_t end);

/* Record a failure; w->status is its code. */
void at_pieces_fail(at_pieces *w, at_status status);

/* Memory that lives until the next call, or NULL (recorded). */
void *at_pieces_scratch(at_pieces *w, size_t bytes);

/* ---- Cutting where something matches ---- */

typedef enum at_behaviour { /* what becomes of a match; the names are those of tokenizer.json */
                            AT_REMOVED,
                            AT_ISOLATED,
                            AT_MERGED_WITH_PREVIOUS,
                            AT_MERGED_WITH_NEXT,
                            AT_CONTIGUOUS
} at_behaviour;

typedef struct at_splitter {
    at_pieces *w;
    at_behaviour behaviour;
    bool invert; /* matches are what is between matches */
    at_range held;
    bool holds, after_match;
    int32_t at; /* end of the last match */
} at_splitter;

/* Matches come from left to right; end gives the length of the piece. */
void at_splitter_begin(at_splitter *s, at_pieces *w, at_behaviour behaviour, bool invert);
void at_splitter_match(at_splitter *s, int32_t first, int32_t end);
void at_splitter_end(at_splitter *s, int32_t n);

/* The characters of a class match. */
void at_split_class(at_pieces *w, const char *text, int32_t n, bool (*is)(uint32_t c),
                    at_behaviour behaviour);

#endif
