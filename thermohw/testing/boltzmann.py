# SPDX-License-Identifier: Apache-2.0
"""The Boltzmann density of one or two units, by quadrature: the truth that samples are compared with."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thermohw.errors import ProgramError
from thermohw.langevin.as_built import AsBuilt
from thermohw.program import Program

Floats = NDArray[np.float64]
DEPTH = 45.0
"""The grid ends where the density is below e^-45 of its maximum."""
POINTS = {1: 4001, 2: 801}
"""Grid points an axis, by the number of units."""


Law = Program | AsBuilt
"""What has an energy: a program, or what a device builds of it."""


@dataclass(frozen=True, eq=False)
class Boltzmann:
    """exp(−V/kT)/Z of a law with one or two units, on a grid; the trapezoidal rule is exact to rounding here.

    Attributes:
        axes: (units, points) the grid along each unit.
        states: (grid, units) the grid points, last unit fastest.
        probability: (grid,) of each, summing to 1.
        free_energy: −kT ln ∫ e^{−V/kT} dx, in the unit of kT.
    """

    axes: Floats
    states: Floats
    probability: Floats
    free_energy: float

    @staticmethod
    def of(law: Law, kT: float = 1.0) -> "Boltzmann":
        """Tabulate the density of a program, or of what a device builds of it, at a thermal energy kT.

        Raises:
            ProgramError: The law has more than two units.
        """
        units = law.units
        if units not in POINTS:
            raise ProgramError(f"quadrature is for one or two units, the law has {units}")
        low, high = -np.ones(units), np.ones(units)
        while True:  # widen the box until the density is negligible all around it, then fit it
            states, energy = _grid(law, low, high, 401)[1:]
            inside = states[energy - energy.min() < DEPTH * kT]
            margin = (high - low) / 100
            if (inside.min(axis=0) > low + margin).all() and (inside.max(axis=0) < high - margin).all():
                break
            low, high = 2 * low, 2 * high
        low, high = inside.min(axis=0) - margin, inside.max(axis=0) + margin
        axes, states, energy = _grid(law, low, high, POINTS[units])
        weight = np.exp(-(energy - energy.min()) / kT)
        cell = float(np.prod(axes[:, 1] - axes[:, 0]))
        free_energy = float(energy.min()) - kT * float(np.log(weight.sum() * cell))
        return Boltzmann(axes, states, weight / weight.sum(), free_energy)

    def mean(self, observable: Callable[[Floats], Floats]) -> Floats:
        """Get the expectation of an observable that maps states (grid, units) to values (grid, …)."""
        return np.tensordot(self.probability, observable(self.states), axes=1)

    def cumulative(self, x: ArrayLike, unit: int = 0) -> Floats:
        """Get the probability that a unit lies below x; of the shape of x."""
        others = tuple(axis for axis in range(len(self.axes)) if axis != unit)
        marginal = self.probability.reshape([self.axes.shape[1]] * len(self.axes)).sum(axis=others)
        below = np.cumsum(marginal) - 0.5 * marginal
        return np.asarray(np.interp(np.asarray(x, np.float64), self.axes[unit], below), np.float64)


def _grid(law: Law, low: Floats, high: Floats, points: int) -> tuple[Floats, Floats, Floats]:
    axes = low[:, None] + (high - low)[:, None] * np.linspace(0, 1, points)
    states = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))
    return axes, states, law.energy(states)
