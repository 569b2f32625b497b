# SPDX-License-Identifier: Apache-2.0
"""The thermodynamic device: three verbs, `program`, `run`, `close`, whatever the hardware behind them."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Self, final

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from thermohw.errors import DeviceLimitError, DeviceStateError, PlanError
from thermohw.langevin.as_built import AsBuilt
from thermohw.langevin.noise import choose_seed
from thermohw.langevin.observer import Observer
from thermohw.langevin.schedule import BiasSchedule
from thermohw.plan import RunPlan
from thermohw.program import Program
from thermohw.samples import Readout, Samples
from thermohw.storage import digest_arrays
from thermohw.tables import CouplingTable
from thermohw.units import PhysicalScale

Progress = Callable[[int, int], None]
"""Called with (done, total) while long work goes on."""

_log = logging.getLogger(__name__)


class DeviceSpec(BaseModel):
    """What a device is and what it can hold; limits that are None do not exist."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(description="what the device calls itself")
    mobility: float = Field(gt=0, description="mobility μ, 1/(energy · time)")
    kT: float = Field(gt=0, description="thermal energy, in the unit of a program's energies")
    units: int | None = Field(default=None, ge=1, description="largest number of units")
    coupling_limit: float | None = Field(default=None, gt=0, description="largest |J_ij|, in the unit of kT")
    bias_limit: float | None = Field(default=None, gt=0, description="largest |b_i|, in the unit of kT")
    mass: float = Field(default=0.0, ge=0, description="inertia m of a unit, energy · time²; 0 where it is overdamped")
    scale: PhysicalScale | None = Field(default=None, description="reduced units in SI units; None without a card")
    schedules: bool = Field(default=True, description="can change biases during a run")
    trajectories: bool = Field(default=True, description="can read out states during a run")
    details: dict[str, str] = Field(
        default_factory=dict[str, str], description="what else a run's outcome depends on, for the record"
    )


class ThermodynamicDevice(ABC):
    """Anything that can run a program: a simulator, an emulator, a wrapper, a board on a serial line.

    A backend fills `_program`, `_run` and `_close`; checks, guards, logging and provenance live here, once.
    Use it in a `with` block: leaving it closes the device, which leaves hardware safe.
    """

    def __init__(self, spec: DeviceSpec) -> None:
        self._spec = spec
        self._loaded: Program | None = None
        self._closed = False

    @property
    def spec(self) -> DeviceSpec:
        """Get what the device is and can hold."""
        return self._spec

    @property
    def held(self) -> Program:
        """Get the program that the device holds, which may have been clipped.

        Raises:
            DeviceStateError: Nothing is programmed.
        """
        if self._loaded is None:
            raise DeviceStateError(f"{self.spec.name}: nothing is programmed; call program(...) before run(...)")
        return self._loaded

    @final
    def program(self, program: Program | CouplingTable) -> None:
        """Load a program, or a coupling table's program, onto the device.

        Raises:
            DeviceStateError: The device is closed.
            DeviceLimitError: The program does not fit the device.
        """
        self._require_open()
        asked = program.program if isinstance(program, CouplingTable) else program
        wanted = self._accept(asked)
        self._loaded = None  # a failed upload must not leave the old program looking valid
        if isinstance(program, CouplingTable) and wanted is asked:
            self._load_table(program)
        else:
            self._program(wanted)
        self._loaded = wanted
        _log.info("%s: programmed %s…", self.spec.name, wanted.digest[:12])

    @final
    def run(self, plan: RunPlan, observers: Sequence[Observer] = (), progress: Progress | None = None) -> Samples:
        """Run the loaded program.

        Args:
            plan: What to run.
            observers: See every recorded step of every trajectory; they are filled in place.
            progress: Called with (trajectories done, all) from time to time.

        Raises:
            DeviceStateError: The device is closed, or nothing is programmed.
            DeviceLimitError: The plan asks for what the device cannot do.
            PlanError: The plan does not fit the program.
            DivergenceError: A simulated trajectory diverged.
        """
        self._require_open()
        held = self.held
        self._check_plan(plan, observers, held.topology.units)
        if plan.bias_schedule is not None:
            self._check_schedule(plan.bias_schedule, held)
        seed = choose_seed() if plan.seed is None else plan.seed
        seeded = replace(plan, seed=seed)
        _log.info("%s: running %d samples for %g, seed %d", self.spec.name, plan.n_samples, plan.duration, seed)
        readout = self._run(seeded, observers, progress)
        nothing = np.empty((0, held.topology.units), np.float32)
        return Samples(
            nothing if readout.states is None else readout.states,
            nothing if readout.initial_states is None else readout.initial_states,
            readout.heat,
            readout.work,
            seed,
            held.topology.visible,
            self._provenance(seeded, held, readout.dt),
            readout.trajectory,
            readout.times,
            readout.velocities,
            readout.initial_velocities,
            readout.entropy,
        )

    @final
    def close(self) -> None:
        """Release the device and leave it safe. Closing twice does nothing."""
        if not self._closed:
            self._closed = True
            self._loaded = None
            self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def as_built(self) -> AsBuilt | None:
        """Get what an emulator integrates for the loaded program; None for hardware, whose parameters are unknown."""
        return None

    def _accept(self, program: Program) -> Program:
        """Get the program that will be loaded: this one, if it is within the limits of the spec.

        Raises:
            DeviceLimitError: It is not.
        """
        self._check_limits(program)
        return program

    def _check_schedule(self, schedule: BiasSchedule, held: Program) -> None:
        """Refuse a bias schedule beyond the limits of the spec; schedules never saturate.

        Raises:
            DeviceLimitError: It is.
        """
        limit, largest = self.spec.bias_limit, float(np.abs(schedule.biases).max())
        if limit is not None and largest > limit:
            raise DeviceLimitError(
                f"{self.spec.name} holds biases up to ±{limit:.4g}, the bias schedule reaches {largest:.4g}"
            )

    @abstractmethod
    def _program(self, program: Program) -> None:
        """Load a program that fits the spec."""

    def _load_table(self, table: CouplingTable) -> None:
        """Load a table whose program fits the spec; hardware that holds codes takes the codes themselves."""
        self._program(table.program)

    @abstractmethod
    def _run(self, plan: RunPlan, observers: Sequence[Observer], progress: Progress | None) -> Readout:
        """Run the loaded program; `plan.seed` is set."""

    @abstractmethod
    def _close(self) -> None:
        """Release resources; called once."""

    def _require_open(self) -> None:
        if self._closed:
            raise DeviceStateError(f"{self.spec.name}: the device is closed; open a new one")

    def _check_units(self, program: Program) -> None:
        if self.spec.units is not None and program.topology.units > self.spec.units:
            raise DeviceLimitError(
                f"{self.spec.name} has {self.spec.units} units, the program needs {program.topology.units}"
            )

    def _check_limits(self, program: Program) -> None:
        self._check_units(program)
        spec, topology = self.spec, program.topology
        for what, values, limit in (
            ("coupling", program.couplings, spec.coupling_limit),
            ("bias", program.biases, spec.bias_limit),
        ):
            excess = np.abs(values)
            if limit is not None and excess.size and excess.max() > limit:
                worst = int(np.argmax(excess))
                where = tuple(topology.pairs[worst].tolist()) if what == "coupling" else f"unit {worst}"
                raise DeviceLimitError(
                    f"{spec.name} holds {what}s up to ±{limit:g}; {int((excess > limit).sum())} exceed it, the worst "
                    f"{values[worst]:.4g} at {where}; the program fits when scaled by {limit / excess[worst]:.4g}"
                )

    def _check_plan(self, plan: RunPlan, observers: Sequence[Observer], units: int) -> None:
        spec = self.spec
        if plan.bias_schedule is not None and not spec.schedules:
            raise DeviceLimitError(f"{spec.name} cannot change biases during a run")
        if (observers or plan.keep == "trajectory") and not spec.trajectories:
            raise DeviceLimitError(f"{spec.name} cannot read out states during a run")
        if plan.bias_schedule is not None and plan.bias_schedule.biases.shape[1] != units:
            raise PlanError(
                f"the bias schedule is for {plan.bias_schedule.biases.shape[1]} units, the program has {units}"
            )
        if not isinstance(plan.initial, str) and plan.initial.shape[1] != units:
            raise PlanError(f"initial states have {plan.initial.shape[1]} units, the program has {units}")

    def _provenance(self, plan: RunPlan, program: Program, dt: float | None) -> dict[str, Any]:
        from thermohw import __version__

        asked = {name: getattr(plan, name) for name in ("duration", "n_samples", "record_every", "keep", "first_chain")}
        asked["dt"] = dt
        schedule, initial = plan.bias_schedule, plan.initial
        asked["initial"] = initial if isinstance(initial, str) else digest_arrays({"initial": initial})
        asked["bias_schedule"] = schedule and digest_arrays({"times": schedule.times, "biases": schedule.biases})
        return {
            "device": self.spec.model_dump(),
            "program": program.digest,
            "plan": asked,
            "seed": plan.seed,
            "version": __version__,
        }


class DeviceWrapper(ThermodynamicDevice):
    """A device that adds something to another: it holds a `child` and closes it.

    By default programs and runs go to the child unchanged; a subclass overrides `_program` or `_run`. The wrapper's
    limits are the child's.
    """

    def __init__(self, child: ThermodynamicDevice) -> None:
        super().__init__(child.spec)
        self._child = child

    @property
    def child(self) -> ThermodynamicDevice:
        """Get the wrapped device."""
        return self._child

    def _accept(self, program: Program) -> Program:
        return self._child._accept(program)

    def _check_schedule(self, schedule: BiasSchedule, held: Program) -> None:
        self._child._check_schedule(schedule, held)

    def _program(self, program: Program) -> None:
        self._child.program(program)

    def _run(self, plan: RunPlan, observers: Sequence[Observer], progress: Progress | None) -> Readout:
        return self._child.run(plan, observers, progress).readout()

    def _close(self) -> None:
        self._child.close()
