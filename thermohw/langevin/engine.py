# SPDX-License-Identifier: Apache-2.0
"""What every engine is: prepared once for an as-built computer and a time step, then asked to advance chains."""

from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from thermohw.langevin.as_built import AsBuilt
from thermohw.langevin.schedule import BiasSchedule

Integrator = Literal["euler-maruyama", "leimkuhler-matthews"]
Floats = NDArray[Any]
"""An array of float32 or float64."""


@dataclass(frozen=True)
class Dynamics:
    """All that an engine needs to know before it sees a state.

    Attributes:
        as_built: What the device integrates.
        dt: Time step, in the unit of 1/(mobility · energy).
        schedule: Biases in time; None for the built biases throughout.
        integrator: Euler–Maruyama (Eq. 3), or Leimkuhler–Matthews, whose stationary error is O(Δt²).
        dtype: float32 or float64.
    """

    as_built: AsBuilt
    dt: float
    schedule: BiasSchedule | None = None
    integrator: Integrator = "euler-maruyama"
    dtype: type[np.float32] | type[np.float64] = np.float32

    def knots(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Get the schedule as (knots,) times in steps and (knots, units) biases; one knot where there is none."""
        if self.schedule is None:
            return np.zeros(1), self.as_built.biases[None].copy()
        return self.schedule.times / self.dt, self.schedule.biases

    def largest_biases(self) -> NDArray[np.float64]:
        """Get the largest |b| that each unit feels in the course of a run, (units,)."""
        return np.abs(self.knots()[1]).max(axis=0)

    def biases_at(self, step: int) -> NDArray[np.float64]:
        """Get the biases (units,) that step number `step` feels."""
        return self.as_built.biases if self.schedule is None else self.schedule.at(step * self.dt)


@dataclass(frozen=True)
class NoiseKey:
    """Which noise a block of chains sees: that of chains first_chain, first_chain + 1, … from step first_step on."""

    seed: int
    first_chain: int = 0
    first_step: int = 0

    @property
    def halves(self) -> tuple[np.uint32, np.uint32]:
        """Get the seed's low and high 32 bits, the key of the compiled noise."""
        return np.uint32(self.seed & 0xFFFFFFFF), np.uint32(self.seed >> 32)


class Engine(Protocol):
    """Advances chains through time; immutable, shared by all blocks, picklable."""

    def advance(
        self,
        states: Floats,
        key: NoiseKey,
        steps: int,
        work: NDArray[np.float64],
        record: Floats,
        velocities: Floats | None = None,
    ) -> None:
        """Advance states in place.

        Args:
            states: (chains, units), overwritten.
            key: The noise to use, and the number of the first step (which sets the time in the schedule).
            steps: How many steps to take.
            work: (chains,) to which the work Σ_k [b(t_{k+1}) − b(t_k)]·x(t_{k+1}) done by the schedule is added.
            record: (records, chains, units); steps must be a multiple of its records, each of which receives the
                state after another steps/records steps. Zero records: nothing is recorded.
            velocities: (chains, units), overwritten; needed and used with inertia only.

        Raises:
            DivergenceError: A state left the finite numbers; names unit, time and the stable step.
        """
        ...
