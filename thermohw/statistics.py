# SPDX-License-Identifier: Apache-2.0
"""Means with their standard errors."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Estimate:
    """A mean with its standard error and the standard deviation and number of the samples behind it.

    `standard_error` is NaN where it is not defined (fewer than two samples).
    """

    mean: float
    standard_error: float
    standard_deviation: float
    count: int

    @staticmethod
    def of(samples: ArrayLike) -> "Estimate":
        """Estimate the mean of independent samples (samples,)."""
        values = np.asarray(samples, np.float64).ravel()
        deviation = float(values.std(ddof=1)) if values.size > 1 else float("nan")
        mean = float(values.mean()) if values.size else float("nan")
        return Estimate(mean, deviation / max(values.size, 1) ** 0.5, deviation, values.size)

    def __str__(self) -> str:
        return f"{self.mean:.4g} ± {self.standard_error:.1g}"


def effective_sample_size(series: NDArray[np.float64]) -> float:
    """Get the effective number of independent samples in a stationary series (steps,).

    n / (1 + 2 Σ_t ρ_t), the autocorrelations summed to the first negative pair (initial positive sequence:
    Geyer, Stat. Sci. 7, 473 (1992)).
    """
    count = len(series)
    centred = series - series.mean()
    spectrum = np.abs(np.fft.rfft(centred, 2 * count)) ** 2
    covariance = np.fft.irfft(spectrum)[:count]
    if covariance[0] <= 0:
        return float(count)
    correlation = covariance / covariance[0]
    pairs = correlation[: count // 2 * 2].reshape(-1, 2).sum(axis=1)
    negative = np.flatnonzero(pairs <= 0)
    kept = pairs[: negative[0]] if negative.size else pairs
    return float(count / max(2 * kept.sum() - 1, 1 / count))
