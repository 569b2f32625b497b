# SPDX-License-Identifier: Apache-2.0
"""The features of a state that calibration works with, and their moments behind noisy readings."""

from dataclasses import dataclass
from math import factorial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

POWERS = (1, 3, 5)
"""Powers of each unit's state: those of the force and, for the interpolation in time, the next odd one."""

SAME_TIME = (0, 3)
"""Among ⟨F(t) F(t + kΔ)ᵀ⟩, k = 0, 1, 2, and ⟨F(t + Δ) F(t + Δ)ᵀ⟩, those whose factors are of one time."""


@dataclass(frozen=True)
class Basis:
    """The features of a state of so many units: F = (x, x³, x⁵, applied biases B, 1), in this order."""

    units: int

    @property
    def size(self) -> int:
        """Get the number of features."""
        return (len(POWERS) + 1) * self.units + 1

    @property
    def one(self) -> int:
        """Get the position of the constant."""
        return self.size - 1

    def power(self, exponent: int, unit: Any) -> Any:
        """Get the position of a power of a unit's state, or of several units'."""
        return POWERS.index(exponent) * self.units + unit

    def applied(self, unit: Any) -> Any:
        """Get the position of the bias applied to a unit, or to several."""
        return len(POWERS) * self.units + unit

    def states(self, states: Floats) -> Floats:
        """Get the features of states (…, units) without the applied biases: (…, 3 units + 1)."""
        one = np.ones((*states.shape[:-1], 1))
        return np.concatenate([*(states**power for power in POWERS), one], axis=-1)

    def spread(self, applied: Floats) -> Floats:
        """Get the matrix (features, 3 units + 1) that takes `states` to all features under applied biases."""
        powers = len(POWERS) * self.units
        matrix = np.zeros((self.size, powers + 1))
        matrix[:powers, :powers] = np.eye(powers)
        matrix[powers:-1, -1] = applied
        matrix[-1, -1] = 1.0
        return matrix

    def without_noise(self, products: Floats, variance: ArrayLike) -> Floats:
        """Get ⟨F Fᵀ⟩ (…, features, features) of states x from those of readings x + ε, ε Gaussian.

        Noise is independent between units and times, so that products of the Hermite polynomials of readings,
        He_k(y) = Σ_m (−1)^m k!/(m! (k−2m)! 2^m) s^{2m} y^{k−2m}, are unbiased for x^k; at one time, products of powers
        of one unit are powers themselves.

        Args:
            products: (4, …) of readings, as `ReadingSums` has them.
            variance: (units,) or one for all, s² of ε.
        """
        unit = np.arange(self.units)
        s2 = np.broadcast_to(np.asarray(variance, np.float64), (self.units,))
        change = np.eye(self.size)
        for power in POWERS:
            for lower, factor in hermite(power, s2).items():
                change[self.power(power, unit), self.power(lower, unit)] = factor
        clean = change @ products @ change.T
        pairs = [(a, b) for a in POWERS for b in POWERS]
        for at in SAME_TIME:
            even = {a + b: products[at][self.power(a, unit), self.power(b, unit)] for a, b in pairs}
            found = even_without_noise(even, s2)
            for a, b in pairs:
                clean[at][self.power(a, unit), self.power(b, unit)] = found[a + b]
        return clean


def even_without_noise(even: dict[int, Floats], s2: Floats) -> dict[int, Floats]:
    """Get the even moments ⟨x^k⟩ of states from those of readings with noise of variance s²."""
    known = {0: np.ones_like(s2), **even}
    return {k: sum((f * known[m] for m, f in hermite(k, s2).items()), np.zeros_like(s2)) for k in even}


def scale_of(products: Floats) -> Floats:
    """Get the sizes (…, features) of features from their products (…, features, features); 1 where they are zero."""
    size = np.sqrt(np.abs(np.diagonal(products, axis1=-2, axis2=-1)))
    return np.asarray(np.where(size == 0, 1.0, size), np.float64)


def hermite(degree: int, s2: Floats) -> dict[int, Floats]:
    """Get the coefficients of He_degree by power, (units,) each."""
    terms: dict[int, Floats] = {}
    for m in range(degree // 2 + 1):
        factor = factorial(degree) / (factorial(m) * factorial(degree - 2 * m) * 2**m)
        terms[degree - 2 * m] = (-1) ** m * factor * s2**m
    return terms
