"""lerp against torch.lerp."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../tools"))
import torch
from golden_op import Golden

g = Golden(__file__)
for case, n, m in [("vector", 37, 0.1), ("keep", 8, 0.0), ("replace", 8, 1.0)]:
    name = f"lerp/{case}"
    rng = g.random(name)
    g.case(name, lambda a, b: torch.lerp(a, b, m), [rng.standard_normal(n), rng.standard_normal(n)], gradient=False)
g.save()
