"""tanh against torch.tanh."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../tools"))
import torch
from golden_op import Golden

g = Golden(__file__)
for case, shape in {"row64": (3, 64), "odd": (2, 5, 37)}.items():
    name = f"tanh/{case}"
    g.case(name, torch.tanh, [g.random(name).uniform(-3, 3, shape)])
g.save()
