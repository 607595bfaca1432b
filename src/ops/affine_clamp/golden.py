"""affine_clamp against torch.nn.functional.batch_norm with mean 0 and variance 1, and clamp."""
import math
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../tools"))
import torch
import torch.nn.functional as F
from golden_op import Golden, to_channels_first, to_channels_last


def affine(low, high):
    def f(x, scale, shift):
        zeros, ones = torch.zeros_like(scale), torch.ones_like(scale)
        z = to_channels_last(F.batch_norm(to_channels_first(x), zeros, ones, scale, shift, False, 0.0, 0.0))
        return torch.clamp(z, low, high)

    return f


g = Golden(__file__)
for case, shape, high, width in [
    ("odd", (2, 5, 37), 6, 4),
    ("narrow", (41, 8), 6, 4),
    ("scale only", (3, 5), math.inf, 1),
]:
    name = f"affine_clamp/{case}"
    rng = g.random(name)
    shift = None if case == "scale only" else rng.standard_normal(shape[-1])
    g.case(name, affine(0, high), [width * rng.standard_normal(shape), rng.standard_normal(shape[-1]), shift])
g.save()
