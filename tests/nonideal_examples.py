# SPDX-License-Identifier: Apache-2.0
"""Imperfect devices and what tests ask of them."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from thermohw import BiasSchedule, Program, RunPlan, Samples, SimulatedDevice, Topology
from thermohw.device import DeviceSpec, Progress, ThermodynamicDevice
from thermohw.langevin.observer import Observer
from thermohw.nonideal import (
    BiasOffset,
    CouplingDrift,
    CouplingMismatch,
    Crosstalk,
    Effect,
    GainOffset,
    LineGainMismatch,
    NonidealDevice,
    OnsiteMismatch,
    ProgrammingNoise,
    Quantization,
    ReadoutNoise,
    ReadoutQuantization,
    StuckCouplings,
)
from thermohw.nonideal.draws import DEVICE, WRITING, Draws
from thermohw.nonideal.effect import ProgramEffect, Programming
from thermohw.samples import Readout

Floats = NDArray[np.float64]
TOPOLOGY = Topology.layered(4, 3)
PROGRAM = replace(
    Program.uncoupled(TOPOLOGY, 1.0, 2.0, np.linspace(-1, 1, 7)), couplings=np.linspace(-0.9, 0.8, len(TOPOLOGY.pairs))
)
LINEAR = replace(Program.uncoupled(Topology.complete(2), 1.0, 0.0), couplings=np.array([1.9]))
RAMP = BiasSchedule(np.array([0, 0.2]), np.stack([np.zeros(7), np.linspace(-1, 1, 7)]))
PLAN = RunPlan(0.5, 20, 0.01, RAMP, keep="trajectory", record_every=7, seed=3)
ARRAYS = ("states", "initial_states", "heat", "work", "trajectory", "times", "velocities")
PROGRAM_EFFECTS: list[Effect] = [
    Quantization(coupling_bits=5, bias_bits=6),
    ProgrammingNoise(prog_noise_std=0.02, bias_noise_std=0.03),
    StuckCouplings(stuck_prob=0.3, stuck_at="any"),
    CouplingMismatch(std=0.1, additive_std=0.01),
    CouplingDrift(nu=0.05, nu_std=0.01, elapsed=100.0),
    LineGainMismatch(std=0.1, common_std=0.05),
    Crosstalk(coupling=0.05, bias=0.02),
    BiasOffset(std=0.1),
    OnsiteMismatch(J2_std=0.1, J4_std=0.1),
]
READOUT_EFFECTS: list[Effect] = [
    GainOffset(gain_std=0.1, offset_std=0.1),
    ReadoutNoise(std=0.05),
    ReadoutQuantization(bits=8),
]


def run(
    effects: Sequence[Effect] = (), plan: RunPlan = PLAN, program: Program = PROGRAM, device_seed: int = 1
) -> Samples:
    with NonidealDevice(SimulatedDevice(), effects, device_seed) as device:
        device.program(program)
        return device.run(plan)


def assert_same(first: Samples, second: Samples) -> None:
    for name in ARRAYS:
        left, right = getattr(first, name), getattr(second, name)
        assert (left is None) == (right is None), name
        assert left is None or np.array_equal(left, right), name


class Board(ThermodynamicDevice):
    """The least of a device that is no emulator: it returns its biases at once, and remembers what it was told."""

    def __init__(self, trajectories: bool = False, name: str = "board") -> None:
        limits = {"coupling_limit": 1.0, "bias_limit": 1.2, "trajectories": trajectories}
        super().__init__(DeviceSpec.model_validate({"name": name, "mobility": 1.0, "kT": 1.0, **limits}))
        self.programs: list[Program] = []
        self.plans: list[RunPlan] = []
        self.closed = 0

    def _program(self, program: Program) -> None:
        self.programs.append(program)

    def _run(self, plan: RunPlan, observers: Sequence[Observer], progress: Progress | None) -> Readout:
        self.plans.append(plan)
        states = np.repeat(self.held.biases[None].astype(np.float32), plan.n_samples, axis=0)
        nothing = np.zeros(plan.n_samples)
        return Readout(
            None if plan.keep == "none" else states, states if plan.keep == "both" else None, nothing, nothing
        )

    def _close(self) -> None:
        self.closed += 1


def random_program(topology: Topology, seed: int = 0) -> Program:
    """Quartic units, so that no error makes the energy unbounded; a tenth of the couplings is zero."""
    generator = np.random.default_rng(seed)
    couplings = generator.normal(size=len(topology.pairs)) * (generator.uniform(size=len(topology.pairs)) > 0.1)
    biases = generator.normal(size=topology.units)
    return Program(topology, np.linspace(-2, 5, topology.units), np.full(topology.units, 2.0), biases, couplings)


def quartic(topology: Topology, couplings: Floats) -> Program:
    return replace(Program.uncoupled(topology, 1.0, 1.0), couplings=couplings)


def written(effect: ProgramEffect, program: Program, device: int = 1, run: int = 2, elapsed: float = 0.0) -> Program:
    return effect.on_program(program, Programming(program, Draws(device, DEVICE), Draws(run, WRITING), elapsed))
