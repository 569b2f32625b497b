# SPDX-License-Identifier: Apache-2.0
"""What every device owes its users, as a pytest class that a device's tests inherit."""

import json
from abc import ABC, abstractmethod
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from thermohw.device import ThermodynamicDevice
from thermohw.errors import DeviceLimitError, DeviceStateError, PlanError
from thermohw.langevin.ensemble import Keep
from thermohw.langevin.schedule import BiasSchedule
from thermohw.path import PathStatistics
from thermohw.program import Program
from thermohw.tables import CouplingTable
from thermohw.testing.contract_physics import DevicePhysics
from thermohw.testing.contract_plans import clock, energies, plan_for
from thermohw.topology import Topology


class DeviceContract(DevicePhysics, ABC):
    """The battery of tests that any `ThermodynamicDevice` passes. Subclass it, say how to open the device, run pytest.

        class TestMyBoard(DeviceContract):
            reproducible = False

            def make_device(self) -> ThermodynamicDevice:
                return MyBoard("socket://board.lab:5025")

    Energies of the programs are in the device's own scale, spec.kT, and times in its clock, 1/(mobility · kT) or, where
    that is longer, √(m/kT); couplings, biases and units stay within the spec's limits; the device has at least two
    units. What a spec says that the device cannot do must be refused with `DeviceLimitError`. The law that samples are
    held against is the energy of what an emulator says that it has built, and the program's own for hardware.

    Attributes:
        reproducible: Whether a seed fixes the samples. False for hardware whose noise is thermal.
        samples: Number of samples of the statistical tests; more find smaller faults.
        time_step: Time step of the statistical tests, in the device's clock; devices without one ignore it.
        settling: Clocks in which a disturbance dies out: twice μ m/clock for a device that rings.
        rounding: By how much states may differ between a whole ensemble and its parts.
    """

    @abstractmethod
    def make_device(self) -> ThermodynamicDevice:
        """Open a fresh device; each test opens one and closes it."""

    # Shapes

    @pytest.mark.parametrize("units", [1, 2, 5])
    def test_runs_without_couplings(self, units: int) -> None:
        """Programs without any pair: one unit, two, an odd number."""
        with self.make_device() as device:
            if device.spec.units is not None and units > device.spec.units:
                pytest.skip(f"the device has {device.spec.units} units")
            device.program(Program.uncoupled(Topology.from_pairs(units, 0, []), *energies(device)))
            samples = device.run(plan_for(device, 3))
            assert samples.states.shape == samples.initial_states.shape == (3, units)
            assert np.isfinite(samples.states).all()
            assert samples.heat.shape == samples.work.shape == (3,)

    @pytest.mark.parametrize("units", [2, 5])
    def test_runs_with_couplings(self, units: int) -> None:
        """Two coupled units, and an odd number of them, one of which is hidden."""
        with self.make_device() as device:
            if device.spec.units is not None and units > device.spec.units:
                pytest.skip(f"the device has {device.spec.units} units")
            chain = Topology.from_pairs(units - 1, 1, [(i, i + 1) for i in range(units - 1)])
            couplings = np.full(units - 1, self.coupling(device))
            device.program(Program(chain, *energies(device), np.zeros(units), couplings))
            samples = device.run(plan_for(device, 3))
            assert samples.states.shape == (3, units)
            assert samples.visible_states.shape == (3, units - 1)
            assert np.isfinite(samples.states).all()

    @pytest.mark.parametrize("keep", ["none", "final", "both"])
    def test_brings_back_what_was_asked_for(self, keep: Keep) -> None:
        """States that were not asked for are empty, heat and work are always there."""
        with self.make_device() as device:
            device.program(self.two_units(device))
            samples = device.run(plan_for(device, 4, keep=keep))
            assert samples.states.shape == (0 if keep == "none" else 4, 2)
            assert samples.initial_states.shape == (4 if keep == "both" else 0, 2)
            assert samples.heat.shape == samples.work.shape == (4,)

    def test_says_what_it_did(self) -> None:
        """The provenance names program, seed and device, and survives JSON."""
        with self.make_device() as device:
            program = self.two_units(device)
            device.program(program)
            samples = device.run(plan_for(device, 2, seed=11))
            told = json.loads(json.dumps(samples.provenance))
            assert told["program"] == program.digest
            assert (told["seed"], samples.seed) == (11, 11)
            assert told["device"]["name"] == device.spec.name

    def test_takes_a_coupling_table(self) -> None:
        """A coupling table runs as the program that it holds."""
        with self.make_device() as device:
            table = CouplingTable.quantize(self.two_units(device), bits=6)
            device.program(table)
            samples = device.run(plan_for(device, 2, seed=1))
            assert samples.provenance["program"] == table.program.digest
            if self.reproducible:
                device.program(table.program)
                assert np.array_equal(samples.states, device.run(plan_for(device, 2, seed=1)).states)

    # Seeds

    def test_a_seed_fixes_the_samples(self) -> None:
        """Same seed, same samples; another seed, others."""
        self.needs_reproducible()
        with self.make_device() as device:
            device.program(self.two_units(device))
            first, again, other = (device.run(plan_for(device, 20, seed=seed)) for seed in (3, 3, 4))
            for name in ("states", "initial_states", "heat", "work"):
                assert np.array_equal(getattr(first, name), getattr(again, name))
            assert not np.isclose(first.states, other.states, rtol=1e-3).any(axis=1).all()

    def test_a_missing_seed_is_chosen_and_recorded(self) -> None:
        """Two runs without a seed differ, and each can be repeated from the seed that it records."""
        with self.make_device() as device:
            device.program(self.two_units(device))
            first, second = device.run(plan_for(device, 20, seed=None)), device.run(plan_for(device, 20, seed=None))
            assert first.seed != second.seed
            assert not np.array_equal(first.states, second.states)
            if self.reproducible:
                again = device.run(plan_for(device, 20, seed=first.seed))
                assert np.array_equal(first.states, again.states)

    def test_chains_are_numbered(self) -> None:
        """Runs that differ in `first_chain` only are parts of one ensemble."""
        self.needs_reproducible()
        with self.make_device() as device:
            device.program(self.two_units(device))
            whole = device.run(plan_for(device, 40, seed=5))
            parts = [device.run(plan_for(device, n, seed=5, first_chain=at)) for at, n in ((0, 13), (13, 27))]
            for name in ("initial_states", "states"):
                together = np.concatenate([getattr(part, name) for part in parts])
                np.testing.assert_allclose(together, getattr(whole, name), rtol=0, atol=self.rounding)

    # Trajectories

    def test_records_trajectories(self) -> None:
        """Recorded states run from the initial to the final ones, at the times stated; or they are refused."""
        with self.make_device() as device:
            device.program(self.two_units(device))
            plan = plan_for(device, 4, steps=60, keep="trajectory", record_every=20)
            if not device.spec.trajectories:
                with pytest.raises(DeviceLimitError):
                    device.run(plan)
                return
            samples = device.run(plan)
            assert samples.trajectory is not None and samples.times is not None
            assert samples.trajectory.shape == (4, len(samples.times), 2)
            assert samples.times[0] == 0 and (np.diff(samples.times) > 0).all()
            assert samples.times[-1] == pytest.approx(plan.duration)
            assert np.array_equal(samples.trajectory[:, 0], samples.initial_states)
            assert np.array_equal(samples.trajectory[:, -1], samples.states)

    def test_fills_observers(self) -> None:
        """An observer sees every recorded step of every chain, and adds up over runs; or it is refused."""
        with self.make_device() as device:
            program = self.two_units(device)
            device.program(program)
            observer = PathStatistics(program.J2, program.J4, mobility=device.spec.mobility, kT=device.spec.kT)
            plan = plan_for(device, 4, steps=60, keep="trajectory", record_every=20)
            if not device.spec.trajectories:
                with pytest.raises(DeviceLimitError):
                    device.run(plan, [observer])
                return
            samples = device.run(plan, [observer])
            assert samples.trajectory is not None
            records = samples.trajectory.shape[1] - 1
            assert observer.n == 4 * records
            seen = samples.trajectory[:, 1:].sum(axis=(0, 1), dtype=np.float64)
            np.testing.assert_allclose(observer.m, seen, rtol=1e-4, atol=1e-4)
            device.run(plan, [observer])
            assert observer.n == 8 * records

    # Refusals

    def test_limits_are_refused(self) -> None:
        """What the spec excludes is refused before it reaches the device."""
        with self.make_device() as device:
            spec, pair, (J2, J4) = device.spec, Topology.complete(2), energies(device)
            refused: list[Program] = []
            if spec.units is not None:
                refused.append(Program.uncoupled(Topology.from_pairs(spec.units + 1, 0, []), J2, J4))
            if spec.coupling_limit is not None:
                refused.append(Program(pair, J2, J4, np.zeros(2), np.array([-1.01 * spec.coupling_limit])))
            if spec.bias_limit is not None:
                refused.append(Program.uncoupled(pair, J2, J4, np.array([0, -1.01 * spec.bias_limit])))
            for program in refused:
                with pytest.raises(DeviceLimitError):
                    device.program(program)

    def test_schedules_beyond_the_limits_are_refused(self) -> None:
        """A schedule keeps to the biases that the device can hold."""
        with self.make_device() as device:
            limit = device.spec.bias_limit
            if limit is None or not device.spec.schedules:
                pytest.skip("the device has no limit to its biases, or no schedules")
            device.program(self.two_units(device))
            beyond = BiasSchedule(np.array([0, clock(device)]), np.array([[0.0, 0.0], [0.0, -1.01 * limit]]))
            with pytest.raises(DeviceLimitError):
                device.run(plan_for(device, 2, bias_schedule=beyond))

    def test_schedules_are_refused_where_there_are_none(self) -> None:
        """A device whose spec says that it cannot change biases during a run says so."""
        with self.make_device() as device:
            if device.spec.schedules:
                pytest.skip("the device has schedules")
            device.program(self.two_units(device))
            with pytest.raises(DeviceLimitError):
                device.run(plan_for(device, 2, bias_schedule=BiasSchedule(np.zeros(1), np.zeros((1, 2)))))

    @pytest.mark.parametrize("samples", [0, -1])
    def test_zero_samples_are_refused(self, samples: int) -> None:
        """A plan without samples is none."""
        with self.make_device() as device:
            device.program(self.two_units(device))
            with pytest.raises(PlanError):
                device.run(plan_for(device, samples))

    def test_a_plan_for_another_program_is_refused(self) -> None:
        """Initial states and schedules must have the program's units."""
        with self.make_device() as device:
            device.program(self.two_units(device))
            with pytest.raises(PlanError):
                device.run(plan_for(device, 2, initial=np.zeros((2, 3))))
            if device.spec.schedules:
                with pytest.raises(PlanError):
                    device.run(plan_for(device, 2, bias_schedule=BiasSchedule(np.zeros(1), np.zeros((1, 3)))))

    def test_an_unprogrammed_device_refuses_to_run(self) -> None:
        """Nothing runs before something is programmed."""
        with self.make_device() as device, pytest.raises(DeviceStateError):
            device.run(plan_for(device, 2))

    @pytest.mark.parametrize("verb", ["program", "run"])
    def test_a_closed_device_refuses(self, verb: Literal["program", "run"]) -> None:
        """After `close` nothing works, and closing again does nothing."""
        device = self.make_device()
        program = self.two_units(device)
        device.program(program)
        device.close()
        device.close()
        with pytest.raises(DeviceStateError):
            if verb == "program":
                device.program(program)
            else:
                device.run(plan_for(device, 2))

    def test_an_error_inside_a_with_block_closes_the_device(self) -> None:
        """Hardware must not stay on because a script failed."""
        device = self.make_device()
        with pytest.raises(KeyError), device:
            raise KeyError("a user's mistake")
        with pytest.raises(DeviceStateError):
            device.program(self.two_units(device))

    def two_units(self, device: ThermodynamicDevice) -> Program:
        """Get two coupled, biased units, within the device's limits."""
        biases: NDArray[Any] = self.bias(device) * np.array([1.0, -0.5])
        return Program(Topology.complete(2), *energies(device), biases, np.array([self.coupling(device)]))

    def needs_reproducible(self) -> None:
        """Skip a test that makes no sense where noise is thermal."""
        if not self.reproducible:
            pytest.skip("the device's noise has no seed")
