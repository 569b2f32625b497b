# SPDX-License-Identifier: Apache-2.0
"""Biases that change in time, piecewise linearly."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thermohw.errors import PlanError


@dataclass(frozen=True, eq=False)
class BiasSchedule:
    """Biases b(t), linear between knots and constant before the first and after the last.

    A run applies it as a staircase: step k, from t_k to t_{k+1}, feels b(t_k).

    Attributes:
        times: (knots,) increasing times, in the run's time unit, 0 at the start of the run.
        biases: (knots, units) linear energies at those times; they replace the program's biases.

    Raises:
        PlanError: Times that do not increase, a wrong shape, or a number that is not finite.
    """

    times: NDArray[np.float64]
    biases: NDArray[np.float64]

    def __post_init__(self) -> None:
        times, biases = np.array(self.times, np.float64), np.array(self.biases, np.float64)
        if times.ndim != 1 or times.size < 1 or biases.ndim != 2 or len(biases) != len(times):
            raise PlanError(
                f"a bias schedule needs times (knots,) and biases (knots, units); got {times.shape}, {biases.shape}"
            )
        if not (np.isfinite(times).all() and np.isfinite(biases).all()):
            raise PlanError("a bias schedule must have finite times and biases")
        if (np.diff(times) <= 0).any():
            raise PlanError(
                f"bias schedule times must increase; knot {int(np.argmax(np.diff(times) <= 0)) + 1} does not"
            )
        object.__setattr__(self, "times", times)
        object.__setattr__(self, "biases", biases)

    def at(self, time: float) -> NDArray[np.float64]:
        """Get the biases (units,) at a time."""
        right = int(np.searchsorted(self.times, time, side="right"))
        if right == 0:
            return self.biases[0]
        if right == len(self.times):
            return self.biases[-1]
        share = (time - self.times[right - 1]) / (self.times[right] - self.times[right - 1])
        return self.biases[right - 1] + share * (self.biases[right] - self.biases[right - 1])
