"""gelu against torch.nn.functional.gelu."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../tools"))
import torch.nn.functional as F
from golden_op import Golden

g = Golden(__file__)
for case, shape, form in [
    ("erf", (3, 64), "none"),
    ("tanh", (3, 64), "tanh"),
    ("odd", (2, 5, 37), "none"),
    ("odd_tanh", (2, 5, 7), "tanh"),
]:
    name = f"gelu/{case}"
    g.case(name, lambda x: F.gelu(x, approximate=form), [g.random(name).uniform(-6, 6, shape)])
g.save()
