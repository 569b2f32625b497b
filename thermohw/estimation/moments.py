# SPDX-License-Identifier: Apache-2.0
"""Moments of all units' features together: what networks up to some hundred units are calibrated from."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from thermohw.estimation.basis import Basis, Floats
from thermohw.estimation.means import ReadingMeans
from thermohw.estimation.sums import LAGS, ReadingSums


@dataclass(eq=False)
class LaggedMoments(ReadingSums):
    """Sums of products of the features F of all units: (groups, 4, features, features)."""

    @property
    def basis(self) -> Basis:
        """Get the features."""
        return Basis(len(self.applied))

    @property
    def _shape(self) -> tuple[int, ...]:
        return self.basis.size, self.basis.size

    def fresh(self) -> Self:
        """Get an empty one with the same settings."""
        return type(self)(self.applied, self.groups, self.skip, self.interval)

    def means(self, without: int | None = None) -> "Moments":
        """Get the means over all groups, or all but one.

        Raises:
            CalibrationError: A group has no readings.
        """
        return Moments(self.interval, self.averages(without), self.basis)

    def _sums(self, states: Floats, starts: int, lags: int = LAGS) -> Floats:
        features = self.basis.states(states)
        width = features.shape[-1]
        here = features[:starts].reshape(-1, width)
        spread = self.basis.spread(self.applied)
        there = (features[lag : lag + starts].reshape(-1, width) for lag in range(lags))
        return np.stack([spread @ (here.T @ later) @ spread.T for later in there])


@dataclass(frozen=True, eq=False)
class Moments(ReadingMeans):
    """Means of products of all units' features, (4, features, features).

    Attributes:
        basis: The features F.
    """

    basis: Basis

    def without_noise(self, variance: ArrayLike) -> Self:
        """Get the moments of the states behind readings with noise of this variance, (units,) or one for all."""
        return replace(self, products=self.basis.without_noise(self.products, variance))

    def own(self, product: Floats) -> Floats:
        """Get the elements x_i x_i, (units,), of one product."""
        return np.diagonal(product)[: self.basis.units]
