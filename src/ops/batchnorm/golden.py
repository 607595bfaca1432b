"""batchnorm against torch.nn.functional.batch_norm in training; what running statistics take is read with momentum 1."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../tools"))
import torch
import torch.nn.functional as F
from golden_op import Golden, to_channels_first, to_channels_last


def normalise(eps):
    def f(x, gamma, beta):
        mean, var = torch.zeros_like(gamma), torch.zeros_like(gamma)  # running ones; var becomes the unbiased one
        y = F.batch_norm(to_channels_first(x), mean, var, gamma, beta, True, 1.0, eps)
        n = x[..., 0].numel()
        rstd = 1 / torch.sqrt(var * (n - 1) / n + eps)
        return to_channels_last(y), mean.detach(), rstd.detach(), var.detach()

    return f


g = Golden(__file__)
for case, shape, eps in [("rows", (6, 4), 1e-5), ("odd", (2, 5, 7), 1e-5), ("image", (3, 2, 3, 5), 1e-3)]:
    name = f"batchnorm/{case}"
    rng = g.random(name)
    C = shape[-1]
    g.case(name, normalise(eps), [2 * rng.standard_normal(shape) + 1, rng.standard_normal(C), rng.standard_normal(C)])
g.save()
