# SPDX-License-Identifier: Apache-2.0
"""Correlations between two readings, from those at the two."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from thermohw.estimation.basis import Floats
from thermohw.estimation.moments import Moments

SMALLEST_EIGENVALUE = 1e-10
"""Of ⟨F F⟩ with features scaled to one: below it a combination of features did not vary."""

FASTEST = 1e-3
"""Least share of a combination of features that is taken to be left after Δ: less is noise."""


def transition(moments: Moments, lag: int = 0) -> Floats:
    """Get A of ⟨F(t) F(t + (k+1) Δ)ᵀ⟩ = ⟨F(t) F(t + kΔ)ᵀ⟩ A, on the combinations of features that vary."""
    here, there = moments.products[lag], moments.products[lag + 1]
    scale = _scale(moments)
    inverse: Any = linalg.pinv(here / scale, rtol=SMALLEST_EIGENVALUE)
    return np.asarray((inverse / scale) @ there, np.float64)


def integrated(moments: Moments) -> Floats:
    """Get ∫_0^Δ ⟨F(0) F(s)ᵀ⟩ ds, (features, features), with ⟨F(0) F(s)ᵀ⟩ = ⟨F F⟩ A^{s/Δ} between the readings.

    Exact where F moves linearly (Ornstein–Uhlenbeck), else of relative error O(Δ²).
    """
    values: NDArray[np.complex128]
    values, vectors = np.linalg.eig(transition(moments).astype(np.complex128))
    values = np.where(values.real < FASTEST, FASTEST, values)
    near = np.abs(values - 1) < 1e-7
    weights = np.where(near, (1 + values) / 2, (values - 1) / np.log(np.where(near, 2.0, values)))
    power = np.linalg.solve(vectors.T, (vectors * weights).T).T.real
    return np.asarray(moments.products[0] @ power * moments.interval, np.float64)


def integrated_at_equilibrium(moments: Moments) -> Floats:
    """Get the same for a device at equilibrium, where ⟨F(0) F(s)ᵀ⟩ is symmetric and every mode decays without turning.

    The constraint takes out most of the noise of modes of which little is left after Δ.
    """
    scale = _scale(moments)
    values, vectors = np.linalg.eigh(moments.products[0] / scale)
    varying = values > SMALLEST_EIGENVALUE * values.max()
    root, kept = np.sqrt(values[varying]), vectors[:, varying]
    decay = (kept / root).T @ ((moments.products[1] + moments.products[1].T) / (2 * scale)) @ (kept / root)
    shares, modes = np.linalg.eigh(decay)
    shares = np.clip(shares, FASTEST, 1 - 1e-12)
    unwhitened = (kept * root) @ modes
    return np.asarray((unwhitened * ((shares - 1) / np.log(shares))) @ unwhitened.T * scale * moments.interval)


def _scale(moments: Moments) -> Floats:
    size = np.sqrt(np.abs(np.diag(moments.products[0])))
    size[size == 0] = 1.0
    return np.outer(size, size)
