# SPDX-License-Identifier: Apache-2.0
"""Means of products over readings, and the noise of the readings in them."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Self

from numpy.typing import ArrayLike
from scipy.optimize import brentq

from thermohw.errors import CalibrationError
from thermohw.estimation.basis import Floats
from thermohw.estimation.interpolation import transition

FIRST = 1e-6
"""Where the search for the noise begins, relative to the variance of the states."""


@dataclass(frozen=True, eq=False)
class ReadingMeans(ABC):
    """Means of products of features; a subclass knows which features they are.

    Attributes:
        interval: Δ, time between readings.
        products: (4, …, features, features) ⟨F(t) F(t + kΔ)ᵀ⟩, k = 0, 1, 2, and ⟨F(t + Δ) F(t + Δ)ᵀ⟩.
    """

    interval: float
    products: Floats

    @abstractmethod
    def without_noise(self, variance: ArrayLike) -> Self:
        """Get the means of the states behind readings with noise of this variance, (units,) or one for all."""

    @abstractmethod
    def own(self, product: Floats) -> Floats:
        """Get the elements x_i x_i, (units,), of one product (…, features, features)."""

    def stated_variance(self, noise: float) -> float:
        """Get the variance of noise of readings whose standard deviation is stated.

        Raises:
            CalibrationError: It is no standard deviation, readings with such noise would be larger than these are, or a
                unit never differed from zero.
        """
        if not noise >= 0:
            raise CalibrationError(f"the noise of readings must be a standard deviation, got {noise:g}")
        unit, square = self._smallest()
        if noise**2 >= square:
            raise CalibrationError(
                f"the stated noise of readings, {noise:g}, exceeds the readings: r.m.s. {square**0.5:.3g} at "
                f"unit {unit}"
            )
        return noise**2

    def noise_variance(self) -> float:
        """Get the variance of the noise of readings, one for all units.

        Noise adds to ⟨x x⟩ at lag 0 alone. Its variance is that at which the transition from lag 0 to lag 1, with the
        noise taken out, leads from lag 1 to lag 2 as well. Good for intervals that are short against relaxation.

        Raises:
            CalibrationError: No variance does: the interval is too long to tell noise from motion. Or a unit never
                differed from zero.
        """
        _, limit = self._smallest()

        def excess(variance: float) -> float:
            zero, one, two, _ = self.without_noise(variance).products
            return float(self.own(one @ transition(zero, one) - two).sum())

        if excess(0.0) >= 0:
            return 0.0
        high = FIRST * limit
        while excess(high) < 0:
            high *= 2
            if high > limit:
                raise CalibrationError(
                    "the noise of readings cannot be told from the motion at this interval: take readings closer in "
                    "time, or state the noise"
                )
        return float(brentq(excess, 0.0, high, xtol=1e-6 * high))

    def _smallest(self) -> tuple[int, float]:
        """Get the unit whose readings are smallest, and their mean square."""
        squares = self.own(self.products[0])
        unit = int(squares.argmin())
        if not squares[unit] > 0:
            raise CalibrationError(f"unit {unit}: it never differed from zero, so nothing is known of it")
        return unit, float(squares[unit])
