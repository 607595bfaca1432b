"""segment_max against torch.max of the parts that torch.split gives. "ties" has few different values."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../tools"))
import numpy as np
import torch
from golden_op import Golden


def pool(lengths):
    def f(x, offsets, like):
        parts = torch.split(x, lengths)
        return torch.stack([p.max(0).values if len(p) else torch.zeros_like(x[0]) for p in parts])

    return f


g = Golden(__file__)
for case, lengths, C, like in [("small", [2, 1, 5, 3], 8, (4,)), ("odd", [0, 3, 70, 0, 27], 3, (5, 2)),
                               ("ties", [0, 3, 70, 0, 27], 4, (5,))]:
    name = f"segment_max/{case}"
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    shape, rng = (sum(lengths), C), g.random(name)
    x = rng.integers(0, 3, shape).astype(float) if case == "ties" else rng.standard_normal(shape)
    g.case(name, pool(lengths), [x, offsets, np.zeros(like, np.int32)])
g.save()
