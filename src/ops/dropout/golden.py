"""dropout: PyTorch's gradient of x keep / (1 - p), with the mask drawn by tools/golden_rng.py."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../tools"))
import numpy as np
import torch
from golden_op import Golden
from golden_rng import kept

g = Golden(__file__)
for case, shape, p in [("row64", (3, 64), 0.5), ("odd", (2, 5, 37), 0.1), ("none", (2, 5), 0.0), ("one", (1, 3), 0.9)]:
    rng = g.random(case)
    ids = rng.integers(0, 1000, shape[0]).astype(np.int32)
    each = int(np.prod(shape[1:]))
    keep = torch.tensor(np.stack([kept(f"dropout.{case}", int(i), np.arange(each), p).reshape(shape[1:]) for i in ids]))
    g.case(f"dropout/{case}", lambda x, i: torch.where(keep, x / (1 - p), 0 * x), [rng.standard_normal(shape), ids])
g.save()
