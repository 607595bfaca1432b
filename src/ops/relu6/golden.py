"""relu6 against torch.nn.functional.relu6."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../tools"))
import torch.nn.functional as F
from golden_op import Golden

g = Golden(__file__)
for case, shape in {"row64": (3, 64), "odd": (2, 5, 37)}.items():
    name = f"relu6/{case}"
    g.case(name, F.relu6, [g.random(name).uniform(-3, 9, shape)])
g.save()
