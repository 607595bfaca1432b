"""linear_gelu against torch.nn.functional.linear and gelu."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../tools"))
import torch.nn.functional as F
from golden_op import Golden


def linear_gelu(form):
    def f(x, w, b):
        z = F.linear(x, w, b)
        return F.gelu(z, approximate=form), z.detach()

    return f


g = Golden(__file__)
for case, shape, outs, form in [
    ("erf", (3, 8), 5, "none"),
    ("tanh", (2, 3, 7), 3, "tanh"),
    ("no bias", (4, 6), 37, "none"),
]:
    name = f"linear_gelu/{case}"
    rng = g.random(name)
    bias = None if case == "no bias" else rng.standard_normal(outs)
    g.case(name, linear_gelu(form), [rng.standard_normal(shape), rng.standard_normal((outs, shape[-1])), bias])
g.save()
