"""l2norm against torch.nn.functional.normalize."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../tools"))
import torch.nn.functional as F
from golden_op import Golden

g = Golden(__file__)
for case, shape in [("row", (3, 8)), ("odd", (2, 3, 37)), ("one", (1, 2))]:
    name = f"l2norm/{case}"
    g.case(name, lambda x: F.normalize(x, dim=-1), [g.random(name).standard_normal(shape)])
g.save()
