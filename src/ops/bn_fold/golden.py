"""bn_fold: scale and shift by autograd of the formula, whose values must be those that
torch.nn.functional.batch_norm applies in evaluation (it has no gradient of the statistics there)."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../tools"))
import torch
import torch.nn.functional as F
from golden_op import Golden


def fold(eps):
    def f(gamma, beta, mean, var):
        scale = gamma / torch.sqrt(var + eps)
        shift = beta - mean * scale
        with torch.no_grad():
            x = torch.randn(5, len(gamma), generator=torch.Generator().manual_seed(0))
            want = F.batch_norm(x, mean, var, gamma, beta, False, 0.0, eps)
            assert torch.allclose(x * scale + shift, want, rtol=1e-12, atol=1e-13)
        return scale, shift

    return f


g = Golden(__file__)
for case, n, eps in [("odd", 7, 1e-5), ("one", 1, 1e-5), ("tf", 5, 1e-3)]:
    name = f"bn_fold/{case}"
    rng = g.random(name)
    g.case(name, fold(eps), [rng.standard_normal(n), rng.standard_normal(n), rng.standard_normal(n), rng.uniform(0.1, 2, n)])
g.save()
