# SPDX-License-Identifier: Apache-2.0
"""Training by gradient flow: what the paper's descent (Eqs. 8-11) tends to with small steps and many trajectories."""

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh_tridiagonal

from thermohw.training.likelihood import TOLERANCE, Solution
from thermohw.training.quadratic import PathQuadratic

Floats = NDArray[np.float64]
DIRECTIONS = 48
"""Krylov directions kept at a time; each costs a Hessian product and a vector of parameters."""
CURVE_POINTS = 16
"""Points of the convergence curve a stretch."""


def descend_flow(quadratic: PathQuadratic, time: float) -> Solution:
    """Follow dz/dτ = −2 ∂f/∂z from zero to τ = `time`: the limit of small learning rates and many trajectories.

    The flow of a quadratic is z(τ) = −(1 − e^{−2Hτ}) H⁻¹ ∂f(0): the Lanczos process finds it, stretch by stretch, in
    the few directions that matter (Hochbruck & Lubich, SIAM J. Numer. Anal. 34, 1911 (1997)), without a step size.
    For long times it is `maximize_likelihood`.
    """
    z, gain, elapsed = np.zeros(quadratic.size), 0.0, 0.0
    gradient = quadratic.linear
    scale = float(np.linalg.norm(gradient))
    curve: list[tuple[float, float]] = [(0.0, 0.0)]
    while elapsed < time:
        stretch = _Stretch.along(quadratic, gradient, time - elapsed, TOLERANCE * scale)
        duration = time - elapsed
        while stretch.residual(duration) > TOLERANCE * scale:
            duration /= 2
        for share in np.linspace(0, 1, CURVE_POINTS + 1)[1:]:
            curve.append((elapsed + share * duration, gain + stretch.gain(share * duration)))
        z = z + stretch.change(duration)
        gain += stretch.gain(duration)
        elapsed = time if duration == time - elapsed else elapsed + duration
        gradient = quadratic.gradient(z)
    return Solution(z, np.array(curve), float(np.linalg.norm(gradient)) / scale)


@dataclass(frozen=True, eq=False)
class _Stretch:
    """The flow from one point on, in an orthonormal basis Q of a Krylov space: T = Qᵀ H Q is tridiagonal.

    Attributes:
        basis: Columns of Q, (directions) of (size,); the first is the gradient's direction.
        rates: (directions,) eigenvalues of T.
        modes: (directions, directions) its eigenvectors, as columns.
        slope: |∂f/∂z| at the start.
        leak: |H q − …| of the last direction: what T leaves out.
    """

    basis: tuple[Floats, ...]
    rates: Floats
    modes: Floats
    slope: float
    leak: float

    @staticmethod
    def along(quadratic: PathQuadratic, gradient: Floats, duration: float, goal: float) -> "_Stretch":
        """Take as many Krylov directions as the flow of a given duration needs, but not more than DIRECTIONS."""
        slope = float(np.linalg.norm(gradient))
        basis = [gradient / slope]
        diagonal: list[float] = []
        beside: list[float] = []
        while True:
            product = quadratic.hessian_product(basis[-1])
            diagonal.append(float(basis[-1] @ product))
            for _ in range(2):  # twice is enough to stay orthogonal
                for direction in basis:
                    product = product - (direction @ product) * direction
            leak = float(np.linalg.norm(product))
            spectrum: tuple[Floats, Floats] = cast(Any, eigh_tridiagonal(np.array(diagonal), np.array(beside)))
            stretch = _Stretch(tuple(basis), *spectrum, slope, leak)
            if len(basis) == min(DIRECTIONS, quadratic.size) or stretch.residual(duration) <= goal:
                return stretch
            basis.append(product / leak)
            beside.append(leak)

    def _coordinates(self, duration: float) -> Floats:
        """Get the change of z along the eigenvectors of T: −(1 − e^{−2λτ})/λ times the gradient's components."""
        decayed = -np.expm1(-2 * self.rates * duration)
        positive = self.rates > 0
        share = np.where(positive, decayed / np.where(positive, self.rates, 1.0), 2 * duration)
        return -self.slope * self.modes[0] * share

    def residual(self, duration: float) -> float:
        """Get the norm of the gradient that the flow misses at its end."""
        return self.leak * abs(float(self.modes[-1] @ self._coordinates(duration)))

    def change(self, duration: float) -> Floats:
        """Get the change of z, (size,)."""
        change = np.zeros(len(self.basis[0]))
        for step, direction in zip(self.modes @ self._coordinates(duration), self.basis, strict=True):
            change += step * direction
        return change

    def gain(self, duration: float) -> float:
        """Get the change of f."""
        along = self._coordinates(duration)
        return float(self.slope * (self.modes[0] @ along) + 0.5 * (self.rates @ along**2))
