# SPDX-License-Identifier: Apache-2.0
"""Sums over readings for calibration pair by pair: matrices of units by units, few enough for big networks."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thermohw.errors import CalibrationError
from thermohw.estimation.basis import Floats, even_without_noise
from thermohw.estimation.sums import LAGS, common_interval

MATRICES = ("xx", "cx", "xc", "xb")
MOVING_VECTORS = ("x", "c", "cc", "cb")
CONSTANTS = ("b", "bb", "one")


@dataclass(eq=False)
class PairMoments:
    """Sums over readings of products of x, c = x³ and the applied biases B, one factor k = 0, 1, 2 intervals later.

    (lags, units, units): `xx`, `cx` and `xc` of the first at t with the second at t + kΔ, `xb` of x_i(t + kΔ) with B_j.
    (lags, units), of each unit by itself: `x`, `c`, `cc` and `cb` of x(t + kΔ), c(t + kΔ), c(t) c(t + kΔ) and
    c(t + kΔ) B. (units,): `b`, `bb` and `one` of B, B² and 1. Readings under other applied biases add up. There are no
    groups: standard errors are those of a posterior, and every matrix of 1296 units takes 13 MB.

    Attributes:
        applied: (units,) biases that are added to those under calibration, in the unit of the program's energies.
        interval: Δ, time between readings.
        count: Number of products.
        sums: By name.
    """

    applied: Floats
    interval: float = 0.0
    count: float = field(init=False, default=0.0)
    sums: dict[str, Floats] = field(init=False)

    def __post_init__(self) -> None:
        self.applied = np.asarray(self.applied, np.float64)
        units = len(self.applied)
        self.sums = {name: np.zeros((LAGS, units, units)) for name in MATRICES}
        self.sums |= {name: np.zeros((LAGS, units)) for name in MOVING_VECTORS}
        self.sums |= {name: np.zeros(units) for name in CONSTANTS}

    def take(self, readings: NDArray[Any]) -> None:
        """Take in whole trajectories (readings, chains, units), Δ apart; of fewer than three readings nothing."""
        starts, units, b = len(readings) - (LAGS - 1), len(self.applied), self.applied
        if starts < 1:
            return
        states = readings.astype(np.float64)
        cubes, sums = states**3, self.sums
        x, c = (part[:starts].reshape(-1, units) for part in (states, cubes))
        for lag in range(LAGS):
            later, later_cubes = (part[lag : lag + starts].reshape(-1, units) for part in (states, cubes))
            total, total_cubes = later.sum(axis=0), later_cubes.sum(axis=0)
            sums["xx"][lag] += x.T @ later
            sums["cx"][lag] += c.T @ later
            sums["xc"][lag] += x.T @ later_cubes
            sums["xb"][lag] += np.outer(total, b)
            sums["x"][lag] += total
            sums["c"][lag] += total_cubes
            sums["cc"][lag] += (c * later_cubes).sum(axis=0)
            sums["cb"][lag] += total_cubes * b
        count = len(x)
        for name, value in zip(CONSTANTS, (b, b**2, np.ones(units)), strict=True):
            sums[name] += count * value
        self.count += count

    def absorb(self, other: "PairMoments") -> None:
        """Add another's sums to these, under the same or other applied biases.

        Raises:
            CalibrationError: The other has other units or intervals.
        """
        if len(other.applied) != len(self.applied):
            raise CalibrationError(f"moments of {len(other.applied)} units do not add to {len(self.applied)}")
        self.interval = common_interval(self.interval, other.interval)
        for name, values in other.sums.items():
            self.sums[name] += values
        self.count += other.count

    def means(self) -> dict[str, Floats]:
        """Get the means by name; zeros where nothing was read."""
        return {name: values / max(self.count, 1.0) for name, values in self.sums.items()}


def of_hermite(means: dict[str, Floats], variance: float) -> dict[str, Floats]:
    """Get the means with x³ − 3 s² x in place of x³: of readings with noise of this variance it has the mean of x³."""
    s2, found = variance, dict(means)
    own = {name: np.einsum("kuu->ku", means[name]) for name in MATRICES}
    found["c"] = means["c"] - 3 * s2 * means["x"]
    found["cb"] = means["cb"] - 3 * s2 * own["xb"]
    found["cx"], found["xc"] = (means[name] - 3 * s2 * means["xx"] for name in ("cx", "xc"))
    found["cc"] = means["cc"] - 3 * s2 * (own["cx"] + own["xc"]) + 9 * s2**2 * own["xx"]
    return found


def without_noise(means: dict[str, Floats], variance: float) -> dict[str, Floats]:
    """Get the means of states behind readings with noise of this variance: Hermite polynomials, as in `Basis`."""
    found = of_hermite(means, variance)
    even = {2: np.diag(means["xx"][0]), 4: np.diag(means["cx"][0]), 6: means["cc"][0]}
    clean = even_without_noise(even, np.full_like(means["one"], variance))
    found |= {name: found[name].copy() for name in ("xx", "cx", "xc", "cc")}
    for name, power in (("xx", 2), ("cx", 4), ("xc", 4)):
        np.fill_diagonal(found[name][0], clean[power])
    found["cc"][0] = clean[6]
    return found
