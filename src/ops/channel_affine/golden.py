"""channel_affine against torch.nn.functional.batch_norm with mean 0 and variance 1."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../tools"))
import torch
import torch.nn.functional as F
from golden_op import Golden, to_channels_first, to_channels_last


def affine(x, scale, shift):
    zeros, ones = torch.zeros_like(scale), torch.ones_like(scale)
    return to_channels_last(F.batch_norm(to_channels_first(x), zeros, ones, scale, shift, False, 0.0, 0.0))


g = Golden(__file__)
for case, shape in {"odd": (2, 5, 37), "narrow": (41, 8), "scale only": (3, 5), "one": (1, 3)}.items():
    name = f"channel_affine/{case}"
    rng = g.random(name)
    shift = None if case == "scale only" else rng.standard_normal(shape[-1])
    g.case(name, affine, [rng.standard_normal(shape), rng.standard_normal(shape[-1]), shift])
g.save()
