"""segment_pool against torch: the first row, or torch.mean, of the parts that torch.split gives."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../tools"))
import numpy as np
import torch
from golden_op import Golden


def pool(lengths, first):
    def f(x, offsets, like):
        parts = torch.split(x, lengths)
        return torch.stack([torch.zeros_like(x[0]) if not len(p) else p[0] if first else p.mean(0) for p in parts])

    return f


g = Golden(__file__)
for case, lengths, C, like in [("first", [2, 1, 5, 3], 8, (4,)), ("mean", [2, 1, 5, 3], 8, (4,)),
                               ("odd_first", [0, 3, 70, 0, 27], 3, (5, 2)), ("odd_mean", [0, 3, 70, 0, 27], 3, (5, 2))]:
    name = f"segment_pool/{case}"
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    x = g.random(name).standard_normal((sum(lengths), C))
    g.case(name, pool(lengths, "first" in case), [x, offsets, np.zeros(like, np.int32)])
g.save()
