"""linear against torch.nn.functional.linear."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../tools"))
import torch.nn.functional as F
from golden_op import Golden

g = Golden(__file__)
for case, shape, outs, bias in [("bias", (3, 8), 5, True), ("odd", (2, 3, 7), 3, False), ("one", (1, 1), 1, True)]:
    name = f"linear/{case}"
    rng = g.random(name)
    inputs = [rng.standard_normal(shape), rng.standard_normal((outs, shape[-1]))]
    if bias:
        inputs.append(rng.standard_normal(outs))
    g.case(name, F.linear, inputs)
g.save()
