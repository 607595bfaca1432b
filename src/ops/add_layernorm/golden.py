"""add_layernorm against torch.nn.functional.layer_norm of a sum."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../tools"))
import torch.nn.functional as F
from golden_op import Golden

g = Golden(__file__)
for case, shape, eps, weight, bias in [
    ("rows", (6, 8), 1e-5, True, True),
    ("odd", (2, 3, 37), 1e-12, True, True),
    ("no bias", (4, 9), 1e-5, True, False),
    ("plain", (4, 5), 1e-5, False, False),
    ("bias only", (4, 5), 1e-5, False, True),
]:
    name = f"add_layernorm/{case}"
    rng = g.random(name)
    C = shape[-1]
    inputs = [2 * rng.standard_normal(shape) + 1, rng.standard_normal(shape)]
    inputs += [rng.standard_normal(C) if weight else None] + ([rng.standard_normal(C)] if bias else [])
    g.case(name, lambda a, b, w=None, v=None: F.layer_norm(a + b, (C,), w, v, eps), inputs)
g.save()
