# SPDX-License-Identifier: Apache-2.0
"""The reference firmware keeps the device contract, as a process of this computer and on an emulated board."""

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from firmware_boards import MISSING, MISSING_FOR_ARM, emulated_board, host_board, make

from thermohw import PathStatistics, Program, RunPlan, SerialDevice, SimulatedDevice, Topology
from thermohw.device import ThermodynamicDevice
from thermohw.instrument import FaultRates
from thermohw.instrument.faults import ByteFaults
from thermohw.samples import Samples
from thermohw.testing import DeviceContract
from thermohw.transport import SerialTransport

UNITS = 24
PROGRAM = Program(
    Topology.layered(16, 8),
    np.linspace(0.5, 2, UNITS),
    np.linspace(2, 0.5, UNITS),
    np.random.default_rng(1).normal(size=UNITS),
    0.2 * np.random.default_rng(2).normal(size=156),
)
FAULTS = FaultRates(flips=4e-5, drops=3e-5, duplicates=3e-5)


class NoisyTransport(SerialTransport):
    """A line on which bytes are flipped, lost and doubled in both directions."""

    def __init__(self, terminal: str) -> None:
        super().__init__(terminal)
        self._inward, self._outward = (ByteFaults(FAULTS, (5, direction)) for direction in range(2))

    def write(self, data: bytes) -> None:
        super().write(bytes(self._inward.apply(data)))

    def _read(self, count: int) -> bytes:
        return bytes(self._outward.apply(super()._read(count)))


def emulated(program: Program, plan: RunPlan) -> Samples:
    with SimulatedDevice(engine="reference", precision="float64") as device:
        device.program(program)
        return device.run(plan)


def assert_same_paths(found: Samples, expected: Samples) -> None:
    """Check that the paths are those of the same noise, to the rounding of single precision."""
    for name in ("states", "initial_states", "heat"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-5, atol=1e-4, err_msg=name)


class OfTheFirmware(DeviceContract):
    samples = 256
    time_step = 0.005  # Euler-Maruyama
    target: ClassVar[str]
    start: ClassVar[Callable[[Path], AbstractContextManager[str]]]
    terminal: ClassVar[str]

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _board(cls, tmp_path_factory: pytest.TempPathFactory) -> Generator[None]:
        folder = tmp_path_factory.mktemp("firmware")
        made = make(folder, cls.target)
        assert made.returncode == 0, made.stderr
        with cls.start(folder) as cls.terminal:
            yield

    def make_device(self) -> ThermodynamicDevice:
        return SerialDevice(self.terminal)

    def test_a_plan_in_parts_gives_the_paths_of_the_reference_engine(self) -> None:
        """More samples than the board stores, of a program that its codes round."""
        plan = RunPlan(0.1, 6000, 0.005, seed=2**63, first_chain=2**31 - 3000)
        with SerialDevice(self.terminal) as device:
            device.program(PROGRAM)
            assert device.held.digest != PROGRAM.digest
            np.testing.assert_allclose(device.held.couplings, PROGRAM.couplings, rtol=0, atol=2e-5)
            assert plan.n_samples * (16 + 8 * UNITS) > device.capability.limits.stored_bytes
            found = device.run(plan)
            assert_same_paths(found, emulated(device.held, plan))
            other = RunPlan(0.1, 6000, 0.005, seed=2**63 + 1, first_chain=2**31 - 3000)
            assert np.abs(found.states - emulated(device.held, other).states).max() > 0.1

    def test_observers_see_the_paths_of_the_reference_engine(self) -> None:
        plan = RunPlan(0.1, 50, 0.005, record_every=4, seed=3, keep="none")
        with SerialDevice(self.terminal) as device:
            device.program(PROGRAM)
            seen = [PathStatistics(PROGRAM.J2, PROGRAM.J4) for _ in range(2)]
            device.run(plan, [seen[0]])
            with SimulatedDevice(engine="reference", precision="float64") as emulator:
                emulator.program(device.held)
                emulator.run(plan, [seen[1]])
        assert seen[0].n == seen[1].n == 250
        np.testing.assert_allclose(seen[0].C, seen[1].C, rtol=1e-4, atol=1e-2)

    def test_a_noisy_line_changes_nothing_but_the_time(self) -> None:
        """One byte in ten thousand is damaged."""
        plan = RunPlan(0.1, 300, 0.005, seed=7)
        with SerialDevice(self.terminal, transport=lambda: NoisyTransport(self.terminal)) as device:
            device.program(PROGRAM)
            found = device.run(plan)
            assert device.statistics.retries > 0
        with SerialDevice(self.terminal) as device:
            device.program(PROGRAM)
            for name in ("states", "initial_states", "heat"):
                assert np.array_equal(getattr(found, name), getattr(device.run(plan), name)), name
            assert device.statistics.retries == 0


@pytest.mark.skipif(bool(MISSING), reason=f"not on the path: {', '.join(MISSING)}")
class TestOnThisComputer(OfTheFirmware):
    target = "host"
    start = host_board


@pytest.mark.skipif(bool(MISSING_FOR_ARM), reason=f"not on the path: {', '.join(MISSING_FOR_ARM)}")
class TestOnAnEmulatedBoard(OfTheFirmware):
    target = "arm"
    start = emulated_board
