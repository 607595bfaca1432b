"""Goldens of ops: what the golden.py of an op folder has in common.

An op's golden.safetensors holds float64 (and int32) tensors OP/CASE/inI, outO, dyO, dxI: inputs, outputs, the random
seeds of the outputs, and the gradients of <dy, out> that PyTorch's own op gives. CASE is a case of ours with the same
shapes and parameters. The check is tests/harness/goldencheck.c. Made with torch 2.15.0, numpy 2.4.6,
safetensors 0.8.0."""
import os
import zlib

import numpy as np
import torch
from safetensors.numpy import save_file

torch.set_default_dtype(torch.float64)


class Golden:
    def __init__(self, script):
        self.path = os.path.join(os.path.dirname(os.path.abspath(script)), "golden.safetensors")
        self.tensors = {}

    def random(self, name):
        """A generator for one case, so that cases do not depend on each other."""
        return np.random.default_rng(zlib.crc32(name.encode()))

    def case(self, name, f, inputs, loss=False, constant=(), gradient=True):
        """One case OP/CASE. inputs: numpy arrays, None where an optional one is absent; f: from torch tensors to the
        output or a tuple of outputs; loss: the first output is a sum to be differentiated as it is; constant: inputs
        without a gradient; gradient: False for ops that have none."""
        x = [None if a is None else torch.tensor(a) for a in inputs]
        learns = [t is not None and t.is_floating_point() and gradient and i not in constant for i, t in enumerate(x)]
        for t, yes in zip(x, learns):
            if yes:
                t.requires_grad_()
        y = f(*x)
        y = y if isinstance(y, tuple) else (y,)
        rng = self.random(name + "/dy")
        total = 0
        for o, t in enumerate(y):
            self.put(f"{name}/out{o}", t)
            if loss:
                total = y[0].sum()
            elif gradient and t.requires_grad:
                dy = torch.tensor(rng.standard_normal(tuple(t.shape)))
                self.put(f"{name}/dy{o}", dy)
                total = total + (dy * t).sum()
        if any(learns):
            total.backward()
        for i, t in enumerate(x):
            if t is None:
                continue
            self.put(f"{name}/in{i}", t)
            if learns[i]:
                self.put(f"{name}/dx{i}", t.grad)

    def put(self, name, t):
        t = t.detach()
        self.tensors[name] = t.contiguous().numpy() if t.is_floating_point() else t.int().contiguous().numpy()

    def save(self):
        # by size of element: nothing in the file is then misaligned
        names = sorted(self.tensors, key=lambda n: (-self.tensors[n].itemsize, n))
        save_file({n: self.tensors[n] for n in names}, self.path)
        print(f"{self.path}: {len(names)} tensors, {os.path.getsize(self.path)} bytes")


def to_channels_first(x):
    """[N,..,C] as PyTorch's normalisations and poolings want it: [N,C,..]."""
    return x.movedim(-1, 1)


def to_channels_last(x):
    return x.movedim(1, -1)
