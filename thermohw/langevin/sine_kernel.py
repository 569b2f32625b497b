# SPDX-License-Identifier: Apache-2.0
# pyright: basic
"""The force of a cosine potential inside compiled kernels; numba infers the argument types.

In float32 the sine is a polynomial of the half angle, good to rounding, in loops that LLVM turns into vector code.
"""

import numpy as np
from numba import types
from numba.extending import overload

from thermohw.langevin.jit import inlined

_F = np.float32


def sine(angle):
    """Get sin(angle)."""
    raise NotImplementedError("compiled code only")


@overload(sine, jit_options={"forceinline": True})
def _sine(angle):
    return _sine_single if angle == types.float32 else _sine_double


def _sine_single(angle):
    turns = np.floor(angle * _F(0.5 / np.pi) + _F(0.5))
    a = _F(0.5) * ((angle - turns * _F(6.28125)) - turns * _F(2 * np.pi - 6.28125))  # |a| ≤ π/2
    a2 = a * a
    s = _F(-2.3889859e-8)
    for c in (_F(2.7525562e-6), _F(-1.9840874e-4), _F(8.3333310e-3), _F(-1.6666666e-1), _F(1)):
        s = s * a2 + c
    c = _F(-2.6051615e-7)
    for k in (_F(2.4760495e-5), _F(-1.3888378e-3), _F(4.1666638e-2), _F(-0.5), _F(1)):
        c = c * a2 + k
    return _F(2) * a * s * c


def _sine_double(angle):
    return np.sin(angle)


@inlined
def sine_of_units(x, wavenumber, strength, push, out):
    """Fill out = push − strength · sin(wavenumber · x), all (units,)."""
    for j in range(x.size):
        out[j] = push[j] - strength[j] * sine(wavenumber[j] * x[j])


@inlined
def sine_of_lanes(x, wavenumber, strength, force):
    """Subtract strength · sin(wavenumber · x) of one unit from force; x and force (lanes,)."""
    for lane in range(x.size):
        force[lane] -= strength * sine(wavenumber * x[lane])
