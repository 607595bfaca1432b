"""rowsum against torch.sum."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../tools"))
from golden_op import Golden

g = Golden(__file__)
for case, shape in {"narrow": (21, 8), "odd": (3, 5, 37), "wide": (5, 300), "one": (1, 3)}.items():
    name = f"rowsum/{case}"
    g.case(name, lambda x: x.flatten(0, -2).sum(0), [g.random(name).standard_normal(shape)], gradient=False)
g.save()
