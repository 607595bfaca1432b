"""conv2d against torch.nn.functional.conv2d on a padded picture, x and y channels-last. The cases with TensorFlow's
padding are padded by timm 1.0.31, which knows only the stride: nothing here repeats the numbers of the case."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../tools"))
import torch.nn.functional as F
from golden_op import Golden, to_channels_first, to_channels_last
from timm.layers.padding import pad_same


def convolve(pad, stride, dilation, groups):
    """pad: (left, right, top, bottom) as F.pad takes it, or "same"."""

    def f(x, w, b=None):
        x = to_channels_first(x)
        x = pad_same(x, w.shape[-2:], stride, dilation) if pad == "same" else F.pad(x, pad)
        return to_channels_last(F.conv2d(x, w, b, stride, 0, dilation, groups))

    return f


g = Golden(__file__)
for case, x, w, bias, pad, stride, dilation, groups in [
        ("1x1", (2, 3, 2, 5), (4, 5, 1, 1), True, (0, 0, 0, 0), (1, 1), (1, 1), 1),
        ("3x3", (2, 4, 3, 3), (2, 3, 3, 3), False, (1, 1, 1, 1), (1, 1), (1, 1), 1),
        ("stride_same", (1, 4, 6, 3), (3, 3, 3, 3), True, "same", (2, 2), (1, 1), 1),
        ("uneven_same", (1, 5, 6, 2), (2, 2, 4, 3), False, "same", (1, 2), (1, 1), 1),
        ("odd", (2, 5, 7, 2), (3, 2, 3, 2), False, (0, 1, 2, 0), (2, 3), (1, 2), 1),
        ("groups", (2, 3, 3, 4), (6, 2, 2, 2), False, (1, 0, 0, 0), (1, 1), (1, 1), 2),
        ("groups_stride", (2, 5, 4, 6), (3, 2, 3, 3), True, (1, 1, 1, 1), (2, 2), (1, 1), 3),
        ("1x1_stride", (2, 5, 4, 3), (2, 3, 1, 1), False, (0, 0, 0, 0), (2, 2), (1, 1), 1)]:
    name = f"conv2d/{case}"
    rng = g.random(name)
    inputs = [rng.standard_normal(x), rng.standard_normal(w)]
    if bias:
        inputs.append(rng.standard_normal(w[0]))
    g.case(name, convolve(pad, stride, dilation, groups), inputs)
g.save()
