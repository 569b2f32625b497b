# SPDX-License-Identifier: Apache-2.0
"""A device with its imperfections: one wrapper around any device, many small effects."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from thermohw.backends.analog import AnalogDevice
from thermohw.backends.emulated import EmulatedDevice
from thermohw.backends.limits import Clipping
from thermohw.device import DeviceWrapper, Progress, ThermodynamicDevice
from thermohw.errors import DeviceLimitError, ProgramError
from thermohw.langevin.as_built import AsBuilt
from thermohw.langevin.noise import choose_seed
from thermohw.langevin.observer import Observer
from thermohw.langevin.schedule import BiasSchedule
from thermohw.nonideal.catalogue import in_signal_order
from thermohw.nonideal.coupling_drift import CouplingDrift
from thermohw.nonideal.draws import DEVICE, WRITING, Draws
from thermohw.nonideal.effect import (
    DynamicsEffect,
    Effect,
    Floats,
    HistoryEffect,
    PlanEffect,
    ProgramEffect,
    Programming,
    ReadoutEffect,
)
from thermohw.nonideal.inertia import Inertia
from thermohw.nonideal.readout_chain import ReadoutChain, ReadoutObserver
from thermohw.plan import RunPlan
from thermohw.program import Program
from thermohw.samples import Readout
from thermohw.topology import Topology


class NonidealDevice(DeviceWrapper):
    """A device with imperfections: what it holds, how it moves, and how it is read differ from what was asked for.

    Effects act in the order of the signal chain, whatever order they are listed in. What is fixed for a device is
    drawn from `device_seed`: two devices of one seed are the same device. What is fresh is drawn from the run's seed;
    each run then stands for a program written anew. Without effects, or with all at zero strength, every result is
    that of the child, bit for bit.

    Errors push no coupling or bias beyond the limits of the child's spec: they saturate there.

    Args:
        child: The device to be made worse; it is closed with the wrapper.
        effects: Its imperfections, one of a kind.
        device_seed: Which device of its kind this is; None chooses one, which the spec's details record.

    Raises:
        DeviceLimitError: Two effects of a kind, or one that the child cannot have.
    """

    def __init__(
        self, child: ThermodynamicDevice, effects: Sequence[Effect] = (), device_seed: int | None = None
    ) -> None:
        super().__init__(child)
        ordered = in_signal_order(effects)
        self._effects = tuple(effect for effect in ordered if effect.active)
        self._device_seed: int = choose_seed() if device_seed is None else device_seed
        if not 0 <= self._device_seed < 2**64:
            raise DeviceLimitError(f"device_seed must lie in 0 … 2⁶⁴ − 1, got {device_seed}")
        self._refuse_impossible()
        if isinstance(child, EmulatedDevice):
            child.alter(self._alter if self._of(DynamicsEffect) else None)
        self._clipping: Clipping | None = None
        self._elapsed = 0.0
        self._written: tuple[int | None, float] | None = None
        self._spec = self._described()

    @property
    def effects(self) -> tuple[Effect, ...]:
        """Get the effects that do something, in the order in which they act."""
        return self._effects

    @property
    def device_seed(self) -> int:
        """Get which device of its kind this is."""
        return self._device_seed

    @property
    def as_built(self) -> AsBuilt | None:
        """Get what the child integrates for the loaded program, errors included; None for hardware."""
        return self.child.as_built

    @property
    def reads_exactly(self) -> bool:
        """Get whether readings are the states themselves."""
        return not (self._of(ReadoutEffect) or self._of(HistoryEffect))

    @property
    def clipping(self) -> Clipping | None:
        """Get what clipping to the child's ranges did to the program asked for; None if it does not clip."""
        return None if self._loaded is None else self._clipping

    def wait(self, time: float) -> None:
        """Let time pass since programming, s: couplings drift on.

        Raises:
            DeviceLimitError: The time is negative or not finite.
        """
        if not 0 <= time < np.inf:
            raise DeviceLimitError(f"a device can wait a finite time of at least 0 s, got {time}")
        self._elapsed += time

    def realised(self, seed: int | None = None) -> Program:
        """Get what the device makes of the loaded program at present; with a run's seed, in that run.

        Effects on the dynamics and on readout are not part of it.

        Raises:
            DeviceStateError: Nothing is programmed.
            DeviceLimitError: The program with the device's errors cannot run.
        """
        return self._realised(self.held, seed)

    def _of(self, kind: type[Effect]) -> bool:
        return any(isinstance(effect, kind) for effect in self._effects)

    def _refuse_impossible(self) -> None:
        child = self.child
        for effect in self._effects:
            if isinstance(effect, DynamicsEffect) and not isinstance(child, EmulatedDevice):
                raise DeviceLimitError(
                    f"{effect.name()} changes the equation of motion: {child.spec.name} is no emulator, which alone "
                    "can do that; effects on the program and on readout go with any device"
                )
            if isinstance(effect, HistoryEffect) and not child.spec.trajectories:
                raise DeviceLimitError(
                    f"{effect.name()} needs the states before a reading, and {child.spec.name} shows no trajectories"
                )
            if isinstance(effect, Inertia) and child.spec.mass:
                raise DeviceLimitError(f"inertia: the units of {child.spec.name} have inertia of their own")

    def _described(self) -> Any:
        spec = self.child.spec
        if not self._effects:
            return spec
        told = {effect.name(): effect.model_dump(mode="json", exclude_defaults=True) for effect in self._effects}
        details = {**spec.details, "effects": json.dumps(told), "device_seed": str(self._device_seed)}
        mass = spec.mass + sum(effect.mass for effect in self._effects if isinstance(effect, Inertia))
        if mass and not spec.mass:
            details["integrator"] = "baoab"
        rough = any(isinstance(effect, DynamicsEffect) and not effect.smooth for effect in self._effects)
        if rough and details.get("integrator") == "leimkuhler-matthews":
            details["integrator"] = "euler-maruyama"
        return spec.model_copy(update={"details": details, "mass": mass})

    def _accept(self, program: Program) -> Program:
        accepted = super()._accept(program)
        self._clipping = None if accepted is program else Clipping.between(program, accepted)
        return accepted

    def _program(self, program: Program) -> None:
        self._elapsed = 0.0
        self._write(program, None)

    def _version(self, seed: int | None) -> tuple[int | None, float]:
        """Get what tells apart the programs that errors make of one: the run's seed, the age; None and 0 if neither."""
        fresh = any(isinstance(effect, ProgramEffect) and effect.fresh for effect in self._effects)
        return seed if fresh else None, self._elapsed if self._of(CouplingDrift) else 0.0

    def _write(self, program: Program, seed: int | None) -> None:
        """Write a program to the child as a run with this seed finds it."""
        self._written = None
        self.child.program(self._realised(program, seed))
        self._written = self._version(seed)

    def _realised_schedule(self, schedule: BiasSchedule, seed: int) -> BiasSchedule:
        """Write each knot as a program's biases are, at the full scale of the largest biases of the schedule."""
        held = self.held
        bare = Topology(held.topology.visible, held.topology.hidden, np.empty((0, 2), np.int32))
        largest = Program.uncoupled(bare, held.J2, held.J4, np.abs(schedule.biases).max(axis=0))
        knots = [self._realised(largest.with_biases(knot), seed, largest).biases for knot in schedule.biases]
        return BiasSchedule(schedule.times, np.stack(knots))

    def _realised(self, program: Program, seed: int | None, scaled_for: Program | None = None) -> Program:
        intended = program if scaled_for is None else scaled_for
        writing = Programming(intended, Draws(self._device_seed, DEVICE), Draws(seed or 0, WRITING), self._elapsed)
        realised = program
        try:
            for effect in self._effects:
                if isinstance(effect, ProgramEffect) and not (effect.fresh and seed is None):
                    realised = effect.on_program(realised, writing)
            return self._saturated(realised)
        except ProgramError as error:
            raise DeviceLimitError(
                f"{self.spec.name}: the program with the device's errors cannot run: {error}"
            ) from error

    def _saturated(self, realised: Program) -> Program:
        """Hold what errors have pushed beyond the child's limits at these."""
        if isinstance(self.child, AnalogDevice):
            return self.child.saturated(realised)
        spec = self.child.spec
        for name, limit in (("couplings", spec.coupling_limit), ("biases", spec.bias_limit)):
            values: Floats = getattr(realised, name)
            if limit is not None and np.abs(values).max(initial=0.0) > limit:
                realised = replace(realised, **{name: np.clip(values, -limit, limit)})
        return realised

    def _alter(self, built: AsBuilt) -> AsBuilt:
        device = Draws(self._device_seed, DEVICE)
        for effect in self._effects:
            if isinstance(effect, DynamicsEffect):
                built = effect.on_dynamics(built, device)
        return built

    def _run(self, plan: RunPlan, observers: Sequence[Observer], progress: Progress | None) -> Readout:
        seed = plan.seed
        assert seed is not None  # the base class has chosen one
        if self._written != self._version(seed):
            self._write(self.held, seed)
        if plan.bias_schedule is not None and self._of(ProgramEffect):
            plan = replace(plan, bias_schedule=self._realised_schedule(plan.bias_schedule, seed))
        for effect in self._effects:
            if isinstance(effect, PlanEffect):
                plan = effect.on_plan(plan)
        kinds = (ReadoutEffect, HistoryEffect)
        readout = tuple(effect for effect in self._effects if isinstance(effect, kinds))
        if not readout:
            return super()._run(plan, observers, progress)
        chain = ReadoutChain(readout, self._device_seed, seed)
        if observers or plan.keep == "trajectory" or chain.remembers:
            return self._run_watched(plan, chain, tuple(observers), progress)
        return _read(super()._run(plan, observers, progress), chain, plan)

    def _run_watched(
        self, plan: RunPlan, chain: ReadoutChain, observers: tuple[Observer, ...], progress: Progress | None
    ) -> Readout:
        """Run with an observer that reads every state as it passes, and keep what it reads."""
        keeping = plan.keep == "trajectory"
        reader = ReadoutObserver(chain, plan.record_every, keeping, observers)
        keep = "both" if keeping else plan.keep
        every = 1 if chain.remembers else plan.record_every
        readout = super()._run(replace(plan, keep=keep, record_every=every), (reader,), progress)
        readout = _read(readout, chain, plan)
        if chain.remembers and plan.keep != "none":
            readout = replace(readout, states=reader.final())
        if keeping:
            assert readout.dt is not None  # devices that show trajectories have a time step
            recorded = round(plan.duration / readout.dt) >= plan.record_every
            trajectory = reader.trajectory() if recorded else np.asarray(readout.initial_states)[:, None]
            times = np.arange(trajectory.shape[1], dtype=np.float64) * (plan.record_every * readout.dt)
            readout = replace(readout, trajectory=trajectory, times=times)
        return readout


def _read(readout: Readout, chain: ReadoutChain, plan: RunPlan) -> Readout:
    """Read the first and the last states of a run."""
    last = 0 if readout.dt is None else round(plan.duration / readout.dt)
    states, initial = readout.states, readout.initial_states
    return replace(
        readout,
        states=None if states is None or not len(states) else chain.read(states, plan.first_chain, last),
        initial_states=None if initial is None or not len(initial) else chain.read(initial, plan.first_chain, 0),
    )
