"""mse against torch.nn.functional.mse_loss of targets brought to the predictions' unit."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../tools"))
import torch.nn.functional as F
from golden_op import Golden


def loss(shift, scale):
    def f(x, y):
        total = F.mse_loss(x, ((y - shift) / scale)[:, None], reduction="sum")
        return total.reshape(1), x.new_full((1,), len(y))

    return f


g = Golden(__file__)
for case, rows, shift, scale in [("some", 5, 0, 1), ("scaled", 7, 2, 0.5), ("one", 1, 2, 0.5)]:
    name = f"mse/{case}"
    rng = g.random(name)
    g.case(name, loss(shift, scale), [2 * rng.standard_normal((rows, 1)), rng.uniform(-3, 3, rows)], loss=True, constant=[1])
g.save()
