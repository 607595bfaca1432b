"""dropout: PyTorch's gradient of x keep / (1 - p), with the mask drawn here by another implementation of base/rng.h:
Philox4x32-10 (checked against the authors' known answers), keyed as the test rig keys it."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../tools"))
import numpy as np
import torch
from golden_op import Golden

SEED, ATTEMPT = 3, 7  # tests/harness/rig.h
MASK32, MASK64 = 2**32 - 1, 2**64 - 1


def philox(counter, key):
    c, k = list(counter), list(key)
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [p1 >> 32 ^ c[1] ^ k[0], p1 & MASK32, p0 >> 32 ^ c[3] ^ k[1], p0 & MASK32]
        k = [k[0] + 0x9E3779B9 & MASK32, k[1] + 0xBB67AE85 & MASK32]
    return c


assert philox([0] * 4, [0] * 2) == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
assert philox([MASK32] * 4, [MASK32] * 2) == [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]


def mix(x):  # the finaliser of splitmix64
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & MASK64
    x = (x ^ x >> 27) * 0x94D049BB133111EB & MASK64
    return x ^ x >> 31


def key_of(site):
    h = 0xCBF29CE484222325
    for byte in site.encode():
        h = (h ^ byte) * 0x100000001B3 & MASK64
    k = mix(mix(mix(SEED + 0x9E3779B97F4A7C15 & MASK64) ^ h) + ATTEMPT & MASK64)
    return k & MASK32, k >> 32


def mask(site, sample, n, p):
    words = [w for block in range((n + 3) // 4) for w in philox([block, 0, sample, 0], key_of(site))][:n]
    return np.array([(w >> 8) * 2.0**-24 >= p for w in words])


g = Golden(__file__)
for case, shape, p in [("row64", (3, 64), 0.5), ("odd", (2, 5, 37), 0.1), ("none", (2, 5), 0.0), ("one", (1, 3), 0.9)]:
    rng = g.random(case)
    ids = rng.integers(0, 1000, shape[0]).astype(np.int32)
    each = int(np.prod(shape[1:]))
    keep = torch.tensor(np.stack([mask(f"dropout.{case}", int(i), each, p).reshape(shape[1:]) for i in ids]))
    g.case(f"dropout/{case}", lambda x, i: torch.where(keep, x / (1 - p), 0 * x), [rng.standard_normal(shape), ids])
g.save()
