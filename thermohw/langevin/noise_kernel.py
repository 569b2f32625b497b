# SPDX-License-Identifier: Apache-2.0
# pyright: basic
"""The noise of `noise.py`, compiled: words and normal numbers for many units or chains at once.

In float32 the logarithm, sine and cosine are polynomials, good to rounding, in loops that LLVM turns into vector code.
numba infers the argument types.
"""

from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from thermohw.langevin.jit import compiled, inlined
from thermohw.langevin.noise import DYNAMICS, KEY_STEPS, MULTIPLIERS

_U, _W, _F, _I = np.uint32, np.uint64, np.float32, np.int32
_M0, _M1 = MULTIPLIERS
_W0, _W1 = KEY_STEPS


@inlined
def fill_words(w0, w1, w2, w3, group, group_step, chain, chain_step, step, stream, k0, k1):
    """Fill (lanes,) words for counters that advance by `group_step` and `chain_step` from lane to lane."""
    for lane in range(w0.size):
        c0, c1 = _U(group + lane * group_step), _U(step)
        c2, c3 = _U(chain + lane * chain_step), _U(stream)
        a, b = _U(k0), _U(k1)
        for _ in range(10):
            p0, p1 = _W(c0) * _W(_M0), _W(c2) * _W(_M1)
            c0, c1 = _U(_U(p1 >> _W(32)) ^ c1 ^ a), _U(p1)
            c2, c3 = _U(_U(p0 >> _W(32)) ^ c3 ^ b), _U(p0)
            a, b = _U(a + _U(_W0)), _U(b + _U(_W1))
        w0[lane], w1[lane], w2[lane], w3[lane] = c0, c1, c2, c3


def box_muller(radius_words, angle_words, work, n0, n1):
    """Turn two arrays of words (lanes,) into two arrays of normal numbers; `work` is scratch of the same type."""
    raise NotImplementedError("compiled code only")


@overload(box_muller, jit_options={"forceinline": True})
def _box_muller(radius_words, angle_words, work, n0, n1):
    return _box_muller_single if n0.dtype == types.float32 else _box_muller_double


def _box_muller_single(radius_words, angle_words, work, n0, n1):
    exponents = work.view(_I)
    for j in range(n0.size):
        work[j] = _F(_I(radius_words[j] >> _U(1))) + _F(0.5)
    for j in range(n0.size):  # uniform = mantissa · 2^exponent with the mantissa in [√½, √2): accurate near 1
        shifted = exponents[j] + _I(0x3F800000 - 0x3F3504F3)
        n0[j] = _F((shifted >> _I(23)) - _I(127 + 31))
        exponents[j] = (shifted & _I(0x007FFFFF)) + _I(0x3F3504F3)
    for j in range(n0.size):
        m = work[j] - _F(1)
        t = m / (_F(2) + m)
        t2 = t * t
        series = _F(1) + t2 * (_F(1 / 3) + t2 * (_F(1 / 5) + t2 * (_F(1 / 7) + t2 * _F(1 / 9))))
        log = n0[j] * _F(0.6931471805599453) + _F(2) * t * series
        radius = np.sqrt(max(_F(0), _F(-2) * log))
        a = _F(_I(angle_words[j])) * _F(np.pi * 2.0**-32)  # half the angle, |a| ≤ π/2: minimax polynomials reach 1e-7
        a2 = a * a
        s = _F(-2.3889859e-8)
        for c in (_F(2.7525562e-6), _F(-1.9840874e-4), _F(8.3333310e-3), _F(-1.6666666e-1), _F(1)):
            s = s * a2 + c
        s *= a
        c = _F(-2.6051615e-7)
        for k in (_F(2.4760495e-5), _F(-1.3888378e-3), _F(4.1666638e-2), _F(-0.5), _F(1)):
            c = c * a2 + k
        n0[j], n1[j] = radius * (c * c - s * s), radius * (_F(2) * s * c)


def _box_muller_double(radius_words, angle_words, work, n0, n1):
    for j in range(n0.size):
        uniform = (_F(_I(radius_words[j] >> _U(1))) + _F(0.5)) * _F(2.0**-31)
        radius = np.sqrt(-2 * np.log(np.float64(uniform)))
        angle = np.float64(_I(angle_words[j])) * (2 * np.pi * 2.0**-32)
        n0[j], n1[j] = radius * np.cos(angle), radius * np.sin(angle)


@inlined
def row_of_normals(words, parts, work, step, chain, stream, k0, k1, out):
    """Fill out (4 · groups,) with the noise of one chain and step."""
    fill_words(words[0], words[1], words[2], words[3], 0, 1, chain, 0, step, stream, k0, k1)
    box_muller(words[0], words[1], work, parts[0], parts[1])
    box_muller(words[2], words[3], work, parts[2], parts[3])
    for g in range(work.size):
        out[4 * g] = parts[0, g]
        out[4 * g + 1] = parts[1, g]
        out[4 * g + 2] = parts[2, g]
        out[4 * g + 3] = parts[3, g]


@compiled
def fill_noise(out: Any, step: int, first_chain: int, key: Any, stream: int = DYNAMICS) -> None:
    """Fill out (chains, units) with the noise of one step."""
    chains, units = out.shape
    groups = (units + 3) // 4
    words, parts, work = np.empty((4, groups), np.uint32), np.empty((4, groups), out.dtype), np.empty(groups, out.dtype)
    row = np.empty(4 * groups, out.dtype)
    for r in range(chains):
        row_of_normals(words, parts, work, step, first_chain + r, stream, key[0], key[1], row)
        out[r] = row[:units]
