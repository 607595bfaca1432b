"""maxpool against torch.nn.functional.max_pool2d, x and y channels-last. "ties" has few different values."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../tools"))
import torch.nn.functional as F
from golden_op import Golden, to_channels_first, to_channels_last


def pool(kernel, stride, pad):
    return lambda x: to_channels_last(F.max_pool2d(to_channels_first(x), kernel, stride, pad))


g = Golden(__file__)
for case, shape, kernel, stride, pad in [
        ("stem", (2, 5, 6, 3), 3, 2, 1),
        ("odd", (2, 6, 4, 5), 2, 3, 1),
        ("ties", (2, 4, 5, 2), 3, 1, 1),
        ("gaps", (1, 7, 8, 3), 2, 3, 0),
        ("whole", (3, 4, 4, 7), 4, 1, 0),
        ("pixel", (1, 1, 1, 5), 3, 2, 1)]:
    name = f"maxpool/{case}"
    rng = g.random(name)
    x = rng.integers(0, 3, shape).astype(float) if case == "ties" else rng.standard_normal(shape)
    g.case(name, pool(kernel, stride, pad), [x])
g.save()
