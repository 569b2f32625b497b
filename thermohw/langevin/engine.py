# SPDX-License-Identifier: Apache-2.0
"""What every engine is: prepared once for an as-built computer and a time step, then asked to advance chains."""

from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from thermohw.langevin.as_built import AsBuilt
from thermohw.langevin.noise import INITIAL
from thermohw.langevin.noise_kernel import fill_noise
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
        integrator: Euler–Maruyama (Eq. 3), or Leimkuhler–Matthews, whose stationary error is O(Δt²); it rests on white
            noise and smooth forces, so that computers with coloured noise or rails are integrated by Euler–Maruyama.
        dtype: float32 or float64.
    """

    as_built: AsBuilt
    dt: float
    schedule: BiasSchedule | None = None
    integrator: Integrator = "euler-maruyama"
    dtype: type[np.float32] | type[np.float64] = np.float32

    @property
    def smooth(self) -> bool:
        """Get whether a step takes the mean of two noise numbers, as Leimkuhler–Matthews does."""
        built = self.as_built
        return self.integrator == "leimkuhler-matthews" and not (built.coloured or built.railed)

    def knots(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Get the schedule as (knots,) times in steps and (knots, units) biases; one knot where there is none."""
        if self.schedule is None:
            return np.zeros(1), self.as_built.biases[None].copy()
        return self.schedule.times / self.dt, self.schedule.biases

    def fresh_share(self) -> NDArray[np.float64]:
        """Get 1 − e^{−Δt/τ_n}, the share of each unit's noise number that is fresh, (units,); 1 where it is white."""
        times = self.as_built.noise_time
        return np.where(times > 0, -np.expm1(-self.dt / np.where(times > 0, times, 1.0)), 1.0)

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


@dataclass(frozen=True, eq=False)
class Memory:
    """What a block of chains remembers; engines overwrite it. What a computer does not need is empty.

    Attributes:
        noise: (chains, units) number y of the coloured noise at the step before; (0, units) where all noise is white.
        flicker: (processes, chains, units) processes z_j of the flicker noise, see `Renewal`; or (0, 0, units).
        drive: (chains, units) Σ_j z_j, or (0, units).
        flow: (chains, 2) heat given to the baths so far, in the unit of energy, and Σ_i Q_i/kT_i, k_B; (0, 2) where the
            computer is balanced.
    """

    noise: Floats
    flicker: Floats
    drive: Floats
    flow: NDArray[np.float64]

    @staticmethod
    def of(dynamics: Dynamics, key: NoiseKey, chains: int) -> "Memory":
        """Get the memory of chains whose noise is stationary before step `key.first_step`, and that gave no heat yet.

        Raises:
            PlanError: The time step is too large for the flicker noise.
        """
        built, dtype = dynamics.as_built, dynamics.dtype
        noise: Floats = np.empty((chains if built.coloured else 0, built.units), dtype)
        if built.coloured:
            fill_noise(noise, key.first_step + 1, key.first_chain, key.halves, INITIAL)  # number 0 drew the states
            fresh = dynamics.fresh_share()
            noise *= np.sqrt(fresh / (2 - fresh)).astype(dtype)
        flicker: Floats = np.empty((0, 0, built.units), dtype)
        if built.flicker is not None:
            renewal = built.flicker.renewal(dynamics.dt)
            flicker = np.empty((len(renewal.holds), chains, built.units), dtype)
            for process, states in enumerate(flicker):
                number = key.first_step // int(renewal.holds[process])
                fill_noise(states, number, key.first_chain, key.halves, renewal.stream(process))
            flicker *= dtype(renewal.size)
        drive = flicker.sum(axis=0, dtype=dtype)
        return Memory(noise, flicker, drive, np.zeros((0 if built.balanced else chains, 2)))

    def arrays(self) -> tuple[NDArray[Any], ...]:
        """Get (noise, flicker, drive, flow), for kernels that work on chains."""
        return self.noise, self.flicker, self.drive, self.flow

    def lanes(self) -> tuple[NDArray[Any], ...]:
        """Get copies of the same with the chains last, for kernels that work on units; `store` brings them back."""
        return tuple(np.ascontiguousarray(array.swapaxes(-1, -2)) for array in self.arrays())

    def store(self, lanes: tuple[NDArray[Any], ...]) -> None:
        """Overwrite the memory by what a kernel made of `lanes`."""
        for array, lane in zip(self.arrays(), lanes, strict=True):
            array[:] = lane.swapaxes(-1, -2)


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
        memory: Memory | None = None,
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
            memory: What the chains remember, overwritten; pieces of a run must share it. None: `Memory.of` their start.

        Raises:
            DivergenceError: A state left the finite numbers; names unit, time and the stable step.
        """
        ...
