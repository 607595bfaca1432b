"""global_avgpool against torch.nn.functional.adaptive_avg_pool2d."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../tools"))
import torch.nn.functional as F
from golden_op import Golden, to_channels_first

g = Golden(__file__)
for case, shape in {"square": (2, 3, 3, 8), "odd": (3, 2, 5, 7), "pixel": (2, 1, 1, 5), "one": (1, 4, 3, 3)}.items():
    name = f"global_avgpool/{case}"
    g.case(name, lambda x: F.adaptive_avg_pool2d(to_channels_first(x), 1).flatten(1), [g.random(name).standard_normal(shape)])
g.save()
