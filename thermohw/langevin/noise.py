# SPDX-License-Identifier: Apache-2.0
"""Counter-based noise: the random number of (seed, chain, step, unit) is a function, not a sequence.

Philox4x32-10 (Salmon, Moraes, Dror & Shaw, SC'11) turns the counter (unit // 4, step, chain, stream) under the key
`seed` into four 32-bit words, one for each of four neighbouring units; Box–Muller turns words 0, 1 and words 2, 3 into
two standard normal numbers each. So a result depends neither on threads nor on blocks nor on machines, and every
engine sees the same noise. `normals` and `uniforms` are the definition, in double precision; `noise_kernel` evaluates
the same functions fast.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

DYNAMICS, INITIAL, FLICKER = 0, 1, 2
"""Streams: independent noise for a run's steps, for its initial states, and for flicker noise (the first of many)."""
FLICKER_STREAMS = 14
"""Streams 2 … 15 drive one process of flicker noise each."""

MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
"""Philox4x32's multipliers."""
KEY_STEPS = 0x9E3779B9, 0xBB67AE85
"""What each round adds to the key."""


def words(seed: int, chain: ArrayLike, step: ArrayLike, group: ArrayLike, stream: int) -> NDArray[np.uint32]:
    """Get Philox4x32-10's four words for counters (group, step, chain, stream); broadcasts, last axis 4."""
    counters = np.broadcast_arrays(group, step, chain, np.uint64(stream))
    c0, c1, c2, c3 = (np.asarray(counter).astype(np.uint64) & 0xFFFFFFFF for counter in counters)
    k0, k1 = seed & 0xFFFFFFFF, seed >> 32
    for _ in range(10):
        p0, p1 = c0 * np.uint64(MULTIPLIERS[0]), c2 * np.uint64(MULTIPLIERS[1])
        c0, c1, c2, c3 = (
            (p1 >> np.uint64(32)) ^ c1 ^ np.uint64(k0),
            p1 & np.uint64(0xFFFFFFFF),
            (p0 >> np.uint64(32)) ^ c3 ^ np.uint64(k1),
            p0 & np.uint64(0xFFFFFFFF),
        )
        k0, k1 = (k0 + KEY_STEPS[0]) & 0xFFFFFFFF, (k1 + KEY_STEPS[1]) & 0xFFFFFFFF
    return np.stack([c0, c1, c2, c3], axis=-1).astype(np.uint32)


def normals(seed: int, chains: ArrayLike, step: int, units: int, stream: int = DYNAMICS) -> NDArray[np.float64]:
    """Get standard normal noise (chains, units) of the given chain numbers (chains,) at one step."""
    groups = np.arange(-(-units // 4))
    bits = words(seed, np.asarray(chains)[:, None], step, groups, stream)
    # rounded to float32, so that engines of either precision see the same number
    uniform = ((bits[..., 0::2] >> np.uint32(1)).astype(np.float32) + np.float32(0.5)).astype(np.float64) * 2.0**-31
    angle = bits[..., 1::2].view(np.int32) * (2 * np.pi * 2.0**-32)
    radius = np.sqrt(-2 * np.log(uniform))
    pair = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1)
    return pair.reshape(len(bits), -1)[:, :units]


def uniforms(seed: int, chains: ArrayLike, step: int, units: int, stream: int = INITIAL) -> NDArray[np.float64]:
    """Get uniform noise (chains, units) in the open interval (0, 1)."""
    groups = np.arange(-(-units // 4))
    bits = words(seed, np.asarray(chains)[:, None], step, groups, stream)
    return ((bits.astype(np.float64) + 0.5) * 2.0**-32).reshape(len(bits), -1)[:, :units]


def choose_seed() -> int:
    """Choose a fresh 63-bit seed from the operating system's entropy."""
    return int(np.random.SeedSequence().generate_state(1, np.uint64)[0] >> 1)
