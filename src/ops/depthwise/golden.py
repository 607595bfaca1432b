"""depthwise against torch.nn.functional.conv2d with as many groups as channels, x and y channels-last. TensorFlow's
padding is timm 1.0.31's."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../tools"))
import torch.nn.functional as F
from golden_op import Golden, to_channels_first, to_channels_last
from timm.layers.padding import pad_same


def convolve(pad, stride, dilation):
    """pad: (left, right, top, bottom) as F.pad takes it, or "same"."""

    def f(x, w):
        x = to_channels_first(x)
        x = pad_same(x, w.shape[-2:], stride, dilation) if pad == "same" else F.pad(x, pad)
        return to_channels_last(F.conv2d(x, w, None, stride, 0, dilation, len(w)))

    return f


g = Golden(__file__)
for case, x, kernel, pad, stride, dilation in [
        ("3x3", (2, 4, 3, 3), (3, 3), (1, 1, 1, 1), (1, 1), (1, 1)),
        ("stride_same", (1, 4, 6, 3), (3, 3), "same", (2, 2), (1, 1)),
        ("odd", (2, 5, 7, 2), (3, 2), (0, 1, 2, 0), (2, 2), (1, 2)),
        ("pixel", (1, 1, 1, 5), (3, 3), (1, 1, 1, 1), (1, 1), (1, 1))]:
    name = f"depthwise/{case}"
    rng = g.random(name)
    g.case(name, convolve(pad, stride, dilation), [rng.standard_normal(x), rng.standard_normal((x[-1], 1, *kernel))])
g.save()
