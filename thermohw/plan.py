# SPDX-License-Identifier: Apache-2.0
"""What to run: a plan that any device can carry out."""

import operator
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from thermohw.errors import PlanError
from thermohw.langevin.ensemble import Keep
from thermohw.langevin.schedule import BiasSchedule

MAX_STEPS = 2**32 - 1
"""Steps are numbered with 32 bits in the counter of the noise, and Leimkuhler–Matthews looks one step ahead."""


@dataclass(frozen=True, eq=False)
class RunPlan:
    """What to run.

    Attributes:
        duration: Length of each trajectory, in the device's time unit, 1/(μ · energy).
        n_samples: Number of independent trajectories (chains).
        dt: Time step of a simulation, same unit; None lets the device choose.
        bias_schedule: Biases in time, instead of the program's.
        initial: Where trajectories start: the equilibrium of the computer with couplings off and biases on
            ("uncoupled"), with both off ("unbiased"), or states (samples, units).
        record_every: Steps between the states that observers see and that `keep="trajectory"` stores.
        keep: Which states to return: "none", "final", "both" (initial and final) or "trajectory" (all recorded).
        first_chain: Number of the first trajectory: plans that differ only in it are parts of one ensemble.
        seed: Of all noise; None chooses one and records it.

    Raises:
        PlanError: A value out of range.
    """

    duration: float
    n_samples: int
    dt: float | None = None
    bias_schedule: BiasSchedule | None = None
    initial: Literal["uncoupled", "unbiased"] | NDArray[Any] = "uncoupled"
    record_every: int = 1
    keep: Keep = "both"
    first_chain: int = 0
    seed: int | None = None

    def __post_init__(self) -> None:
        for name in ("n_samples", "record_every", "first_chain"):
            object.__setattr__(self, name, _whole_number(name, getattr(self, name)))
        if self.seed is not None:
            object.__setattr__(self, "seed", _whole_number("seed", self.seed))
        if not (np.isfinite(self.duration) and self.duration > 0):
            raise PlanError(f"duration must be a positive time, got {self.duration}")
        if self.n_samples < 1:
            raise PlanError(f"n_samples must be at least 1, got {self.n_samples}")
        if self.dt is not None and not 0 < self.dt <= self.duration:
            raise PlanError(f"dt must lie between 0 and the duration {self.duration:g}, got {self.dt}")
        if self.record_every < 1:
            raise PlanError(f"record_every must be at least 1 step, got {self.record_every}")
        if self.keep not in ("none", "final", "both", "trajectory"):
            raise PlanError(f"keep must be none, final, both or trajectory, got {self.keep!r}")
        if not 0 <= self.first_chain < 2**32 - self.n_samples:
            raise PlanError(f"chain numbers must lie below 2³², got {self.first_chain} + {self.n_samples}")
        if self.seed is not None and not 0 <= self.seed < 2**64:
            raise PlanError(f"seed must lie in 0 … 2⁶⁴ − 1, got {self.seed}")
        if isinstance(self.initial, str):
            if self.initial not in ("uncoupled", "unbiased"):
                raise PlanError(f'initial must be "uncoupled", "unbiased" or states, got {self.initial!r}')
        else:
            object.__setattr__(self, "initial", _initial_states(self.initial, self.n_samples))

    def steps(self, dt: float) -> int:
        """Get the number of steps of length dt in the duration.

        Raises:
            PlanError: The duration is not a whole number of steps, or of more than the noise can number.
        """
        steps = round(self.duration / dt)
        if steps >= MAX_STEPS:
            raise PlanError(f"duration {self.duration:g} at dt = {dt:g} takes {steps} steps; at most 2³² − 2 go")
        if abs(steps * dt - self.duration) > 1e-6 * self.duration:
            raise PlanError(f"duration {self.duration:g} is not a whole number of steps of dt = {dt:g}")
        return steps

    def split(self, samples: int) -> Iterator["RunPlan"]:
        """Cut the plan into plans of at most `samples` trajectories each: parts of the same ensemble, to be streamed.

        Raises:
            PlanError: `samples` is below 1, or the plan has no seed, so that the parts would not belong together.
        """
        if samples < 1:
            raise PlanError(f"parts must hold at least 1 sample, got {samples}")
        if self.seed is None:
            raise PlanError("a plan needs a seed to be split: the parts must share it")
        for first in range(0, self.n_samples, samples):
            count = min(samples, self.n_samples - first)
            initial = self.initial if isinstance(self.initial, str) else self.initial[first : first + count]
            yield replace(self, n_samples=count, first_chain=self.first_chain + first, initial=initial)


def _whole_number(name: str, value: Any) -> int:
    """Get a count as a plain int, whichever integer type it came as."""
    try:
        return operator.index(value)
    except TypeError as error:
        raise PlanError(f"{name} must be a whole number, got {value!r}") from error


def _initial_states(states: Any, samples: int) -> NDArray[Any]:
    array = np.asarray(states)
    if array.ndim != 2 or len(array) != samples:
        raise PlanError(f"initial states must have shape ({samples}, units), got {array.shape}")
    if array.dtype.kind not in "fiu":
        raise PlanError(f"initial states must be real numbers, got {array.dtype}")
    sound = np.abs(array) <= np.finfo(np.float32).max  # false for NaN
    if not sound.all():
        chain, unit = (int(index) for index in np.argwhere(~sound)[0])
        raise PlanError(f"initial states must be finite in float32; chain {chain}, unit {unit} is {array[chain, unit]}")
    return array
