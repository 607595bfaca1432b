"""attention against torch.nn.functional.scaled_dot_product_attention, a sample and its heads at a time;
attention_dropout against its formula, with the draws of tools/golden_rng.py."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../tools"))
import numpy as np
import torch
import torch.nn.functional as F
from golden_op import Golden
from golden_rng import kept


def mask_of(n, window, causal):
    i, j = torch.arange(n)[:, None], torch.arange(n)[None]
    mask = torch.ones(n, n, dtype=torch.bool)
    if window:  # Transformers' sliding_window_bidirectional_overlay, whose sliding_window is window / 2
        mask &= (i - j).abs() <= window // 2
    return mask & (j <= i) if causal else mask


def attention(name, lengths, heads, scale, window=0, causal=False, p=0.0):
    def one(s, q, k, v, sample_id):
        """[n,C] -> the same, and L [n,heads]."""
        n = len(q)
        q, k, v = (x.reshape(n, heads, -1).transpose(0, 1) for x in (q, k, v))
        mask = mask_of(n, window, causal)
        scores = (scale * q @ k.transpose(1, 2)).masked_fill(~mask, -torch.inf)
        if p == 0:
            y = F.scaled_dot_product_attention(q[None], k[None], v[None], attn_mask=mask, scale=scale)[0]
        else:
            index = np.arange(n)[:, None] << 17 | np.arange(n)[None]
            z = np.stack([kept(name.replace("/", "."), sample_id | h << 32, index, p) for h in range(heads)])
            y = torch.softmax(scores, -1) * torch.tensor(z / (1 - p)) @ v
        return y.transpose(0, 1).reshape(n, -1), torch.logsumexp(scores, -1).T

    def f(q, k, v, offsets, sample_id=None):
        ids = [0] * len(lengths) if sample_id is None else sample_id.tolist()
        parts = [one(*part) for part in zip(lengths, *(torch.split(x, lengths) for x in (q, k, v)), ids) if part[0]]
        y, sums = zip(*parts)
        return torch.cat(y), torch.cat(sums).detach()

    return f


THREE, FOUR = [1, 5, 2], [2, 67, 0, 1]
g = Golden(__file__)
for op, case, lengths, C, heads, scale, more in [
    ("attention", "heads", THREE, 4, 2, 0.5, {}),
    ("attention", "odd", THREE, 6, 3, 0.7, {}),
    ("attention", "causal", THREE, 4, 2, 0.5, {"causal": True}),
    ("attention", "window", THREE, 4, 1, 1.0, {"window": 5}),
    ("attention", "window_causal", THREE, 3, 1, 1.0, {"window": 4, "causal": True}),
    ("attention", "blocks", FOUR, 2, 1, 1.0, {}),
    ("attention_dropout", "half", THREE, 4, 2, 0.5, {"p": 0.5}),
]:
    name = f"{op}/{case}"
    rng = g.random(name)
    inputs = [rng.standard_normal((sum(lengths), C)) for _ in range(3)]
    inputs.append(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
    if "p" in more:
        inputs.append(rng.integers(0, 1000, len(lengths)).astype(np.int32))
    g.case(name, attention(name, lengths, heads, scale, **more), inputs)
g.save()
