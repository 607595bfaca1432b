"""scale against torch's product with a number."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../tools"))
from golden_op import Golden

g = Golden(__file__)
for case, (shape, factor) in {"row64": ((3, 64), 2), "odd": ((2, 5, 37), -0.3), "zero": ((2, 5), 0)}.items():
    name = f"scale/{case}"
    g.case(name, lambda x, factor=factor: x * factor, [g.random(name).standard_normal(shape)])
g.save()
