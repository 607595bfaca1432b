"""sigmoid_xent against torch.nn.functional.binary_cross_entropy_with_logits; targets are 0, 1 and shares between."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../tools"))
import numpy as np
import torch.nn.functional as F
from golden_op import Golden


def loss(z, y, w=None):
    total = F.binary_cross_entropy_with_logits(z, y, pos_weight=w, reduction="sum")
    return total.reshape(1), z.new_full((1,), z.numel())


g = Golden(__file__)
for case, rows, targets, weighted in [("some", 5, 3, False), ("weighted", 4, 7, True), ("one", 1, 1, False)]:
    name = f"sigmoid_xent/{case}"
    rng = g.random(name)
    y = rng.integers(0, 2, (rows, targets)).astype(np.float64)
    y[0, 0] = 0.3
    inputs = [3 * rng.standard_normal((rows, targets)), y]
    if weighted:
        inputs.append(rng.uniform(0.2, 5, targets))
    g.case(name, loss, inputs, loss=True, constant=[1, 2])
g.save()
