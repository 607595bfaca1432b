"""cosine_loss against torch.cosine_similarity and mse_loss."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../tools"))
import torch
import torch.nn.functional as F
from golden_op import Golden


def loss(t, x):
    cosine = torch.cosine_similarity(x[0::2], x[1::2])
    return F.mse_loss(cosine, t, reduction="sum").reshape(1), x.new_full((1,), len(t))


g = Golden(__file__)
for case, pairs, width in [("three", 3, 8), ("odd", 2, 37), ("one", 1, 3)]:
    name = f"cosine_loss/{case}"
    rng = g.random(name)
    g.case(name, loss, [rng.uniform(-1, 1, pairs), rng.standard_normal((2 * pairs, width))], loss=True, constant=[0])
g.save()
