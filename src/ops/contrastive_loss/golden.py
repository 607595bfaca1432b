"""contrastive_loss against torch: cross_entropy of scaled cosines, as sentence-transformers'
MultipleNegativesRankingLoss; false negatives (equal hashes) are filled with -inf."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../tools"))
import numpy as np
import torch
import torch.nn.functional as F
from golden_op import Golden


def loss(h, x):
    S, P = h.shape
    u = F.normalize(x, dim=-1).reshape(S, P, -1)
    candidates = torch.cat([u[:, p] for p in range(1, P)])
    hashes = torch.cat([h[:, p] for p in range(1, P)])
    z = 3 * u[:, 0] @ candidates.T
    own = torch.eye(S, dtype=torch.bool).repeat(1, P - 1)
    false = (hashes[None] == h[:, :1]) | (hashes[None] == h[:, 1:2])
    false[:, :S] |= (h[:, 0][None] == h[:, :1]) & ~own[:, :S]
    false[:, :S] &= ~own[:, :S]
    z = z.masked_fill(false, -torch.inf)
    return F.cross_entropy(z, torch.arange(S), reduction="sum").reshape(1), x.new_full((1,), S)


g = Golden(__file__)
for case, S, P, C, below in [("pairs", 4, 2, 8, 1 << 20), ("negatives", 3, 4, 5, 1 << 20), ("equal_texts", 6, 3, 4, 5),
                             ("one", 1, 3, 3, 1 << 20)]:
    name = f"contrastive_loss/{case}"
    rng = g.random(name)
    hashes = rng.integers(0, below, (S, P)).astype(np.int32)
    g.case(name, loss, [hashes, rng.standard_normal((S * P, C))], loss=True)
g.save()
