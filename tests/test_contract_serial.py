# SPDX-License-Identifier: Apache-2.0
"""Boards on real lines keep the device contract, and give bit for bit what their emulators give."""

from collections.abc import Generator
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest
from served import served

from thermohw import BiasSchedule, PathStatistics, Program, RunPlan, SerialDevice, SimulatedDevice, Topology
from thermohw.backends import open_device
from thermohw.device import ThermodynamicDevice
from thermohw.nonideal import NonidealDevice, TemperatureGradient
from thermohw.testing import DeviceContract

pytestmark = pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning")  # pyserial's RFC 2217 client


class OnALine(DeviceContract):
    samples = 256
    time_step = 0.01
    line: ClassVar[str]
    url: ClassVar[str]

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _serve(cls) -> Generator[None]:
        with served(SimulatedDevice(), cls.line) as cls.url:
            yield

    def make_device(self) -> ThermodynamicDevice:
        return SerialDevice(self.url)


class TestOnATerminal(OnALine):
    line = "pty"


class TestOverTcp(OnALine):
    line = "tcp"


class TestOverRfc2217(OnALine):
    line = "rfc2217"


PROGRAM = Program(
    Topology.layered(5, 3), np.array(1.0), np.array(0.5), np.linspace(-1, 1, 8), np.linspace(-0.5, 0.6, 18)
)
SCHEDULE = BiasSchedule(np.array([0.0, 0.3]), np.stack([np.zeros(8), np.linspace(-1, 1, 8)]))
STATES = np.linspace(-1, 1, 160).reshape(20, 8)
CHANGES: dict[str, dict[str, Any]] = {
    "plain": {},
    "own step": {"dt": None},
    "schedule": {"bias_schedule": SCHEDULE},
    "states": {"initial": STATES},
    "unbiased": {"initial": "unbiased", "first_chain": 7},
}
ARRAYS = (
    "states", "initial_states", "heat", "work", "trajectory", "times", "velocities", "initial_velocities", "entropy",
)  # fmt: skip


def inertial() -> ThermodynamicDevice:
    return open_device("mechanical_cantilever")


def graded() -> ThermodynamicDevice:
    return NonidealDevice(SimulatedDevice(), [TemperatureGradient(span=0.5)], 1)


@pytest.mark.parametrize("line", ["pty", "tcp", "rfc2217"])
@pytest.mark.parametrize("make", [SimulatedDevice, inertial, graded])
def test_samples_are_the_emulators_bit_for_bit(line: str, make: Any) -> None:
    """Same seed, same program: every kind of plan, velocities and entropy where there are."""
    with served(make(), line) as url, SerialDevice(url) as device, make() as emulator:
        device.program(PROGRAM)
        emulator.program(PROGRAM)
        for change in CHANGES.values():
            for keep in ("none", "final", "both", "trajectory"):
                plan: RunPlan = replace(RunPlan(0.4, 20, 0.02, record_every=3, seed=5), keep=keep, **change)
                found, expected = device.run(plan), emulator.run(plan)
                for name in ARRAYS:
                    array, truth = getattr(found, name), getattr(expected, name)
                    assert (array is None) == (truth is None), (name, plan)
                    assert truth is None or np.array_equal(array, truth), (name, plan)
                assert found.dt == expected.dt
        assert device.statistics.retries == 0


def test_observers_of_a_board_see_the_same() -> None:
    plan = RunPlan(0.4, 300, 0.02, record_every=2, seed=5, keep="none")
    seen = [PathStatistics(PROGRAM.J2, PROGRAM.J4) for _ in range(2)]
    with served(SimulatedDevice()) as url, SerialDevice(url) as device, SimulatedDevice() as emulator:
        for one, observer in zip((device, emulator), seen, strict=True):
            one.program(PROGRAM)
            one.run(plan, [observer])
    assert seen[0].n == seen[1].n
    np.testing.assert_allclose(seen[0].C, seen[1].C, rtol=1e-6, atol=1e-6)
