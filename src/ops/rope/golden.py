"""rope against torch.polar: each pair of columns is a complex number, turned by a product."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../tools"))
import numpy as np
import torch
from golden_op import Golden


def rope(x, positions, heads, theta, sign):
    re, im = x.unflatten(1, (heads, 2, -1)).unbind(2)
    half = re.shape[-1]
    angle = sign * positions[:, None, None] * theta ** (-torch.arange(half) / half)
    y = torch.complex(re, im) * torch.polar(torch.ones_like(angle), angle)
    return torch.stack((y.real, y.imag), 2).flatten(1)


g = Golden(__file__)
for case, R, C, below, heads, theta, sign in [
    ("two_heads", 5, 16, 13, 2, 10000.0, 1),
    ("back", 5, 16, 13, 2, 10000.0, -1),
    ("odd", 11, 18, 200, 3, 160000.0, 1),
    ("least", 1, 2, 1, 1, 10.0, 1),
]:
    name = f"rope/{case}"
    rng = g.random(name)
    positions = rng.integers(0, below, R).astype(np.int32)
    g.case(name, lambda x, p: rope(x, p.double(), heads, theta, sign), [rng.standard_normal((R, C)), positions])
g.save()
