"""Goldens of sentence-similarity: what sentence-transformers makes of a tiny BERT (src/models/bert/golden_hf).

golden_similarity.json: rows of a text for other networks, from Transformers; pairs with a score and a negative; for each run its pooling and whether rows are scaled to
length 1, the embeddings of the first texts before training, and the losses of 20 steps of AdamW over all pairs at once.
Made with sentence-transformers 6.2.0, transformers 5.24.0, torch 2.15.0."""
import json
import random
from pathlib import Path

import torch
import transformers
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer import losses
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

HERE = Path(__file__).resolve().parent
BERT = HERE.parent / "models/bert/golden_hf"
STEPS, RATE = 20, 1e-3


def make_pairs(n):
    rng = random.Random(5)
    words = ["good", "bad", "film", "films", *"abcdefgh"]
    seen = set()

    def text():
        while True:
            t = " ".join(rng.choice(words) for _ in range(rng.randint(1, 6))) + "."
            if t not in seen:
                seen.add(t)
                return t

    return [{"text": text(), "pair": text(), "negative": text(), "score": rng.randint(0, 20) / 4} for _ in range(n)]


def build(pooling, normalise):
    transformer = Transformer(str(BERT))
    modules = [transformer, Pooling(transformer.get_embedding_dimension(), pooling_mode=pooling)]
    return SentenceTransformer(modules=modules + ([Normalize()] if normalise else []), device="cpu")


def run(pairs, loss, columns, pooling, normalise):
    model = build(pooling, normalise)
    embeddings = model.encode([p["text"] for p in pairs])
    criterion = {"cosine": losses.CosineSimilarityLoss, "contrastive": losses.MultipleNegativesRankingLoss}[loss](model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0)
    scores = torch.tensor([p["score"] / 5 for p in pairs])
    found = []
    for _ in range(STEPS):
        features = [model.preprocess([p[c] for p in pairs]) for c in columns]
        value = criterion(features, scores)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        found.append(value.item())
    return {"loss": loss, "columns": columns, "pooling": pooling, "normalise": normalise, "losses": found,
            "embeddings": [[round(float(x), 6) for x in row] for row in embeddings]}


def mean_rows(network, text):
    tokenizer = transformers.BertTokenizer(str(BERT / "vocab.txt"))
    model = transformers.AutoModel.from_pretrained(HERE.parent / "models" / network / "golden_hf").eval()
    ids = torch.tensor([tokenizer(text)["input_ids"]])
    positions = {}
    if network == "roberta":  # else they are counted from the first id that is not padding, which [CLS] is here
        positions["position_ids"] = torch.arange(ids.shape[1])[None] + model.config.pad_token_id + 1
    with torch.no_grad():
        rows = model(input_ids=ids, attention_mask=torch.ones_like(ids), **positions).last_hidden_state[0]
    return [round(float(x), 6) for x in rows.mean(0)]


torch.manual_seed(0)
TEXT = "a good film bad films."
others = {network: mean_rows(network, TEXT) for network in ["distilbert", "roberta", "modernbert"]}
pairs = make_pairs(12)
runs = [run(pairs, "cosine", ["text", "pair"], "mean", False),
        run(pairs, "contrastive", ["text", "pair"], "mean", True),
        run(pairs, "contrastive", ["text", "pair", "negative"], "cls", False),
        run(pairs, "cosine", ["text", "pair"], "max", False),
        run(pairs, "contrastive", ["text", "pair"], "mean_sqrt_len_tokens", False),
        run(pairs, "cosine", ["text", "pair"], "weightedmean", False),
        run(pairs, "contrastive", ["text", "pair", "negative"], "lasttoken", True)]
(HERE / "golden_similarity.json").write_text(json.dumps({"text": TEXT, "others": others, "pairs": pairs, "runs": runs}, indent=1) + "\n")
