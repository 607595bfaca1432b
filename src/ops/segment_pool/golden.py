"""segment_pool against torch: a row, or a mean, of the parts that torch.split gives."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../tools"))
import numpy as np
import torch
from golden_op import Golden


def weighted(p):
    w = torch.arange(1, len(p) + 1, dtype=p.dtype)[:, None]
    return (p * w).sum(0) / w.sum()


MODES = {"first": lambda p: p[0], "mean": lambda p: p.mean(0), "last": lambda p: p[-1],
         "mean_sqrt": lambda p: p.sum(0) / len(p) ** 0.5, "weighted": weighted}


def pool(lengths, mode):
    def f(x, offsets, like):
        parts = torch.split(x, lengths)
        return torch.stack([MODES[mode](p) if len(p) else torch.zeros_like(x[0]) for p in parts])

    return f


g = Golden(__file__)
for mode in MODES:
    for case, lengths, C, like in [(mode, [2, 1, 5, 3], 8, (4,)), ("odd_" + mode, [0, 3, 30, 0, 17], 3, (5, 2))]:
        name = f"segment_pool/{case}"
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
        x = g.random(name).standard_normal((sum(lengths), C))
        g.case(name, pool(lengths, mode), [x, offsets, np.zeros(like, np.int32)])
g.save()
