# SPDX-License-Identifier: Apache-2.0
"""What calibration keeps of trajectories: products of features at equal and at neighbouring times, additive."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thermohw.errors import CalibrationError
from thermohw.estimation.basis import Basis, Floats
from thermohw.estimation.reading_noise import noise_variance
from thermohw.langevin.observer import Observer, TrajectoryPiece

LAGS = 3
"""Number of lags 0, 1, 2 in units of the interval: two for the law of motion, one more for the noise of readings."""


@dataclass(eq=False)
class LaggedMoments(Observer):
    """Sums of F(t) F(t + kΔ)ᵀ over readings of trajectories, for lags k = 0, 1, 2, in groups of chains.

    Groups are what standard errors are made of: chains are independent, so group sums are. Chains are dealt out to
    groups by their number; runs under other applied biases add up group by group.

    Attributes:
        applied: (units,) biases that this run adds to those under calibration, in the unit of the program's energies.
        groups: Number of groups.
        skip: Readings at the start of each trajectory that are left out, until the device has settled.
        interval: Δ, time between readings; set by the first piece seen.
        counts: (groups,) number of products.
        products: (groups, lags, features, features) their sums.
        next_squares: (groups, units) sums of x(t + Δ)².

    Raises:
        CalibrationError: Fewer than two groups.
    """

    applied: Floats
    groups: int = 50
    skip: int = 0
    interval: float = 0.0
    counts: Floats = field(init=False)
    products: Floats = field(init=False)
    next_squares: Floats = field(init=False)
    _tails: dict[int, Floats] = field(init=False, default_factory=dict[int, Floats])

    def __post_init__(self) -> None:
        self.applied = np.asarray(self.applied, np.float64)
        if self.groups < 2:
            raise CalibrationError(f"standard errors need at least 2 groups of chains, got {self.groups}")
        units, size = len(self.applied), self.basis.size
        self.counts = np.zeros(self.groups)
        self.products = np.zeros((self.groups, LAGS, size, size))
        self.next_squares = np.zeros((self.groups, units))

    @property
    def basis(self) -> Basis:
        """Get the features."""
        return Basis(len(self.applied))

    def fresh(self) -> Self:
        """Get an empty one with the same settings."""
        return type(self)(self.applied, self.groups, self.skip, self.interval)

    def observe(self, piece: TrajectoryPiece) -> None:
        """Take in consecutive readings of some chains.

        Raises:
            CalibrationError: Their interval is not that of the readings before.
        """
        self._require_interval(piece.interval)
        states = piece.states.astype(np.float64)
        tail = self._tails.get(piece.first_chain)
        first_reading = piece.first_step // piece.spacing
        if tail is not None:  # a piece begins with the last state of the one before
            states = np.concatenate([tail, states[1:]])
            first_reading += 1 - len(tail)
        dropped = min(max(self.skip - first_reading, 0), len(states))
        states = states[dropped:]
        starts = len(states) - (LAGS - 1)
        # a tail of all readings so far where they do not reach over all lags, else of as many as the next start needs
        self._tails[piece.first_chain] = (
            states[max(starts, 0) :] if len(states) else piece.states[-1:].astype(np.float64)
        )
        if starts < 1:
            return
        chains = states.shape[1]
        for offset in range(min(self.groups, chains)):
            self._add((piece.first_chain + offset) % self.groups, states[:, offset :: self.groups], starts)

    def absorb(self, other: Observer) -> None:
        """Add another's sums to these, under the same or other applied biases.

        Raises:
            PlanError: The other is of another kind.
            CalibrationError: The other has other groups, units or intervals.
        """
        other = self.same_kind(other)
        if other.products.shape != self.products.shape:
            raise CalibrationError(f"moments of shape {other.products.shape} do not add to {self.products.shape}")
        if other.interval:
            self._require_interval(other.interval)
        self.counts = self.counts + other.counts
        self.products = self.products + other.products
        self.next_squares = self.next_squares + other.next_squares

    def without(self, group: int) -> "Moments":
        """Get the means over all groups but one."""
        kept = np.arange(self.groups) != group
        return self._means(kept)

    def means(self) -> "Moments":
        """Get the means over all groups.

        Raises:
            CalibrationError: There are no readings, or a group has none.
        """
        if not self.counts.all():
            raise CalibrationError(
                f"{int((self.counts == 0).sum())} of {self.groups} groups have no readings: take more chains than "
                f"groups, and more than {LAGS - 1 + self.skip} intervals a trajectory"
            )
        return self._means(np.ones(self.groups, bool))

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """Get the sums by name, for a record."""
        return {"counts": self.counts, "products": self.products, "next_squares": self.next_squares}

    def _means(self, kept: NDArray[np.bool_]) -> "Moments":
        count = self.counts[kept].sum()
        products = self.products[kept].sum(axis=0) / count
        return Moments(self.basis, self.interval, products, self.next_squares[kept].sum(axis=0) / count)

    def _require_interval(self, interval: float) -> None:
        if self.interval and abs(interval - self.interval) > 1e-9 * self.interval:
            raise CalibrationError(f"readings {interval:g} apart do not add to readings {self.interval:g} apart")
        self.interval = interval

    def _add(self, group: int, states: Floats, starts: int) -> None:
        features = self.basis.states(states)
        width = features.shape[-1]
        here = features[:starts].reshape(-1, width)
        spread = self.basis.spread(self.applied)
        for lag in range(LAGS):
            there = features[lag : lag + starts].reshape(-1, width)
            self.products[group, lag] += spread @ (here.T @ there) @ spread.T
        self.counts[group] += len(here)
        self.next_squares[group] += (states[1 : starts + 1] ** 2).sum(axis=(0, 1))


@dataclass(frozen=True, eq=False)
class Moments:
    """Means of products of features.

    Attributes:
        basis: The features F.
        interval: Δ.
        products: (lags, features, features) ⟨F(t) F(t + kΔ)ᵀ⟩.
        next_squares: (units,) ⟨x(t + Δ)²⟩.
    """

    basis: Basis
    interval: float
    products: Floats
    next_squares: Floats

    def without_noise(self, variance: ArrayLike) -> "Moments":
        """Get the moments of the states behind readings with noise of this variance, (units,) or one for all."""
        products = self.basis.without_noise(self.products, variance)
        return Moments(self.basis, self.interval, products, self.next_squares - np.asarray(variance, np.float64))

    def noise_variance(self) -> float:
        """Get the variance of the noise of readings, one for all units.

        Raises:
            CalibrationError: The interval is too long to tell noise from motion.
        """
        unit = np.arange(self.basis.units)
        return noise_variance(
            lambda variance: self.without_noise(variance).products,
            lambda missing: float(missing[unit, unit].sum()),
            float(self.products[0][unit, unit].min()),
        )
