# SPDX-License-Identifier: Apache-2.0
"""Correlations between two readings, from those at the two; for one set of features or a stack of sets."""

import numpy as np
from numpy.typing import NDArray

from thermohw.estimation.basis import Floats, scale_of

SMALLEST_EIGENVALUE = 1e-10
"""Of ⟨F F⟩ with features scaled to one: below it a combination of features did not vary."""

FASTEST = 1e-3
"""Least share of a combination of features that is taken to be left after Δ: less is noise."""


def transition(here: Floats, there: Floats) -> Floats:
    """Get A of ⟨F(t) F(t' + Δ)ᵀ⟩ = ⟨F(t) F(t')ᵀ⟩ A, (…, features, features), on the combinations that vary."""
    scale = _scale(here)
    inverse = np.asarray(np.linalg.pinv(here / scale, rcond=SMALLEST_EIGENVALUE), np.float64)
    return np.asarray((inverse / scale) @ there, np.float64)


def integrated(products: Floats, interval: float) -> Floats:
    """Get ∫_0^Δ ⟨F(0) F(s)ᵀ⟩ ds, with ⟨F(0) F(s)ᵀ⟩ = ⟨F F⟩ A^{s/Δ} between the readings.

    Exact where F moves linearly (Ornstein–Uhlenbeck), else of relative error O(Δ²).

    Args:
        products: (lags, …, features, features) ⟨F(0) F(kΔ)ᵀ⟩, of which the first two lags count.
        interval: Δ.
    """
    values: NDArray[np.complex128]
    values, vectors = np.linalg.eig(transition(products[0], products[1]).astype(np.complex128))
    values = np.where(values.real < FASTEST, FASTEST, values)
    near = np.abs(values - 1) < 1e-7
    weights = np.where(near, (1 + values) / 2, (values - 1) / np.log(np.where(near, 2.0, values)))
    power = (vectors * weights[..., None, :]) @ np.linalg.inv(vectors)
    return np.asarray(products[0] @ power.real * interval, np.float64)


def integrated_at_equilibrium(products: Floats, interval: float) -> Floats:
    """Get the same for a device at equilibrium, where ⟨F(0) F(s)ᵀ⟩ is symmetric and every mode decays without turning.

    The constraint takes out most of the noise of modes of which little is left after Δ.
    """
    scale = _scale(products[0])
    values, vectors = np.linalg.eigh(products[0] / scale)
    varying = values > SMALLEST_EIGENVALUE * values.max()
    root, kept = np.sqrt(values[varying]), vectors[:, varying]
    decay = (kept / root).T @ ((products[1] + products[1].T) / (2 * scale)) @ (kept / root)
    shares, modes = np.linalg.eigh(decay)
    shares = np.clip(shares, FASTEST, 1 - 1e-12)
    unwhitened = (kept * root) @ modes
    return np.asarray((unwhitened * ((shares - 1) / np.log(shares))) @ unwhitened.T * scale * interval)


def _scale(here: Floats) -> Floats:
    size = scale_of(here)
    return size[..., :, None] * size[..., None, :]
