# SPDX-License-Identifier: Apache-2.0
"""The measurement of one point: one program on one device with its effects."""

import hashlib
import json
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from thermohw import __version__
from thermohw.device import ThermodynamicDevice
from thermohw.errors import DeviceLimitError, DivergenceError, PlanError
from thermohw.nonideal import Effect, NonidealDevice
from thermohw.plan import RunPlan
from thermohw.program import Program
from thermohw.samples import Samples
from thermohw.sweep.judge import Judge
from thermohw.sweep.points import Measure, Point


class Opener(Protocol):
    """Opens the device that is to be made worse, as `SimulatedDevice` or a partial `open_device` do."""

    def __call__(self, *, executor: Executor | None = None) -> ThermodynamicDevice:
        """Open a device whose blocks of trajectories run in an executor."""
        ...


@dataclass(frozen=True)
class SweepSettings:
    """What is run at each point of a sweep.

    Attributes:
        devices: Device instances at each value; their seeds count up from `first_device`.
        samples: Samples of each device.
        duration: Length of a trajectory, in the device's time unit.
        dt: Time step, same unit; None lets the device choose.
        seed: Of all noise; each device has a run seed of its own that follows from it, the same at all values.
        first_device: Seed of the first device.

    Raises:
        PlanError: A value out of range.
    """

    devices: int = 8
    samples: int = 256
    duration: float = 2.5
    dt: float | None = None
    seed: int = 1
    first_device: int = 1

    def __post_init__(self) -> None:
        if self.devices < 1:
            raise PlanError(f"a sweep needs at least 1 device, got {self.devices}")
        if not 0 <= self.first_device <= 2**64 - self.devices:
            raise PlanError(f"device seeds must lie in 0 … 2⁶⁴ − 1, got {self.first_device} + {self.devices}")
        plan = self.plan(self.seed)
        if self.dt is not None:
            plan.steps(self.dt)

    @property
    def device_seeds(self) -> range:
        """Get the seeds of the devices, (devices,)."""
        return range(self.first_device, self.first_device + self.devices)

    def run_seed(self, device_seed: int) -> int:
        """Get the seed of a device's runs: another for each device, the same whatever its strength of effects."""
        return int.from_bytes(hashlib.sha256(f"{self.seed}|{device_seed}".encode()).digest()[:6])

    def plan(self, seed: int) -> RunPlan:
        """Get the plan of a run."""
        return RunPlan(self.duration, self.samples, self.dt, keep="final", seed=seed)


@dataclass(frozen=True, eq=False)
class Task:
    """A point to be measured.

    Attributes:
        program: What is asked for.
        effects: What the device does to it.
        device_seed: Which device.
    """

    program: Program
    effects: tuple[Effect, ...]
    device_seed: int

    @property
    def told(self) -> dict[str, dict[str, object]]:
        """Get the effects that act, by name, with the fields that differ from the defaults."""
        hidden = {"source", "status"}  # say where numbers come from, and change nothing
        acting = sorted((effect for effect in self.effects if effect.active), key=lambda effect: effect.name())
        return {effect.name(): effect.model_dump(exclude=hidden, exclude_defaults=True) for effect in acting}


@dataclass(frozen=True, eq=False)
class Bench:
    """Where points are measured.

    Attributes:
        opener: Opens the device under the effects.
        judge: Judges what comes of it.
        settings: What is run.
    """

    opener: Opener
    judge: Judge
    settings: SweepSettings

    @cached_property
    def common(self) -> str:
        """Get what all points depend on."""
        with self.opener() as device:
            spec = device.spec.model_dump_json()
        plan = (self.settings.samples, self.settings.duration, self.settings.dt)
        return json.dumps([__version__, self.judge.digest, spec, plan])

    def key(self, task: Task) -> str:
        """Get a digest of all that determines a point, 64 hex digits."""
        seeds = (task.device_seed, self.settings.run_seed(task.device_seed))
        parts = [self.common, task.program.digest, json.dumps(task.told, sort_keys=True), str(seeds)]
        return hashlib.sha256("|".join(parts).encode()).hexdigest()

    def measure(self, task: Task) -> Point:
        """Run a device on a thread of its own, and judge it; one that cannot run is a point without measures."""
        seed = self.settings.run_seed(task.device_seed)
        dt: float | None = None
        measures: dict[Measure, float] = {}
        failure: str | None = None
        with ThreadPoolExecutor(1) as thread:
            try:
                with NonidealDevice(self.opener(executor=thread), task.effects, task.device_seed) as device:
                    device.program(task.program)
                    samples = device.run(self.settings.plan(seed))
                    dt, measures = samples.dt, self._judged(device, samples)
            except (DeviceLimitError, DivergenceError, PlanError) as error:
                failure = str(error)
        return Point(
            key=self.key(task),
            program=task.program.digest,
            effects=task.told,
            device_seed=task.device_seed,
            seed=seed,
            dt=dt,
            measures=measures,
            failure=failure,
        )

    def _judged(self, device: NonidealDevice, samples: Samples) -> dict[Measure, float]:
        found: dict[Measure, float] = {**self.judge.fidelity(samples), "heat": float(samples.heat.mean())}
        if samples.entropy is not None:
            found["entropy_production"] = float(samples.entropy.mean())
        if self.judge.judges_likelihood(device.held):
            found["likelihood"] = self.judge.likelihood(device.realised(samples.seed))
        return {name: value for name, value in found.items() if np.isfinite(value)}
