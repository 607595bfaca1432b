"""add_relu against torch.relu of torch.add."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../tools"))
import torch
from golden_op import Golden

g = Golden(__file__)
for case, shape in {"row64": (3, 64), "odd": (2, 5, 37), "one": (1, 5)}.items():
    name = f"add_relu/{case}"
    rng = g.random(name)
    g.case(name, lambda a, b: torch.relu(a + b), [rng.standard_normal(shape), rng.standard_normal(shape)])
g.save()
