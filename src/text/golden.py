"""Goldens of src/text: tiny tokenizers of every kind, and what Hugging Face's `tokenizers` makes of texts with them.

Writes golden.json and golden_sentencepiece.json beside itself, and with the folder of real data as its argument
golden_real.json. Run with tokenizers 0.23.3, sentencepiece 0.2.3.

golden.json:
  {NAME: {"name", "tokenizer" (tokenizer.json as text), "encodings": [{"text", "pair", "max_length", "special",
          "ids", "type_ids", "spans" (first and end byte, one after the other), "words", "sequences"}]}}
Spans, words and sequences of special tokens that stand in no text are -1.

golden_words.json: {NAME of a tokenizer of golden.json: [{"words", "max_length", "ids", "type_ids", "of"}]}, texts that are
words already; "of" is the word of each token, -1 of special ones. Words of bytes stand behind a blank, as with Transformers'
add_prefix_space.

golden_sentencepiece.json: {NAME: {"model" (the file in base64), "encodings": [{"text", "ids"}]}}

golden_real.json: {NAME: {"sha256" of the ids of all lines as int32, "n" of them, "lines": {NUMBER: ids}}}, or
{NAME: [{"text", "ids"}]}"""
import base64
import hashlib
import io
import json
import os
import struct
import sys
import tempfile

import sentencepiece

from tokenizers import Tokenizer, normalizers, __version__

texts = [
    "",
    "   \t\n ",
    "The quick brown fox, can't jump 1234 dogs!",
    "Caf\u00e9 cafe\u0301 \u00c5ngstr\u00f6m NA\u00cfVE stra\u00dfe \u0130stanbul \u01c5 \u1e9b\u0323",
    "\u4f60\u597d\u4e16\u754cabc \u3053\u3093\u306b\u3061\u306f \uac00\uac01\u1100\u1161\u11a8 \u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35",
    "\U0001f600\U0001f469\u200d\U0001f469\u200d\U0001f467 flag\U0001f1e9\U0001f1ea \u2764\ufe0f ok",
    "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440! \u03b3\u03b5\u03b9\u03ac \u0645\u0631\u062d\u0628\u0627 \u05e9\u05c1\u05dc\u05d5\u05dd \u0928\u092e\u0938\u094d\u0924\u0947",
    "a\u0001b\ufffdc\u200bd\u00ade\u0085f\u00a0g\u3000h\u2028i",
    "a\u0301\u0316b a\u0316\u0301 \u1e0b\u0323 q\u0307\u0323 \u0344 \ufb01ne \u00bd \u2460 \ufdfa",
    "x_y-z (3.14) $5 \u00ab\u00fc\u00bb \u2014 don't \u2026 \u00b2\u0663\u216b ab12cd",
    "  two  spaces and trailing  ",
    "[CLS] in text [MASK]ed <x> NEWNew new  [SEP]",
]


def added(id, content, **more):
    token = {"id": id, "content": content, "single_word": False, "lstrip": False, "rstrip": False,
             "normalized": False, "special": True}
    token.update(more)
    return token


def file(model, **sections):
    whole = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
             "pre_tokenizer": None, "post_processor": None, "decoder": None, "model": model}
    whole.update(sections)
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":"))


def normalizer_of(section):
    """The library's object for a section of tokenizer.json."""
    empty = {"type": "WordLevel", "vocab": {"?": 0}, "unk_token": "?"}
    return Tokenizer.from_str(file(empty, normalizer=section)).normalizer


# ---- WordPiece: a vocabulary of the characters that come up, and some longer tokens

words = ["[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "quick", "##ick", "brown", "cafe", "##fe", "can", "jump", "##umps",
         "12", "##34", "angst", "##rom", "naive", "in", "text", "##ed", "new", "two", "spaces", "and", "trail", "##ing",
         "##s", "dog", "\u4f60\u597d", "##\u754c", "don", "'", "fl", "##ag", "(", "3", ".", "14"]


def wordpiece(normalizer, taken=texts, **more):
    tokens = list(words)
    n = normalizer_of(normalizer) if normalizer else None
    for text in taken:
        for c in n.normalize_str(text) if n else text:
            if not c.isspace():
                tokens += [c, "##" + c]
    vocab = {t: i for i, t in enumerate(dict.fromkeys(tokens))}
    model = {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
             "max_input_chars_per_word": 100, "vocab": vocab}
    model.update(more)
    return model


cases = {}


def span_bytes(text, span):
    return [len(text[:i].encode()) for i in span]


def encode(t, text, pair=None, max_length=0, special=True):
    t.no_truncation()
    if max_length:
        t.enable_truncation(max_length)
    e = t.encode(text, pair, add_special_tokens=special)
    spans = []
    for span, word, sequence in zip(e.offsets, e.word_ids, e.sequence_ids):
        spans += [-1, -1] if word is None else span_bytes(pair if sequence == 1 else text, span)
    out = {"text": text, "ids": e.ids, "type_ids": e.type_ids, "spans": spans,
           "words": [-1 if w is None else w for w in e.word_ids],
           "sequences": [-1 if w is None else s or 0 for w, s in zip(e.word_ids, e.sequence_ids)]}
    if pair is not None:
        out["pair"] = pair
    if max_length:
        out["max_length"] = max_length
    if not special:
        out["special"] = False
    return out


def case(name, text_of_file, taken=texts, calls=()):
    t = Tokenizer.from_str(text_of_file)
    encodings = [encode(t, text) for text in taken] + [encode(t, *c) for c in calls]
    cases[name] = {"name": name, "tokenizer": text_of_file, "encodings": encodings}


def normalizer_case(name, section, taken=texts):
    case("normalizer " + name, file(wordpiece(section, taken), normalizer=section,
                                    pre_tokenizer={"type": "WhitespaceSplit"}), taken)


def bert(clean, chinese, accents, lower):
    return {"type": "BertNormalizer", "clean_text": clean, "handle_chinese_chars": chinese, "strip_accents": accents,
            "lowercase": lower}


normalizer_case("bert", bert(True, True, None, True))
normalizer_case("bert cased", bert(True, True, None, False))
normalizer_case("bert accents kept", bert(False, False, False, True))
normalizer_case("bert only accents", bert(False, False, True, False))
normalizer_case("lowercase", {"type": "Lowercase"})
normalizer_case("strip accents", {"type": "Sequence", "normalizers": [{"type": "NFD"}, {"type": "StripAccents"}]})
normalizer_case("strip accents alone", {"type": "StripAccents"}, texts[3:9])
for form in ("NFC", "NFD", "NFKC", "NFKD"):
    normalizer_case(form, {"type": form}, texts[3:9])
normalizer_case("strip", {"type": "Strip", "strip_left": True, "strip_right": True}, texts[:3] + texts[10:])
normalizer_case("strip left", {"type": "Strip", "strip_left": True, "strip_right": False}, texts[:3] + texts[10:])
normalizer_case("prepend", {"type": "Sequence", "normalizers": [
    {"type": "Prepend", "prepend": "\u2581x"}, {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]},
    texts[:5])
normalizer_case("replace", {"type": "Sequence", "normalizers": [
    {"type": "Replace", "pattern": {"String": "fox"}, "content": "\u00fcxx\u4e16"},
    {"type": "Replace", "pattern": {"String": "."}, "content": ""},
    {"type": "Replace", "pattern": {"Regex": "\\s+|^The"}, "content": " - "},
    {"type": "Replace", "pattern": {"Regex": "\\p{N}(?=\\d)"}, "content": "n"}]}, texts[:4] + texts[9:])


def pre_tokenizer_case(name, section, taken=texts):
    case("pre-tokenizer " + name, file(wordpiece(None, taken), pre_tokenizer=section), taken)


pre_tokenizer_case("none", None, ["dog", "dogs", "dogs dog", "brownbrown"])
pre_tokenizer_case("bert", {"type": "BertPreTokenizer"})
pre_tokenizer_case("whitespace", {"type": "Whitespace"})
pre_tokenizer_case("whitespace split", {"type": "WhitespaceSplit"}, texts[7:])
behaviours = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]
for behaviour in behaviours:
    pre_tokenizer_case("punctuation " + behaviour, {"type": "Punctuation", "behavior": behaviour},
                       ["--a--b-", "a", "-", "\u00ab\u00fc\u00bb\u2026!!", "don't"])
    pre_tokenizer_case("split " + behaviour, {"type": "Split", "pattern": {"Regex": "-+|\\p{Lu}(?=b)"},
                                              "behavior": behaviour, "invert": False},
                       ["--a--b-", "a", "-", "xAbA-Ab", "--"])
    pre_tokenizer_case("split inverted " + behaviour, {"type": "Split", "pattern": {"String": "ab"},
                                                       "behavior": behaviour, "invert": True},
                       ["ab.abab.", "a", "xab", "abab", "ab"])
pre_tokenizer_case("digits", {"type": "Digits", "individual_digits": False}, texts[2:3] + texts[9:10])
pre_tokenizer_case("digits individual", {"type": "Digits", "individual_digits": True}, texts[2:3] + texts[9:10])
pre_tokenizer_case("sequence", {"type": "Sequence", "pretokenizers": [
    {"type": "WhitespaceSplit"}, {"type": "Punctuation", "behavior": "Isolated"},
    {"type": "Digits", "individual_digits": True}]}, texts[2:3] + texts[9:10])

# ---- Around the tokens

specials = [added(1, "[CLS]"), added(2, "[SEP]"), added(3, "[MASK]")]
pairs = [("the quick brown dog", "two spaces"), ("", "dog"), ("dog", ""), ("", "")]
lengths = [(a, b, n, special) for a, b in pairs[:1] for n in (3, 4, 5, 6, 7, 8, 9, 20) for special in (True, False)]
calls = [(a, b) for a, b in pairs] + [(a, b, 0, False) for a, b in pairs] + lengths + [
    ("two", "the quick brown dog", 6), ("the quick brown", "two spaces and", 8), ("the quick brown", "two spaces and", 7),
    ("the quick brown dog", None, 4), ("the quick brown dog", None, 2), ("the quick brown dog", None, 2, False),
    ("dog", None, 100), ("[CLS] dog", "[SEP]", 6)]


def piece(kind, id, type_id):
    return {kind: {"id": id, "type_id": type_id}}


bert_template = {
    "type": "TemplateProcessing",
    "single": [piece("SpecialToken", "[CLS]", 0), piece("Sequence", "A", 0), piece("SpecialToken", "[SEP]", 0)],
    "pair": [piece("SpecialToken", "[CLS]", 0), piece("Sequence", "A", 0), piece("SpecialToken", "[SEP]", 0),
             piece("Sequence", "B", 1), piece("SpecialToken", "[SEP]", 1)],
    "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [1], "tokens": ["[CLS]"]},
                       "[SEP]": {"id": "[SEP]", "ids": [2], "tokens": ["[SEP]"]}}}
odd_template = {
    "type": "TemplateProcessing",
    "single": [piece("Sequence", "A", 3), piece("SpecialToken", "both", 2)],
    "pair": [piece("Sequence", "B", 1), piece("SpecialToken", "both", 1), piece("Sequence", "A", 4)],
    "special_tokens": {"both": {"id": "both", "ids": [2, 3], "tokens": ["[SEP]", "[MASK]"]}}}
for name, section in (("template", bert_template), ("odd template", odd_template), ("none", None),
                      ("bert", {"type": "BertProcessing", "sep": ["[SEP]", 2], "cls": ["[CLS]", 1]})):
    case("post-processor " + name, file(wordpiece(None, []), pre_tokenizer={"type": "WhitespaceSplit"},
                                        added_tokens=specials, post_processor=section), [], calls)

# ---- Added tokens

lower = bert(True, True, None, True)
chinese = wordpiece(lower)["vocab"]["\u4f60"]  # a token of the model that is added, too
size = len(wordpiece(lower)["vocab"])
case("added", file(wordpiece(lower), normalizer=lower, pre_tokenizer={"type": "BertPreTokenizer"}, added_tokens=specials + [
    added(size, "<x>", lstrip=True), added(size + 1, "NEW", special=False, normalized=True),
    added(size + 2, "NEWNew", special=False), added(size + 3, "word", single_word=True),
    added(size + 4, "--", rstrip=True), added(size + 5, "-->", lstrip=True, rstrip=True),
    added(chinese, "\u4f60", special=False, normalized=True), added(size + 6, "Caf\u00e9", special=False, normalized=True),
    added(size + 7, " ", normalized=False)]),
    texts[3:5] + texts[11:] + ["word sword words word", "wordword", "word_word", "a \u3000<x> <x>\t--  -- -->   --->b",
                               "new news NEWS NEWNew CAFE\u0301 caf\u00e9", "[CLS][SEP][CLS", "<x", "   "])
case("words too long", file(wordpiece(None, [], max_input_chars_per_word=4, continuing_subword_prefix="", unk_token="dog"),
                            pre_tokenizer={"type": "WhitespaceSplit"}), ["inin", "ininn", "ininin", "in12", "\u4f60\u597d"])

# ---- BPE


def train_bpe(words, n, prefix=""):
    """Vocabulary and merges from words, which are lists of symbols: the most frequent pair is joined, n times."""
    words = [list(w) for w in words if w]
    vocab = dict.fromkeys(sorted({s for w in words for s in w}))
    merges = []
    for _ in range(n):
        count = {}
        for w in words:
            for pair in zip(w, w[1:]):
                count[pair] = count.get(pair, 0) + 1
        if not count:
            break
        best = max(count, key=lambda p: (count[p], p))
        joined = best[0] + best[1][len(prefix):]
        merges.append(best)
        vocab[joined] = None
        for w in words:
            i = 0
            while i + 1 < len(w):
                if (w[i], w[i + 1]) == best:
                    w[i:i + 2] = [joined]
                i += 1
    return {t: i for i, t in enumerate(vocab)}, merges


def bpe(vocab, merges, **more):
    model = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
             "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
             "vocab": vocab, "merges": [m if isinstance(m, str) else list(m) for m in merges]}
    model.update(more)
    return model


def byte_level(prefix, regex=True, trim=True):
    return {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": trim, "use_regex": regex}


corpus = texts[2:5] + ["the quick brown fox jumps over the lazy dog and the two dogs don't jump", "caf\u00e9 caf\u00e9s"]
to_bytes = normalizers.ByteLevel()
byte_words = [to_bytes.normalize_str(w) for text in corpus for w in (" " + text).replace(" ", "\n ").split("\n")]
every_byte = sorted({c for i in range(0x110000) if not 0xd800 <= i < 0xe000 and (i < 0x1000 or i % 4096 == 0)
                     for c in to_bytes.normalize_str(chr(i))})
byte_vocab, byte_merges = train_bpe(byte_words, 150)
for c in every_byte:
    byte_vocab.setdefault(c, len(byte_vocab))
byte_specials = [added(len(byte_vocab), "<s>"), added(len(byte_vocab) + 1, "</s>")]
with_specials = {**byte_vocab, "<s>": len(byte_vocab), "</s>": len(byte_vocab) + 1}
blanks = ["a  b", " a", "a ", "\u3000a\n\n b  ", "don't we'll 'sx", "  "]


def roberta_post(prefix, trim):
    return {"type": "RobertaProcessing", "sep": ["</s>", with_specials["</s>"]], "cls": ["<s>", with_specials["<s>"]],
            "trim_offsets": trim, "add_prefix_space": prefix}


s_template = {
    "type": "TemplateProcessing", "single": [piece("SpecialToken", "<s>", 0), piece("Sequence", "A", 0)],
    "pair": [piece("SpecialToken", "<s>", 0), piece("Sequence", "A", 0), piece("Sequence", "B", 1)],
    "special_tokens": {"<s>": {"id": "<s>", "ids": [with_specials["<s>"]], "tokens": ["<s>"]}}}
byte_pairs = [(" a", "the  dog "), ("the <s> dog", " </s>", 6)]
case("bpe bytes", file(bpe(byte_vocab, byte_merges), pre_tokenizer=byte_level(False)), texts + blanks)
case("bpe bytes, merges as text", file(bpe(byte_vocab, [" ".join(m) for m in byte_merges]),
                                       pre_tokenizer=byte_level(False)), texts[2:4])
case("bpe bytes, prefix", file(bpe(with_specials, byte_merges), pre_tokenizer=byte_level(True), added_tokens=byte_specials,
                               post_processor=byte_level(True)), blanks + ["<s>the dog<s> the dog", ""], byte_pairs)
case("bpe bytes, roberta", file(bpe(with_specials, byte_merges), pre_tokenizer=byte_level(False), added_tokens=byte_specials,
                                post_processor=roberta_post(False, True)), blanks + texts[:3], byte_pairs)
case("bpe bytes, roberta untrimmed", file(bpe(with_specials, byte_merges), pre_tokenizer=byte_level(True),
                                          added_tokens=byte_specials, post_processor=roberta_post(True, False)), blanks, byte_pairs)
case("bpe bytes, post-processors in sequence", file(
    bpe(with_specials, byte_merges), pre_tokenizer={"type": "Sequence", "pretokenizers": [
        {"type": "Split", "pattern": {"Regex": "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?"
                                               "[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"},
         "behavior": "Isolated", "invert": False}, byte_level(False, regex=False)]},
    added_tokens=byte_specials, post_processor={"type": "Sequence", "processors": [byte_level(False), s_template]}),
    texts + blanks, byte_pairs)
case("bpe bytes by the normalizer", file(bpe(byte_vocab, byte_merges, ignore_merges=True), normalizer={"type": "ByteLevel"}),
     ["the", "the dog", "caf\u00e9\u4e16"] + blanks)

plain_words = [list(w) for text in corpus for w in text.split()]
char_vocab, char_merges = train_bpe(plain_words, 60)
char_vocab = {**char_vocab, "<unk>": len(char_vocab)}
unknown_texts = ["the \u4e00\u4e01 dog\u4e02s", "\u4e00", "\u4e00\u4e01the", "jumps!\u00e9?", "lazy fox \U0001f600\U0001f600"]
split_words = {"type": "WhitespaceSplit"}
case("bpe unknown", file(bpe(char_vocab, char_merges, unk_token="<unk>"), pre_tokenizer=split_words), unknown_texts)
case("bpe unknown fused", file(bpe(char_vocab, char_merges, unk_token="<unk>", fuse_unk=True), pre_tokenizer=split_words),
     unknown_texts)
case("bpe unknown dropped", file(bpe(char_vocab, char_merges), pre_tokenizer=split_words), unknown_texts)
fallback = {f"<0x{b:02X}>": len(char_vocab) + b for b in range(256) if b != 0x9f}  # one is missing
case("bpe bytes of the unknown", file(bpe({**char_vocab, **{t: i for i, t in enumerate(fallback, len(char_vocab))}}, char_merges,
                                          unk_token="<unk>", byte_fallback=True, fuse_unk=True), pre_tokenizer=split_words),
     unknown_texts)
prefix_vocab, prefix_merges = train_bpe([[w[0]] + ["##" + c for c in w[1:]] for w in plain_words], 60, "##")
case("bpe with prefix", file(bpe(prefix_vocab, prefix_merges, continuing_subword_prefix="##"), pre_tokenizer=split_words), corpus)
suffix_vocab, suffix_merges = train_bpe([list(w[:-1]) + [w[-1] + "</w>"] for w in plain_words], 60)
case("bpe with suffix", file(bpe(suffix_vocab, suffix_merges, end_of_word_suffix="</w>"), pre_tokenizer=split_words), corpus)
case("bpe with early wholes", file(bpe({**char_vocab, "xyz": len(char_vocab)}, char_merges, ignore_merges=True),
                                   pre_tokenizer=split_words), ["the xyz dogs", "xyzx"])

space_words = [list("\u2581" + w) for text in corpus for w in text.split()]
space_vocab, space_merges = train_bpe(space_words, 60)
space_vocab = {**space_vocab, "<unk>": len(space_vocab), "<s>": len(space_vocab) + 1}
for scheme in ("always", "first", "never"):
    for split in (True, False):
        case(f"bpe metaspace {scheme} {split}", file(
            bpe(space_vocab, space_merges, unk_token="<unk>", fuse_unk=True), added_tokens=[added(space_vocab["<s>"], "<s>")],
            pre_tokenizer={"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": scheme, "split": split}),
            blanks + ["the<s>dog <s> the", "\u2581the dog", ""])

# ---- Unigram and SentencePiece's own files


def message(data):
    """The fields of a message in protobuf's wire format."""
    def varint():
        nonlocal data
        x = shift = 0
        while True:
            byte, data = data[0], data[1:]
            x |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return x

    while data:
        key = varint()
        size = varint() if key & 7 == 2 else 4
        if key & 7 == 0:
            yield key >> 3, varint()
        else:
            yield key >> 3, data[:size]
            data = data[size:]


def charsmap_of(model):
    return dict(message(dict(message(model))[3])).get(2, b"")


def train_sentencepiece(kind, size, rules=None, **more):
    out = io.BytesIO()
    lines = [line for line in texts + unknown_texts if line.strip()] + corpus * 5
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as f:
        if rules:
            f.write("\n".join(" ".join(f"{ord(c):X}" for c in a) + "\t" + " ".join(f"{ord(c):X}" for c in b)
                              for a, b in rules.items()) + "\n")
            f.flush()
            more["normalization_rule_tsv"] = f.name
        else:
            more["normalization_rule_name"] = "identity"
        sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(lines), model_writer=out, vocab_size=size,
                                                 model_type=kind, hard_vocab_limit=False, num_threads=1, minloglevel=2,
                                                 character_coverage=0.98, **more)
    return out.getvalue()


def sentencepiece_case(name, model):
    sp = sentencepiece.SentencePieceProcessor(model_proto=model)
    models[name] = {"model": base64.b64encode(model).decode(),
                    "encodings": [{"text": text, "ids": sp.encode(text)} for text in spm_texts]}


models = {}
rules = {"\ufb01": "fi", "\u00bd": "1/2", "A": "a", "\u3000": " ", "\u00c5": "a", "\ufdfa": "\u0635\u0644\u0649", "\u00ad": "",
         "e\u0301": "\u00e9", "\t": " ", "\n": " ", "\u2028": " "}
spm_texts = [text for text in texts if "[" not in text] + blanks + unknown_texts + ["a\u00adb A\ufb01\u00bd\u3000x e\u0301e\u0301"]
unigram_model = train_sentencepiece("unigram", 220, rules)
sentencepiece_case("unigram", unigram_model)
sentencepiece_case("unigram bytes", train_sentencepiece("unigram", 460, byte_fallback=True, add_dummy_prefix=False,
                                                        remove_extra_whitespaces=False))
sentencepiece_case("bpe", train_sentencepiece("bpe", 200, rules))
sentencepiece_case("bpe bytes", train_sentencepiece("bpe", 460, byte_fallback=True, remove_extra_whitespaces=False))

sp = sentencepiece.SentencePieceProcessor(model_proto=unigram_model)
pieces = [[sp.id_to_piece(i), sp.get_score(i)] for i in range(sp.get_piece_size())]
bytes_of_all = [[f"<0x{b:02X}>", -20.0] for b in range(256) if b != 0x9f]
metaspace = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True}
charsmap = {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(charsmap_of(unigram_model)).decode()}
unigram_texts = spm_texts + ["\u00adab", "x\u00ad"]


def unigram(vocab, unknown, fallback):
    return {"type": "Unigram", "unk_id": unknown, "vocab": vocab, "byte_fallback": fallback}


case("unigram", file(unigram(pieces, 0, False), normalizer=charsmap, pre_tokenizer=metaspace), unigram_texts[:-2])
case("unigram whole", file(unigram(pieces, 0, False), normalizer=charsmap), unigram_texts[:-2])
case("unigram bytes", file(unigram(pieces + bytes_of_all, 0, True), pre_tokenizer=metaspace), unigram_texts)

# ---- Real texts


def gguf_tokens(path):
    """The vocabulary in a GGUF file, without what llama.cpp does to WordPiece: it marks words instead of what continues."""
    with open(path, "rb") as f:
        sizes = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}

        def number(form):
            return struct.unpack("<" + form, f.read(struct.calcsize("<" + form)))[0]

        def value(kind):
            if kind == 8:
                return f.read(number("Q")).decode()
            if kind == 9:
                inner = number("I")
                return [value(inner) for _ in range(number("Q"))]
            return f.read(sizes[kind])

        f.read(16)
        for _ in range(number("Q")):
            key = value(8)
            got = value(number("I"))
            if key == "tokenizer.ggml.tokens":
                return got


def bert_vocabulary(data):
    tokens = gguf_tokens(data + "/data/tokenizer-conformance/llama.cpp/ggml-vocab-bert-bge.gguf")
    special = [t[0] == "[" and t[-1] == "]" and len(t) > 2 for t in tokens]
    return [t if s else t[1:] if t[0] == "\u2581" else "##" + t for t, s in zip(tokens, special)]


def real_bert(data):
    vocab = {t: i for i, t in enumerate(bert_vocabulary(data))}
    model = {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
             "max_input_chars_per_word": 100, "vocab": vocab}
    post = {"type": "BertProcessing", "sep": ["[SEP]", vocab["[SEP]"]], "cls": ["[CLS]", vocab["[CLS]"]]}
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    return Tokenizer.from_str(file(model, normalizer=lower, pre_tokenizer={"type": "BertPreTokenizer"},
                                   post_processor=post, added_tokens=[added(vocab[n], n) for n in names]))


def review_lines(data):
    lines = []
    for name in ("rt-polarity.all", "subj.all"):
        with open(data + "/data/text-mr-polarity/" + name, "rb") as f:
            lines += f.read().decode("latin-1").removesuffix("\n").split("\n")
    return lines


def all_lines(t, lines):
    return digest_rows([e.ids for e in t.encode_batch(lines)])


def sentencepiece_lines(path, lines):
    return digest_rows(sentencepiece.SentencePieceProcessor(model_file=path).encode(lines))


def digest_rows(rows):
    flat = [i for row in rows for i in row]
    return {"sha256": hashlib.sha256(struct.pack(f"<{len(flat)}i", *flat)).hexdigest(), "n": len(flat),
            "lines": {str(i): rows[i] for i in range(0, len(rows), 100)}}


def all_texts(path):
    t = Tokenizer.from_file(path)
    return [{"text": text, "ids": t.encode(text).ids} for text in texts + blanks + unknown_texts]


def real_gpt2(conformance):
    with open(conformance + "gpt2/encoder.json", encoding="utf-8") as f:
        vocab = json.load(f)
    with open(conformance + "gpt2/vocab.bpe", encoding="utf-8") as f:
        merges = [line for line in f.read().split("\n")[1:] if line]
    return Tokenizer.from_str(file(bpe(vocab, merges), pre_tokenizer=byte_level(False),
                                   added_tokens=[added(50256, "<|endoftext|>")]))


def write(name, values):
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), name)
    rows = ",\n".join(json.dumps(k) + ":" + json.dumps(v, separators=(",", ":")) for k, v in values.items())
    with open(path, "w", encoding="utf-8") as f:
        f.write("{\n" + rows + "\n}\n")


split_texts = [
    ["The", "quick-brown", "fox,", "can't", "1234", "caf\u00e9s"],
    ["\u4f60\u597d\u4e16\u754c", "\u200b", " blank", "[MASK]", "e\u0301", "\U0001f600!"],
    ["a"],
]


def takes_words(name):
    return name.startswith(("pre-tokenizer", "post-processor", "bpe bytes"))


def encode_words(text_of_file):
    sections = json.loads(text_of_file)
    first = sections["pre_tokenizer"] or {}
    if first.get("type") == "ByteLevel":
        first["add_prefix_space"] = True
    t = Tokenizer.from_str(json.dumps(sections))
    out = []
    for words, max_length in [(words, 0) for words in split_texts] + [(split_texts[0], 5)]:
        t.no_truncation()
        if max_length:
            t.enable_truncation(max_length)
        e = t.encode(words, is_pretokenized=True)
        of = [-1 if w is None else w for w in e.word_ids]
        out.append({"words": words, "max_length": max_length, "ids": e.ids, "type_ids": e.type_ids, "of": of})
    return out


if __name__ == "__main__":
    assert __version__ == "0.23.3", __version__
    write("golden.json", cases)
    write("golden_words.json", {name: encode_words(c["tokenizer"]) for name, c in cases.items() if takes_words(name)})
    write("golden_sentencepiece.json", models)
    if len(sys.argv) > 1:
        data = sys.argv[1]
        conformance = data + "/data/tokenizer-conformance/"
        write("golden_real.json", {
            "bert reviews": all_lines(real_bert(data), review_lines(data)),
            "gpt2 reviews": all_lines(real_gpt2(conformance), review_lines(data)),
            "torchtune tiny_bpe": all_texts(conformance + "torchtune/tiny_bpe_tokenizer.json"),
            "torchtune": all_texts(conformance + "torchtune/tokenizer.json"),
            "stories260k": all_texts(data + "/models/stories260k/tokenizer.json"),
            "m reviews": sentencepiece_lines(conformance + "torchtune/m.model", review_lines(data))})
