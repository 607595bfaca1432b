"""Another implementation of base/rng.h for goldens of ops that draw: Philox4x32-10 (checked against the authors' known
answers), keyed as the test rig keys it."""
import numpy as np

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


def kept(site, stream, index, p):
    """Which of the draws with these indices (an integer array) are at least p."""
    key = key_of(site)
    blocks = {b: philox([int(b), 0, stream & MASK32, stream >> 32], key) for b in np.unique(index >> 2)}
    words = np.array([blocks[i >> 2][i & 3] for i in index.ravel()], dtype=np.uint64).reshape(index.shape)
    return (words >> 8) * 2.0**-24 >= p
