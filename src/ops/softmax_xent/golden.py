"""softmax_xent against torch.nn.functional.cross_entropy; some rows are not counted."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../tools"))
import numpy as np
import torch.nn.functional as F
from golden_op import Golden


def loss(smoothing):
    def f(z, y, w=None):
        total = F.cross_entropy(z, y.long(), w, reduction="sum", label_smoothing=smoothing)
        counted = y[y != -100].long()
        weight = (z.new_ones(len(counted)) if w is None else w[counted]).sum()
        return total.reshape(1), weight.reshape(1)

    return f


g = Golden(__file__)
for case, rows, classes, smoothing, weighted in [
        ("two", 5, 2, 0, False), ("odd", 3, 37, 0, False), ("smooth", 4, 10, 0.1, False), ("weighted", 4, 5, 0, True),
        ("weighted_smooth", 6, 7, 0.1, True), ("one", 1, 3, 0.1, False)]:
    name = f"softmax_xent/{case}"
    rng = g.random(name)
    labels = rng.integers(0, classes, rows).astype(np.int32)
    if rows > 1:
        labels[1] = -100
    inputs = [3 * rng.standard_normal((rows, classes)), labels]
    if weighted:
        inputs.append(rng.uniform(0.2, 2, classes))
    g.case(name, loss(smoothing), inputs, loss=True, constant=[2])
g.save()
