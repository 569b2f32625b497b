# SPDX-License-Identifier: Apache-2.0
"""Sums over readings of trajectories that calibration keeps, in groups of chains: additive, streamed, resumable."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thermohw.errors import CalibrationError
from thermohw.estimation.basis import Floats
from thermohw.estimation.means import ReadingMeans
from thermohw.langevin.observer import Observer, TrajectoryPiece

LAGS = 3
"""Number of lags 0, 1, 2 in units of the interval: two for the law of motion, one more for the noise of readings."""

PRODUCTS = LAGS + 1
"""Number of products that are kept."""


@dataclass(eq=False)
class ReadingSums(Observer):
    """Sums over readings of F(t) F(t + kΔ)ᵀ, k = 0, 1, 2, and F(t + Δ) F(t + Δ)ᵀ; a subclass has the features F.

    Groups are what standard errors are made of: chains are independent, so group sums are. Chains are dealt out to
    groups by their number; runs under other applied biases add up group by group.

    Attributes:
        applied: (units,) biases that this run adds to those under calibration, in the unit of the program's energies.
        groups: Number of groups.
        skip: Readings at the start of each trajectory that are left out, until the device has settled.
        interval: Δ, time between readings; set by the first piece seen.
        counts: (groups,) number of products.
        products: (groups, 4, …, features, features) their sums.

    Raises:
        CalibrationError: Fewer than two groups.
    """

    applied: Floats
    groups: int = 50
    skip: int = 0
    interval: float = 0.0
    counts: Floats = field(init=False)
    products: Floats = field(init=False)
    _tails: dict[int, Floats] = field(init=False, default_factory=dict[int, Floats])

    def __post_init__(self) -> None:
        self.applied = np.asarray(self.applied, np.float64)
        if self.groups < 2:
            raise CalibrationError(f"standard errors need at least 2 groups of chains, got {self.groups}")
        self.counts = np.zeros(self.groups)
        self.products = np.zeros((self.groups, PRODUCTS, *self._shape))

    @abstractmethod
    def means(self, without: int | None = None) -> ReadingMeans:
        """Get the means over all groups, or all but one."""

    @property
    @abstractmethod
    def _shape(self) -> tuple[int, ...]:
        """Get the shape (…, features, features) of one product."""

    @abstractmethod
    def _sums(self, states: Floats, starts: int, lags: int = LAGS) -> Floats:
        """Get the sums (lags, …, features, features) over chains and starting times.

        Args:
            states: (readings, chains, units).
            starts: Number of readings that products start from, the first ones.
            lags: Number of lags, from 0.
        """

    def observe(self, piece: TrajectoryPiece) -> None:
        """Take in consecutive readings of some chains.

        Raises:
            CalibrationError: Their interval is not that of the readings before.
        """
        self.interval = common_interval(self.interval, piece.interval)
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
            group, own = (piece.first_chain + offset) % self.groups, states[:, offset :: self.groups]
            sums = self._sums(own, starts)
            shift = self._sums(own[starts:], 1, lags=1) - self._sums(own, 1, lags=1)  # from starts t to t + Δ
            self.products[group] += np.concatenate([sums, sums[:1] + shift])
            self.counts[group] += starts * own.shape[1]

    def absorb(self, other: Observer) -> None:
        """Add another's sums to these, under the same or other applied biases.

        Raises:
            PlanError: The other is of another kind.
            CalibrationError: The other has other groups, units or intervals.
        """
        other = self.same_kind(other)
        if other.products.shape != self.products.shape:
            raise CalibrationError(f"moments of shape {other.products.shape} do not add to {self.products.shape}")
        self.interval = common_interval(self.interval, other.interval)
        self.counts = self.counts + other.counts
        self.products = self.products + other.products

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """Get the sums by name, for a record."""
        return {"counts": self.counts, "products": self.products}

    def averages(self, without: int | None = None) -> Floats:
        """Get the means of products (4, …, features, features) over all groups, or all but one.

        Raises:
            CalibrationError: A group has no readings.
        """
        if not self.counts.all():
            raise CalibrationError(
                f"{int((self.counts == 0).sum())} of {self.groups} groups have no readings: take more chains than "
                f"groups, and more than {LAGS - 1 + self.skip} intervals a trajectory"
            )
        kept = np.arange(self.groups) != (-1 if without is None else without)
        return np.asarray(self.products[kept].sum(axis=0) / self.counts[kept].sum(), np.float64)


def common_interval(known: float, given: float) -> float:
    """Get the interval of readings that are added to others; 0 stands for no readings yet.

    Raises:
        CalibrationError: The intervals differ.
    """
    if known and given and abs(given - known) > 1e-9 * known:
        raise CalibrationError(f"readings {given:g} apart do not add to readings {known:g} apart")
    return given or known
