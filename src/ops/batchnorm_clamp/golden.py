"""batchnorm_clamp against torch.nn.functional.batch_norm in training, and clamp; running statistics with momentum 1."""
import math
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../tools"))
import torch
import torch.nn.functional as F
from golden_op import Golden, to_channels_first, to_channels_last


def normalise(eps, low, high):
    def f(x, gamma, beta):
        mean, var = torch.zeros_like(gamma), torch.zeros_like(gamma)  # running ones; var becomes the unbiased one
        z = to_channels_last(F.batch_norm(to_channels_first(x), mean, var, gamma, beta, True, 1.0, eps))
        n = x[..., 0].numel()
        rstd = 1 / torch.sqrt(var * (n - 1) / n + eps)
        return torch.clamp(z, low, high), mean.detach(), rstd.detach(), var.detach()

    return f


g = Golden(__file__)
for case, shape, eps, low, high in [
    ("rows", (6, 4), 1e-5, 0, math.inf),
    ("odd", (2, 5, 7), 1e-3, -0.5, 1),
    ("image", (3, 2, 3, 5), 1e-3, -0.5, 1),
]:
    name = f"batchnorm_clamp/{case}"
    rng = g.random(name)
    C = shape[-1]
    f = normalise(eps, low, high)
    g.case(name, f, [2 * rng.standard_normal(shape) + 1, rng.standard_normal(C), rng.standard_normal(C)])
g.save()
