# SPDX-License-Identifier: Apache-2.0
"""Sums over readings for calibration pair by pair: matrices of units by units, few enough for big networks."""

from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from thermohw.errors import CalibrationError
from thermohw.estimation.basis import Floats, even_without_noise
from thermohw.estimation.sums import common_interval
from thermohw.langevin.observer import Observer, TrajectoryPiece

MATRICES = ("xx", "xx_next", "cx", "cx_next", "xc_next", "xb", "xb_next")
VECTORS = ("x", "x_next", "c", "c_next", "x6", "cc_next", "cb", "cb_next", "b", "bb", "one")


@dataclass(eq=False)
class PairMoments(Observer):
    """Sums over readings of products of x, c = x³ and the applied biases B, at times t and t + Δ ("next").

    `xx`, `cx` and `xb` are ⟨a_i(t) a_j(t)⟩ (units, units), `xx_next`, `cx_next`, `xc_next` and `xb_next` the same with
    the second factor at t + Δ (of `xb`, the state); `x6`, `cc_next` and `cb` (units,) are of each unit with itself,
    `one` is 1. Runs under other applied biases add up. There are no groups: standard errors are those of a posterior,
    and every matrix of 1296 units takes 13 MB.

    Attributes:
        applied: (units,) biases that this run adds to those under calibration, in the unit of the program's energies.
        skip: Readings at the start of each trajectory that are left out, until the device has settled.
        interval: Δ, time between readings; set by the first piece seen.
        count: Number of products.
        sums: By name.

    Raises:
        CalibrationError: Readings of other intervals or units are added.
    """

    applied: Floats
    skip: int = 0
    interval: float = 0.0
    count: float = field(init=False, default=0.0)
    sums: dict[str, Floats] = field(init=False)

    def __post_init__(self) -> None:
        self.applied = np.asarray(self.applied, np.float64)
        units = len(self.applied)
        self.sums = {name: np.zeros((units, units)) for name in MATRICES}
        self.sums |= {name: np.zeros(units) for name in VECTORS}

    def fresh(self) -> Self:
        """Get an empty one with the same settings."""
        return type(self)(self.applied, self.skip, self.interval)

    def observe(self, piece: TrajectoryPiece) -> None:
        """Take in consecutive readings of some chains; a piece begins with the last reading of the one before.

        Raises:
            CalibrationError: Their interval is not that of the readings before.
        """
        self.interval = common_interval(self.interval, piece.interval)
        self.take(piece.states[max(self.skip - piece.first_step // piece.spacing, 0) :])

    def take(self, readings: NDArray[Any]) -> None:
        """Take in consecutive readings (readings, chains, units), an interval apart."""
        states = readings.astype(np.float64)
        if len(states) < 2:
            return
        x, x_next = (part.reshape(-1, states.shape[-1]) for part in (states[:-1], states[1:]))
        c, c_next, b = x**3, x_next**3, self.applied
        sums, total, total_next, cubes = self.sums, x.sum(axis=0), x_next.sum(axis=0), c.sum(axis=0)
        cubes_next = c_next.sum(axis=0)
        for name, first, second in (
            ("xx", x, x),
            ("xx_next", x, x_next),
            ("cx", c, x),
            ("cx_next", c, x_next),
            ("xc_next", x, c_next),
        ):
            sums[name] += first.T @ second
        sums["xb"] += np.outer(total, b)
        sums["xb_next"] += np.outer(total_next, b)
        count = len(x)
        found = (
            total, total_next, cubes, cubes_next, (c * c).sum(axis=0), (c * c_next).sum(axis=0), cubes * b,
            cubes_next * b, count * b, count * b**2, count * np.ones_like(b),
        )  # fmt: skip
        for name, values in zip(VECTORS, found, strict=True):
            sums[name] += values
        self.count += count

    def absorb(self, other: Observer) -> None:
        """Add another's sums to these, under the same or other applied biases.

        Raises:
            PlanError: The other is of another kind.
            CalibrationError: The other has other units or intervals.
        """
        other = self.same_kind(other)
        if len(other.applied) != len(self.applied):
            raise CalibrationError(f"moments of {len(other.applied)} units do not add to {len(self.applied)}")
        self.interval = common_interval(self.interval, other.interval)
        for name, values in other.sums.items():
            self.sums[name] += values
        self.count += other.count

    def means(self) -> dict[str, Floats]:
        """Get the means by name; zeros where nothing was read."""
        return {name: values / max(self.count, 1.0) for name, values in self.sums.items()}


def without_noise(means: dict[str, Floats], variance: float) -> dict[str, Floats]:
    """Get the means of states behind readings with noise of this variance: Hermite polynomials, as in `Basis`."""
    s2, found = variance, dict(means)
    found["c"], found["c_next"] = means["c"] - 3 * s2 * means["x"], means["c_next"] - 3 * s2 * means["x_next"]
    for name, power in (("cx", "xx"), ("cx_next", "xx_next"), ("xc_next", "xx_next")):
        found[name] = means[name] - 3 * s2 * means[power]
    own = np.diag(means["cx_next"]) + np.diag(means["xc_next"])
    found["cc_next"] = means["cc_next"] - 3 * s2 * own + 9 * s2**2 * np.diag(means["xx_next"])
    found["cb"] = means["cb"] - 3 * s2 * np.diag(means["xb"])
    found["cb_next"] = means["cb_next"] - 3 * s2 * np.diag(means["xb_next"])
    even = {2: np.diag(means["xx"]), 4: np.diag(means["cx"]), 6: means["x6"]}
    clean = even_without_noise(even, np.full(len(means["x"]), s2))
    found["xx"] = means["xx"].copy()
    np.fill_diagonal(found["xx"], clean[2])
    np.fill_diagonal(found["cx"], clean[4])
    found["x6"] = clean[6]
    return found
