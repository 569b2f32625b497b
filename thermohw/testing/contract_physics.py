# SPDX-License-Identifier: Apache-2.0
"""The physics that every device owes its users: thermal equilibrium, schedules, heat and work."""

from abc import ABC, abstractmethod

import numpy as np
import pytest

from thermohw.device import ThermodynamicDevice
from thermohw.langevin.schedule import BiasSchedule
from thermohw.program import Program
from thermohw.testing.boltzmann import Boltzmann, Floats
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
    rounding: float = 1e-4

    @abstractmethod
    def make_device(self) -> ThermodynamicDevice:
        """Open a fresh device."""

    def test_equipartition(self) -> None:
        """⟨x_i ∂V/∂x_i⟩ = kT for uncoupled units."""
        with self.make_device() as device:
            units = min(REPLICAS, device.spec.units or REPLICAS)
            program = Program.uncoupled(Topology.from_pairs(units, 0, []), *energies(device))
            device.program(program)
            states = device.run(plan_for(device, self.samples, steps=self.steps(2), time_step=self.time_step)).states
            virial = states * program.gradient(states)
            assert_mean(virial.mean(axis=1) / device.spec.kT, 1.0)

    def test_a_coupled_pair_is_boltzmann_distributed(self) -> None:
        """The first and second moments of coupled, biased pairs are those of e^{−V/kT}, by quadrature."""
        with self.make_device() as device:
            pairs = min(REPLICAS, device.spec.units or REPLICAS) // 2
            coupling, biases = self.coupling(device), self.bias(device) * np.array([1.0, -0.5])
            apart = Topology.from_pairs(2 * pairs, 0, 2 * np.arange(pairs)[:, None] + [[0, 1]])
            program = Program(apart, *energies(device), np.tile(biases, pairs), np.full(pairs, coupling))
            one = Program(Topology.complete(2), *energies(device), biases, np.array([coupling]))
            device.program(program)
            states = device.run(plan_for(device, self.samples, steps=self.steps(4), time_step=self.time_step)).states
            observed = _moments(states.reshape(-1, 2).astype(np.float64)).reshape(len(states), pairs, -1).mean(axis=1)
            assert_mean(observed, Boltzmann.of(one, device.spec.kT).mean(_moments))

    def test_a_schedule_replaces_the_biases(self) -> None:
        """Biases that are ramped up and then held give the equilibrium of the held biases."""
        with self.make_device() as device:
            self.needs_schedules(device)
            units = min(REPLICAS, device.spec.units or REPLICAS)
            topology, bias, time = Topology.from_pairs(units, 0, []), self.bias(device), clock(device)
            device.program(Program.uncoupled(topology, *energies(device), -0.5 * bias))
            schedule = BiasSchedule(np.array([0, time]), np.array([[0.0], [bias]]).repeat(units, axis=1))
            plan = plan_for(device, self.samples, steps=self.steps(3), time_step=self.time_step, bias_schedule=schedule)
            samples = device.run(plan)
            for states, held in ((samples.initial_states, 0.0), (samples.states, bias)):
                one = Program.uncoupled(Topology.complete(1), *energies(device), held)
                observed = _powers(states[..., None].astype(np.float64)).mean(axis=1)
                assert_mean(observed, Boltzmann.of(one, device.spec.kT).mean(_powers))

    def test_work_obeys_jarzynskis_equality(self) -> None:
        """⟨e^{−W/kT}⟩ = e^{−ΔF/kT} for a bias that is ramped up from equilibrium: the sign and scale of the work."""
        with self.make_device() as device:
            self.needs_schedules(device)
            bias, time = 2 * self.bias(device), clock(device)
            program = Program.uncoupled(Topology.complete(1), *energies(device))
            device.program(program)
            schedule = BiasSchedule(np.array([0, 0.3 * time]), np.array([[0.0], [bias]]))
            count = 4 * self.samples
            plan = plan_for(device, count, steps=self.steps(0.3), time_step=self.time_step, bias_schedule=schedule)
            samples = device.run(plan)
            ends = [Boltzmann.of(program.with_biases([b]), device.spec.kT).free_energy for b in (0.0, bias)]
            assert_mean(np.exp(-samples.work), np.exp(-(ends[1] - ends[0]) / device.spec.kT))

    def test_heat_is_the_energy_lost(self) -> None:
        """Without work, the heat of each chain is the drop of the program's energy, in k_BT."""
        with self.make_device() as device:
            program = Program.uncoupled(Topology.from_pairs(1, 0, []), *energies(device), self.bias(device))
            device.program(program)
            samples = device.run(
                plan_for(device, 20, steps=self.steps(1), time_step=self.time_step, initial="unbiased")
            )
            drop = program.energy(samples.initial_states) - program.energy(samples.states)
            assert np.array_equal(samples.work, np.zeros(20))
            np.testing.assert_allclose(samples.heat, drop / device.spec.kT, rtol=1e-4, atol=1e-4)

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
