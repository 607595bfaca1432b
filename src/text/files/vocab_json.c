/* vocab.json and merges.txt: byte-level BPE as GPT-2 and RoBERTa have it. RoBERTa's special tokens stand
 * around the text when tokenizer_config.json names its class, or, silent on the class, the vocabulary has
 * them all (GPT2Tokenizer and RobertaTokenizer in Transformers). */
#include "text/files/parts.h"

typedef struct reading {
    at_tokenizer *t;
    at_arena *arena;
    at_section config;
    const char *vocab_path, *merges_path;
    char *vocab, *merges;
    at_text merges_list; /* merges.txt as a JSON list, line by line */
    at_json_scan vocab_scan, merges_scan;
    at_model_source source;
} reading;

/* The first line may be a comment; every other holds a merge, which stays in its line. */
static at_status write_merges(reading *r, size_t size)
{
    char *line = r->merges, *end = line + size;
    at_text_add(&r->merges_list, "[");
    for (bool first = true, some = false; line < end; first = false) {
        char *stop = memchr(line, '\n', (size_t)(end - line));
        if (!stop) stop = end;
        size_t n = (size_t)(stop - line);
        if (n && line[n - 1] == '\r') n--;
        if (n && !(first && n >= 8 && memcmp(line, "#version", 8) == 0)) {
            line[n] = '\0'; /* there is a byte: of the line's end, or behind the file */
            if (some) at_text_add(&r->merges_list, ",");
            at_text_json(&r->merges_list, line);
            some = true;
        }
        at_text_add(&r->merges_list, "\n");
        line = stop + 1;
    }
    at_text_add(&r->merges_list, "]");
    return at_text_status(&r->merges_list);
}

static at_status read_files(reading *r)
{
    size_t size;
    at_ctx *ctx = r->arena->ctx;
    at_model_source *s = &r->source;
    AT_TRY(at__tokenizer_read(r->t, r->vocab_path, false, &r->vocab, &size));
    at_json_scan_init(&r->vocab_scan, ctx, r->vocab, size, r->vocab_path);
    s->list[0].file = &r->vocab_scan;
    s->list[0].key = "vocab";
    s->list[0].value = (at_json_slice){r->vocab_scan.at, (size_t)(r->vocab_scan.end - r->vocab_scan.at)};
    AT_TRY(at__tokenizer_read(r->t, r->merges_path, false, &r->merges, &size));
    AT_TRY(write_merges(r, size));
    at_json_scan_init(&r->merges_scan, ctx, r->merges_list.data, r->merges_list.size, r->merges_path);
    s->list[1].file = &r->merges_scan;
    s->list[1].key = "merges";
    s->list[1].value = (at_json_slice){r->merges_list.data, r->merges_list.size};
    s->n = 2;
    return AT_OK;
}

static at_status is_roberta(const reading *r, bool *out)
{
    const char *class;
    AT_TRY(at_section_text(&r->config, &class, "tokenizer_class", ""));
    *out = strncmp(class, "Roberta", 7) == 0;
    if (*class) return AT_OK;
    static const char *const tokens[] = {"<s>", "</s>", "<mask>"};
    *out = true;
    for (int i = 0; i < AT_COUNT(tokens); i++)
        *out &= at_vocab_find(&r->t->vocab, tokens[i], strlen(tokens[i])) >= 0;
    return AT_OK;
}

static at_status add_roberta(reading *r, at_tree *all, bool prefix_space)
{
    enum { BOS, EOS, SEP, CLS, UNK, PAD, MASK, N };
    at_special list[N] = {[BOS] = {.key = "bos_token", .fallback = "<s>"},
                          [EOS] = {.key = "eos_token", .fallback = "</s>"},
                          [SEP] = {.key = "sep_token", .fallback = "</s>"},
                          [CLS] = {.key = "cls_token", .fallback = "<s>"},
                          [UNK] = {.key = "unk_token", .fallback = "<unk>"},
                          [PAD] = {.key = "pad_token", .fallback = "<pad>"},
                          [MASK] = {.key = "mask_token", .fallback = "<mask>"}};
    bool trim;
    AT_TRY(at__add_specials(r->t, &r->config, all, list, N));
    AT_TRY(at_section_flag(&r->config, &trim, "trim_offsets", true));
    for (int i = SEP; i <= CLS; i++)
        AT_REQUIRE(r->arena->ctx, list[i].id >= 0, AT_E_FORMAT, "%s: the special token \"%s\" is not in it",
                   r->vocab_path, list[i].token);
    at_tree *post = at__add_section(r->arena, all, "post_processor", "RobertaProcessing");
    at__add_pair(r->arena, post, "sep", list[SEP].token, list[SEP].id);
    at__add_pair(r->arena, post, "cls", list[CLS].token, list[CLS].id);
    at__add_flag(r->arena, post, "trim_offsets", trim);
    at__add_flag(r->arena, post, "add_prefix_space", prefix_space);
    return at_last_status(r->arena->ctx);
}

static at_status assemble(reading *r)
{
    bool prefix_space, like_roberta;
    at_special gpt2[] = {{.key = "unk_token", .fallback = "<|endoftext|>"},
                         {.key = "bos_token", .fallback = "<|endoftext|>"},
                         {.key = "eos_token", .fallback = "<|endoftext|>"}};
    AT_TRY(at_section_flag(&r->config, &prefix_space, "add_prefix_space", false));
    at_tree *all = at_tree_new(r->arena, AT_MAP);
    at_tree *words = at__add_section(r->arena, all, "pre_tokenizer", "ByteLevel");
    at__add_flag(r->arena, words, "add_prefix_space", prefix_space);
    at__add_section(r->arena, all, "model", "BPE");
    /* special tokens are looked up in the vocabulary, so it must be there */
    at_section model = r->config;
    model.where = r->vocab_path;
    model.source = &r->source;
    AT_TRY(at_model_vocab(&model));
    AT_TRY(is_roberta(r, &like_roberta));
    if (like_roberta)
        AT_TRY(add_roberta(r, all, prefix_space));
    else
        AT_TRY(at__add_specials(r->t, &r->config, all, gpt2, AT_COUNT(gpt2)));
    AT_TRY(at_last_status(r->arena->ctx));
    return at__tokenizer_assemble(r->t, all, &r->source, r->vocab_path);
}

static at_status open(at_tokenizer *t, const char *folder)
{
    at_ctx *ctx = t->arena.ctx;
    reading r = {.t = t, .arena = &t->arena};
    r.vocab_path = at_arena_printf(r.arena, "%s/vocab.json", folder);
    r.merges_path = at_arena_printf(r.arena, "%s/merges.txt", folder);
    if (!r.vocab_path || !r.merges_path) return AT_E_NOMEM;
    at_text_init(&r.merges_list, ctx);
    at_status status = at__config_read(t, &r.config, folder);
    if (status == AT_OK) status = read_files(&r);
    if (status == AT_OK) status = assemble(&r);
    at_text_deinit(&r.merges_list);
    at_free(ctx, r.vocab);
    at_free(ctx, r.merges);
    return status;
}

const at_tokenizer_file at_tokenizer_file_vocab_json = {.name = "vocab.json", .rank = 1, .open = open};
