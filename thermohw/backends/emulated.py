# SPDX-License-Identifier: Apache-2.0
"""What all emulated devices share: the engines, the ensemble, and what comes back from it."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from thermohw.device import DeviceSpec, Progress, ThermodynamicDevice
from thermohw.errors import DeviceLimitError, PlanError
from thermohw.langevin.as_built import AsBuilt
from thermohw.langevin.engine import Dynamics, Integrator
from thermohw.langevin.ensemble import Ensemble, Initial, run_ensemble
from thermohw.langevin.equilibrium import UncoupledEquilibrium
from thermohw.langevin.linear import LinearEngine
from thermohw.langevin.observer import Observer
from thermohw.langevin.overdamped import OverdampedEngine
from thermohw.langevin.reference import ReferenceEngine
from thermohw.langevin.stability import check_step, largest_stable_step
from thermohw.langevin.underdamped import UnderdampedEngine
from thermohw.plan import RunPlan
from thermohw.program import Program
from thermohw.samples import Readout

DEFAULT_STEP = 0.05
"""Default time step as a share of the largest stable one."""
EXACT_UNITS = 2000
"""Linear computers up to this size are propagated exactly by default; the cost is units³ once."""

EngineName = Literal["auto", "overdamped", "linear", "reference"]
Precision = Literal["float32", "float64"]
EngineType = type[OverdampedEngine] | type[UnderdampedEngine] | type[LinearEngine] | type[ReferenceEngine]


class EmulatedDevice(ThermodynamicDevice):
    """A device whose equation of motion is integrated. A backend fills `_build`: what it makes of a program.

    Args:
        spec: What the device is.
        engine: "auto" propagates linear computers with ideal noise and detailed balance exactly and all others with the
            fast engines, underdamped where there is inertia; "reference" is the plain double-precision loop.
        integrator: Euler–Maruyama, or Leimkuhler–Matthews for larger steps at the same stationary accuracy; with
            inertia always BAOAB.
        precision: Of the states while they are integrated.
        executor: Where blocks of trajectories run; None for threads, one a core.

    Raises:
        DeviceLimitError: There is no such engine, integrator or precision.
    """

    def __init__(
        self,
        spec: DeviceSpec,
        *,
        engine: EngineName = "auto",
        integrator: Integrator = "euler-maruyama",
        precision: Precision = "float32",
        executor: Executor | None = None,
    ) -> None:
        for what, value, known in (
            ("engine", engine, get_args(EngineName)),
            ("integrator", integrator, get_args(Integrator)),
            ("precision", precision, get_args(Precision)),
        ):
            if value not in known:
                raise DeviceLimitError(f"{what} must be one of {', '.join(known)}; got {value!r}")
        scheme = "baoab" if spec.mass else integrator
        details = {**spec.details, "engine": engine, "integrator": scheme, "precision": precision}
        super().__init__(spec.model_copy(update={"details": details}))
        self._engine_name: EngineName = engine
        self._integrator: Integrator = integrator
        self._dtype = np.float64 if precision == "float64" else np.float32
        self._executor = executor
        self._built: AsBuilt | None = None
        self._alteration: Callable[[AsBuilt], AsBuilt] | None = None

    def alter(self, alteration: Callable[[AsBuilt], AsBuilt] | None) -> None:
        """Change what the device builds of a program, from the next `program` on; None: no change any more.

        For wrappers that emulate imperfections of the dynamics.
        """
        self._alteration = alteration

    @property
    def as_built(self) -> AsBuilt | None:
        """Get what the device integrates for the loaded program; None if there is none."""
        return self._built

    @abstractmethod
    def _build(self, program: Program) -> AsBuilt:
        """Get what the device integrates for a program that it has accepted."""

    def _program(self, program: Program) -> None:
        self._built = None
        built = self._build(program)
        if self._alteration is not None:
            built = self._alteration(built)
        if built.inertial and self._engine_name in ("linear", "overdamped"):
            raise DeviceLimitError(f"{self.spec.name} has inertia, which the {self._engine_name} engine leaves out")
        if self._engine_name == "linear" and not (built.balanced and built.ideal_noise):
            raise DeviceLimitError(
                f"the exact linear engine needs reciprocal couplings, one temperature, white noise and no rails; "
                f"{self.spec.name} has not: let it run on the engine auto, overdamped or reference"
            )
        if self._engine_name == "linear" and not built.linear:
            unit = int(np.argmax((built.J4 != 0) | (built.cosine != 0)))
            raise DeviceLimitError(
                f"the exact linear engine needs J4 = 0; unit {unit} has J4 = {built.J4[unit]:g} and an on-site cosine "
                f"of {built.cosine[unit]:g}"
            )
        self._built = built

    def _close(self) -> None:
        self._built = None

    def _run(self, plan: RunPlan, observers: Sequence[Observer], progress: Progress | None) -> Readout:
        assert self._built is not None and plan.seed is not None  # the base class has seen to both
        built = self._built
        engine_type = self._engine_type(built)
        watched = bool(observers) or plan.keep == "trajectory" or plan.bias_schedule is not None
        if plan.dt is not None:
            dt = plan.dt
        elif engine_type is LinearEngine and not watched:
            dt = plan.duration  # exact in a single step
        else:
            dt = default_step(plan, built)
        steps = plan.steps(dt)
        dynamics = Dynamics(built, plan.duration / steps, plan.bias_schedule, self._integrator, self._dtype)
        if engine_type is not LinearEngine:
            check_step(dynamics)
        ensemble = Ensemble(
            engine_type(dynamics),
            dynamics,
            _initial(plan, dynamics),
            plan.n_samples,
            steps,
            plan.seed,
            plan.first_chain,
            plan.record_every,
            plan.keep,
        )
        return _gather(ensemble, observers, progress, self._executor, self.spec.kT)

    def _engine_type(self, built: AsBuilt) -> EngineType:
        if self._engine_name == "reference":
            return ReferenceEngine
        if built.inertial:
            return UnderdampedEngine
        linear = built.linear and built.balanced and built.ideal_noise and built.units <= EXACT_UNITS
        if self._engine_name == "linear" or (self._engine_name == "auto" and linear):
            return LinearEngine
        return OverdampedEngine


def default_step(plan: RunPlan, built: AsBuilt) -> float:
    """Get the time step of a plan that leaves the choice to the device: it divides the duration."""
    biases = built.biases if plan.bias_schedule is None else np.abs(plan.bias_schedule.biases).max(axis=0)
    longest = DEFAULT_STEP * largest_stable_step(built, biases)
    if built.flicker is not None:
        longest = min(longest, built.flicker.longest_step)
    steps = np.ceil(plan.duration / longest)
    return plan.duration / max(1, int(steps))  # without any force, any step is stable


def _initial(plan: RunPlan, dynamics: Dynamics) -> Initial:
    if not isinstance(plan.initial, str):
        _check_within_rails(plan.initial, dynamics.as_built.rail)
        return plan.initial
    biases = dynamics.biases_at(0) if plan.initial == "uncoupled" else np.zeros(dynamics.as_built.units)
    return UncoupledEquilibrium.of(dynamics.as_built, biases)


def _check_within_rails(states: NDArray[Any], rail: NDArray[np.float64]) -> None:
    with np.errstate(over="ignore"):
        beyond = np.abs(states) > np.maximum(rail, rail.astype(np.float32))  # states of a run are rounded to float32
    if beyond.any():
        chain, unit = (int(index) for index in np.argwhere(beyond)[0])
        raise PlanError(
            f"initial states must lie within the rails; chain {chain}, unit {unit} is {states[chain, unit]:.6g}, its "
            f"rails stand at ±{rail[unit]:.6g}"
        )


def _gather(
    ensemble: Ensemble,
    observers: Sequence[Observer],
    progress: Progress | None,
    executor: Executor | None,
    kT: float,
) -> Readout:
    """Run the ensemble, filling arrays over all samples from its blocks as they come."""
    chains, built = ensemble.chains, ensemble.dynamics.as_built
    shape = (chains, built.units)
    states = None if ensemble.keep == "none" else np.empty(shape, np.float32)
    initial = np.empty(shape, np.float32) if ensemble.keep in ("both", "trajectory") else None
    records = ensemble.steps // ensemble.record_every + 1
    trajectory = np.empty((chains, records, built.units), np.float32) if ensemble.keep == "trajectory" else None
    heat, work = np.empty(chains), np.empty(chains)
    entropy = None if built.balanced else np.empty(chains)
    velocities = None if states is None or not built.inertial else np.empty(shape, np.float32)
    first_velocities = None if initial is None or not built.inertial else np.empty(shape, np.float32)
    for block in run_ensemble(ensemble, observers, executor):
        rows = slice(block.rows.start, block.rows.stop)
        for target, source in (
            (states, block.states),
            (initial, block.initial),
            (velocities, block.velocities),
            (first_velocities, block.initial_velocities),
        ):
            if target is not None and source is not None:
                target[rows] = source
        if trajectory is not None and block.trajectory is not None:
            trajectory[rows] = block.trajectory.transpose(1, 0, 2)
        heat[rows], work[rows] = block.heat / kT, block.work / kT
        if entropy is not None and block.entropy is not None:
            entropy[rows] = block.entropy
        for observer, seen in zip(observers, block.observers, strict=True):
            observer.absorb(seen)
        if progress is not None:
            progress(block.rows.stop, chains)
    times = None
    if trajectory is not None:
        times = np.arange(records, dtype=np.float64) * (ensemble.record_every * ensemble.dynamics.dt)
    dt = ensemble.dynamics.dt
    return Readout(states, initial, heat, work, trajectory, times, dt, velocities, first_velocities, entropy)
