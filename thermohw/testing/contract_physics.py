# SPDX-License-Identifier: Apache-2.0
"""The physics that every device owes its users: thermal equilibrium, schedules, heat and work."""

from abc import ABC, abstractmethod

import numpy as np
import pytest

from thermohw.device import ThermodynamicDevice
from thermohw.langevin.schedule import BiasSchedule
from thermohw.program import Program
from thermohw.testing.boltzmann import Boltzmann, Floats, Law
from thermohw.testing.contract_plans import clock, energies, plan_for
from thermohw.testing.means import assert_mean
from thermohw.topology import Topology

REPLICAS = 64
"""Units of a statistical test: independent copies in one program are as good as samples, and cheaper."""


class DevicePhysics(ABC):
    """The statistical half of `DeviceContract`, which documents its attributes."""

    reproducible: bool = True
    samples: int = 1024
    time_step: float = 0.002
    settling: float = 1.0
    rounding: float = 1e-4

    @abstractmethod
    def make_device(self) -> ThermodynamicDevice:
        """Open a fresh device."""

    def test_equipartition(self) -> None:
        """⟨x_i ∂V/∂x_i⟩ = kT for uncoupled units, and ⟨m v_i²⟩ = kT where they have inertia."""
        with self.make_device() as device:
            units = min(REPLICAS, device.spec.units or REPLICAS)
            program = Program.uncoupled(Topology.from_pairs(units, 0, []), *energies(device))
            law = self.law(device, program)
            samples = device.run(plan_for(device, self.samples, steps=self.steps(2), time_step=self.time_step))
            states = samples.states.astype(np.float64)
            slope = law.gradient(states) if isinstance(law, Program) else -law.force(states)
            assert_mean((states * slope).mean(axis=1) / device.spec.kT, 1.0)
            if samples.velocities is not None:
                kinetic = device.spec.mass * samples.velocities.astype(np.float64) ** 2
                assert_mean(kinetic.mean(axis=1) / device.spec.kT, 1.0)

    def test_a_coupled_pair_is_boltzmann_distributed(self) -> None:
        """The first and second moments of coupled, biased pairs are those of e^{−V/kT}, by quadrature."""
        with self.make_device() as device:
            pairs = min(REPLICAS, device.spec.units or REPLICAS) // 2
            coupling, biases = self.coupling(device), self.bias(device) * np.array([1.0, -0.5])
            apart = Topology.from_pairs(2 * pairs, 0, 2 * np.arange(pairs)[:, None] + [[0, 1]])
            program = Program(apart, *energies(device), np.tile(biases, pairs), np.full(pairs, coupling))
            one = self.law(device, Program(Topology.complete(2), *energies(device), biases, np.array([coupling])))
            device.program(program)
            steps = self.steps(4 * self.settling)
            states = device.run(plan_for(device, self.samples, steps=steps, time_step=self.time_step)).states
            observed = _moments(states.reshape(-1, 2).astype(np.float64)).reshape(len(states), pairs, -1).mean(axis=1)
            assert_mean(observed, Boltzmann.of(one, device.spec.kT).mean(_moments))

    def test_a_schedule_replaces_the_biases(self) -> None:
        """Biases that are ramped up and then held give the equilibrium of the held biases."""
        with self.make_device() as device:
            self.needs_schedules(device)
            units = min(REPLICAS, device.spec.units or REPLICAS)
            topology, bias, time = Topology.from_pairs(units, 0, []), self.bias(device), clock(device)
            single = Program.uncoupled(Topology.complete(1), *energies(device))
            ends = [self.law(device, single.with_biases([held])) for held in (0.0, bias)]
            device.program(Program.uncoupled(topology, *energies(device), -0.5 * bias))
            schedule = BiasSchedule(np.array([0, time]), np.array([[0.0], [bias]]).repeat(units, axis=1))
            steps = self.steps(3 * self.settling)
            plan = plan_for(device, self.samples, steps=steps, time_step=self.time_step, bias_schedule=schedule)
            samples = device.run(plan)
            for states, one in zip((samples.initial_states, samples.states), ends, strict=True):
                observed = _powers(states[..., None].astype(np.float64)).mean(axis=1)
                assert_mean(observed, Boltzmann.of(one, device.spec.kT).mean(_powers))

    def test_work_obeys_jarzynskis_equality(self) -> None:
        """⟨e^{−W/kT}⟩ = e^{−ΔF/kT} for a bias that is ramped up from equilibrium: the sign and scale of the work."""
        with self.make_device() as device:
            self.needs_schedules(device)
            bias, time = 2 * self.bias(device), clock(device)
            program = Program.uncoupled(Topology.complete(1), *energies(device))
            laws = [self.law(device, program.with_biases([held])) for held in (bias, 0.0)]
            schedule = BiasSchedule(np.array([0, 0.3 * time]), np.array([[0.0], [bias]]))
            count = 4 * self.samples
            plan = plan_for(device, count, steps=self.steps(0.3), time_step=self.time_step, bias_schedule=schedule)
            samples = device.run(plan)
            last, first = (Boltzmann.of(law, device.spec.kT).free_energy for law in laws)
            assert_mean(np.exp(-samples.work), np.exp(-(last - first) / device.spec.kT))

    def test_heat_is_the_energy_lost(self) -> None:
        """Without work, the heat of each chain is the drop of its energy, kinetic energy included, in k_BT."""
        with self.make_device() as device:
            program = Program.uncoupled(Topology.from_pairs(1, 0, []), *energies(device), self.bias(device))
            law = self.law(device, program)
            samples = device.run(
                plan_for(device, 20, steps=self.steps(1), time_step=self.time_step, initial="unbiased")
            )
            drop = law.energy(samples.initial_states) - law.energy(samples.states)
            if samples.velocities is not None and samples.initial_velocities is not None:
                squares = (
                    samples.initial_velocities.astype(np.float64) ** 2 - samples.velocities.astype(np.float64) ** 2
                )
                drop += 0.5 * device.spec.mass * squares.sum(axis=1)
            assert np.array_equal(samples.work, np.zeros(20))
            np.testing.assert_allclose(samples.heat, drop / device.spec.kT, rtol=1e-4, atol=1e-4)

    def law(self, device: ThermodynamicDevice, program: Program) -> Law:
        """Load a program and get the energy that its samples obey: what an emulator has built, or the program's own."""
        device.program(program)
        return device.as_built or program

    def coupling(self, device: ThermodynamicDevice) -> float:
        """Get a coupling of 1.5 kT, or the largest that the device holds."""
        return min(1.5 * device.spec.kT, device.spec.coupling_limit or np.inf)

    def bias(self, device: ThermodynamicDevice) -> float:
        """Get a bias of 1 kT, or half the largest that the device holds."""
        return min(device.spec.kT, 0.5 * (device.spec.bias_limit or np.inf))

    def steps(self, duration: float) -> int:
        """Get the number of steps in a duration given in the device's clock."""
        return round(duration / self.time_step)

    def needs_schedules(self, device: ThermodynamicDevice) -> None:
        """Skip a test of what the device says it cannot do."""
        if not device.spec.schedules:
            pytest.skip("the device cannot change biases during a run")


def _powers(states: Floats) -> Floats:
    """Get x, x² of states (…, 1)."""
    return np.concatenate([states, states**2], axis=-1)


def _moments(states: Floats) -> Floats:
    """Get x_0, x_1, x_0², x_1², x_0 x_1 of states (…, 2)."""
    return np.concatenate([states, states**2, states.prod(axis=-1, keepdims=True)], axis=-1)
