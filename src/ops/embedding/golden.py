"""embedding against torch.nn.functional.embedding."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../tools"))
import numpy as np
import torch.nn.functional as F
from golden_op import Golden

g = Golden(__file__)
for case, V, C, R, below, first in [
    ("some", 5, 3, 4, 5, 0),
    ("repeated", 3, 8, 11, 2, 0),
    ("odd", 19, 37, 7, 19, 0),
    ("from_2", 9, 5, 11, 7, 2),
]:
    name = f"embedding/{case}"
    rng = g.random(name)
    ids = rng.integers(0, below, R).astype(np.int32)
    g.case(name, lambda table, i: F.embedding(i.long() + first, table), [rng.standard_normal((V, C)), ids])
g.save()
