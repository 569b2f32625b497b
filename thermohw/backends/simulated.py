# SPDX-License-Identifier: Apache-2.0
"""The ideal Langevin device: builds exactly its program and obeys Eq. 1."""

from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Literal, get_args

import numpy as np

from thermohw.device import DeviceSpec, Progress, ThermodynamicDevice
from thermohw.errors import DeviceLimitError
from thermohw.heat import heat_emitted
from thermohw.langevin.as_built import AsBuilt
from thermohw.langevin.engine import Dynamics, Integrator
from thermohw.langevin.ensemble import Ensemble, Initial, run_ensemble
from thermohw.langevin.equilibrium import UncoupledEquilibrium
from thermohw.langevin.linear import LinearEngine
from thermohw.langevin.observer import Observer
from thermohw.langevin.overdamped import OverdampedEngine
from thermohw.langevin.reference import ReferenceEngine
from thermohw.langevin.stability import check_step, largest_stable_step
from thermohw.plan import RunPlan
from thermohw.program import Program
from thermohw.samples import Readout

DEFAULT_STEP = 0.05
"""Default time step as a share of the largest stable one."""
EXACT_UNITS = 2000
"""Linear computers up to this size are propagated exactly by default; the cost is units³ once."""

EngineName = Literal["auto", "overdamped", "linear", "reference"]
Precision = Literal["float32", "float64"]


class SimulatedDevice(ThermodynamicDevice):
    """An ideal overdamped Langevin computer, dx = −μ ∇V dt + √(2 μ kT) dW.

    Args:
        mobility: μ, 1/(energy · time); it sets the clock.
        kT: Thermal energy, in the unit of the programs' energies.
        engine: "auto" propagates linear programs (J4 = 0) exactly and all others with the fast overdamped engine;
            "reference" is the plain double-precision loop.
        integrator: Euler–Maruyama, or Leimkuhler–Matthews for larger steps at the same stationary accuracy.
        precision: Of the states while they are integrated.
        executor: Where blocks of trajectories run; None for threads, one a core.

    Raises:
        DeviceLimitError: mobility or kT is not positive, or there is no such engine, integrator or precision.
    """

    def __init__(
        self,
        mobility: float = 1.0,
        kT: float = 1.0,
        *,
        engine: EngineName = "auto",
        integrator: Integrator = "euler-maruyama",
        precision: Precision = "float32",
        executor: Executor | None = None,
    ) -> None:
        if not (mobility > 0 and kT > 0 and np.isfinite(mobility * kT)):
            raise DeviceLimitError(f"mobility and kT must be positive and finite, got {mobility} and {kT}")
        for what, value, known in (
            ("engine", engine, get_args(EngineName)),
            ("integrator", integrator, get_args(Integrator)),
            ("precision", precision, get_args(Precision)),
        ):
            if value not in known:
                raise DeviceLimitError(f"{what} must be one of {', '.join(known)}; got {value!r}")
        details = {"engine": engine, "integrator": integrator, "precision": precision}
        super().__init__(DeviceSpec(name="ideal", mobility=mobility, kT=kT, details=details))
        self._engine_name: EngineName = engine
        self._integrator: Integrator = integrator
        self._dtype = np.float64 if precision == "float64" else np.float32
        self._executor = executor
        self._built: AsBuilt | None = None

    def _program(self, program: Program) -> None:
        if self._engine_name == "linear" and program.J4.any():
            unit = int(np.argmax(program.J4 != 0))
            raise DeviceLimitError(f"the exact linear engine needs J4 = 0; unit {unit} has J4 = {program.J4[unit]:g}")
        self._built = AsBuilt.from_program(program, self.spec.mobility, self.spec.kT)

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
            dt = _default_step(plan, built)
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
        return _gather(ensemble, observers, progress, self._executor)

    def _engine_type(self, built: AsBuilt) -> type[OverdampedEngine] | type[LinearEngine] | type[ReferenceEngine]:
        if self._engine_name == "reference":
            return ReferenceEngine
        linear = not built.J4.any() and built.units <= EXACT_UNITS
        if self._engine_name == "linear" or (self._engine_name == "auto" and linear):
            return LinearEngine
        return OverdampedEngine


def _default_step(plan: RunPlan, built: AsBuilt) -> float:
    biases = built.biases if plan.bias_schedule is None else np.abs(plan.bias_schedule.biases).max(axis=0)
    return plan.duration / int(np.ceil(plan.duration / (DEFAULT_STEP * largest_stable_step(built, biases))))


def _initial(plan: RunPlan, dynamics: Dynamics) -> Initial:
    if not isinstance(plan.initial, str):
        return plan.initial
    biases = dynamics.biases_at(0) if plan.initial == "uncoupled" else np.zeros(dynamics.as_built.units)
    return UncoupledEquilibrium.of(dynamics.as_built, biases)


def _gather(
    ensemble: Ensemble, observers: Sequence[Observer], progress: Progress | None, executor: Executor | None
) -> Readout:
    """Run the ensemble, filling arrays over all samples from its blocks as they come."""
    chains, built = ensemble.chains, ensemble.dynamics.as_built
    shape = (chains, built.units)
    states = None if ensemble.keep == "none" else np.empty(shape, np.float32)
    initial = np.empty(shape, np.float32) if ensemble.keep in ("both", "trajectory") else None
    records = ensemble.steps // ensemble.record_every + 1
    trajectory = np.empty((chains, records, built.units), np.float32) if ensemble.keep == "trajectory" else None
    heat, work = np.empty(chains), np.empty(chains)
    kT = float(built.kT[0])
    for block in run_ensemble(ensemble, observers, executor):
        rows = slice(block.rows.start, block.rows.stop)
        for target, source in ((states, block.states), (initial, block.initial)):
            if target is not None and source is not None:
                target[rows] = source
        if trajectory is not None and block.trajectory is not None:
            trajectory[rows] = block.trajectory.transpose(1, 0, 2)
        heat[rows] = heat_emitted(block.energy_drop, block.work) / kT
        work[rows] = block.work / kT
        for observer, seen in zip(observers, block.observers, strict=True):
            observer.absorb(seen)
        if progress is not None:
            progress(block.rows.stop, chains)
    times = None
    if trajectory is not None:
        times = np.arange(records, dtype=np.float64) * (ensemble.record_every * ensemble.dynamics.dt)
    return Readout(states, initial, heat, work, trajectory, times, ensemble.dynamics.dt)
